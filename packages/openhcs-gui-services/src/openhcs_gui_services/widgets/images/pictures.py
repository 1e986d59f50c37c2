"""Pictures of the image view as files: their names, and the question where to save them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QPixmap
from PyQt6.QtWidgets import QApplication, QFileDialog, QWidget

from openhcs_gui_services.services.images.source import ImagePlace

if TYPE_CHECKING:
    from openhcs_gui_services.services.images.opened import OpenPlate

__all__ = ["ask_where_to_save", "copy_picture", "picture_name", "save_picture"]


def picture_name(plate: "OpenPlate", places: Sequence[ImagePlace], *, all_sites: bool, other: str = "") -> str:
    """Return a file name for a picture: plate, well, site, plane and time point where it matters, and a second well.

    Args:
        plate: the plate.
        places: the field of view, and the one next to it if there are two.
        all_sites: whether all sites are shown.
        other: name of the plate of the second well, if it is another one.
    """
    place = places[0]
    parts = [plate.source.name, place.well, "all_sites" if all_sites else f"s{place.site}"]
    parts += [f"z{place.z_index}"] if len(plate.z_indexes) > 1 else []
    parts += [f"t{place.timepoint}"] if len(plate.timepoints) > 1 else []
    for second in places[1:]:
        parts += ["and", *filter(None, (other, second.well))]
    return "_".join(parts) + ".png"


def copy_picture(picture: QPixmap) -> None:
    """Put a picture on the clipboard."""
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    clipboard.setPixmap(picture)


def save_picture(picture: QPixmap, file: str) -> str:
    """Write a picture as a PNG file; return a sentence that says where it is or what is wrong."""
    return f"Saved {file}" if picture.save(file, "PNG") else f"{file} can't be written: choose another folder"


def ask_where_to_save(picture: QPixmap, name: str, parent: QWidget, say: Callable[[str], None]) -> None:
    """Ask for a file and write a picture to it.

    Args:
        picture: the picture.
        name: proposed name of the file.
        parent: parent of the question.
        say: called with a sentence that says where it is or what is wrong.
    """
    dialog = QFileDialog(parent, "Save the picture", str(Path.home() / name), "PNG (*.png)")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix("png")
    dialog.fileSelected.connect(lambda file: say(save_picture(picture, file)))
    dialog.open()
