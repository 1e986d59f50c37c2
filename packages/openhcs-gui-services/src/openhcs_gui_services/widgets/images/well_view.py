"""One view of a well: its picture and outlines with a title, and which run the outlines are of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QPointF, Qt, QTimer, pyqtSignal as Signal
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget
from superqt import QElidingLabel

from openhcs_gui_services.services.images.latest import LatestTask
from openhcs_gui_services.services.images.layers import ImageLayer
from openhcs_gui_services.services.images.overlay import Overlay
from openhcs_gui_services.services.images.reader import PlateImages
from openhcs_gui_services.services.images.source import ImagePlace
from openhcs_gui_services.widgets.images.canvas import ImageCanvas, Render
from openhcs_gui_services.widgets.images.drawing import (
    Drawing,
    Ring,
    grey_layer,
    image_layers,
    missing_sites,
    outline_layers,
)
from openhcs_gui_services.widgets.images.looks import ChannelLooks
from openhcs_gui_services.widgets.images.outlines import OutlineLooks
from openhcs_gui_services.widgets.images.picked import PickedObject, object_at
from openhcs_gui_services.widgets.images.viewport import Viewport
from openhcs_runtime.exceptions import OpenHCSError

if TYPE_CHECKING:
    from openhcs_gui_services.services.images.opened import OpenPlate
    from openhcs_gui_services.services.images.picture import LabelSet, Picture

__all__ = ["RunChoice", "WellView"]

_PATIENCE_MS = 120
"""From then on a picture that is no longer the wanted one is drawn faintly."""


@dataclass(frozen=True, slots=True)
class RunChoice:
    """A run that outlines can be of."""

    folder: Path
    title: str


class WellView(QWidget):
    """Shows a field of view, or all sites of a well, with outlines of a run and of an overlay.

    Args:
        images: reads the images; the caller closes it.
        looks: how channels are shown.
        outlines: how outlines are shown.
        viewport: what part is seen.
        render: composes in a thread.
        on_error: called with one line for the user when something unexpected fails.
        parent: the parent widget.
    """

    loaded = Signal()
    """Another picture is shown, or other labels."""
    picked = Signal(object)
    """The :class:`PickedObject` that was clicked; None for the background."""
    site_wanted = Signal(int)
    """A site of the mosaic was double-clicked."""

    def __init__(
        self,
        images: PlateImages,
        looks: ChannelLooks,
        outlines: OutlineLooks,
        viewport: Viewport,
        render: Render,
        on_error: Callable[[str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._images, self._looks, self._outlines, self._viewport = images, looks, outlines, viewport
        self._plate: OpenPlate | None = None
        self._wanted: tuple[ImagePlace, bool] | None = None
        self._run: Path | None = None
        self._picture: Picture | None = None
        self._sets: Mapping[str, LabelSet] = {}
        self._problem = self._heading = ""
        self._are_labels_read = False
        self._overlay: Overlay | None = None
        self._is_overlay_image = False
        self._picked: tuple[str, int] | None = None
        self._wanted_object: tuple[ImagePlace, str, int] | None = None
        self._ring: Ring | None = None
        self._loading = LatestTask(self._show_problem, "Reading images")
        self._labelling = LatestTask(self._show_problem, "Reading labels")
        self.canvas = ImageCanvas(viewport, render, on_error)
        self._title, self._runs, self._note = QElidingLabel(), QComboBox(), QLabel()
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self.canvas.fade)
        self._lay_out()
        self.canvas.clicked.connect(self._pick)
        self.canvas.double_clicked.connect(self._open_site)
        self._runs.activated.connect(lambda _: self.set_run(self._runs.currentData()))
        looks.changed.connect(self._on_looks)
        outlines.changed.connect(self.refresh)

    # --- what is shown -------------------------------------------------------------------------------------------

    @property
    def plate(self) -> "OpenPlate | None":
        """The plate."""
        return self._plate

    @property
    def place(self) -> ImagePlace | None:
        """The field of view that is shown or being read."""
        return None if self._wanted is None else self._wanted[0]

    @property
    def picture(self) -> "Picture | None":
        """The picture; None while there is none."""
        return self._picture

    @property
    def sets(self) -> "Mapping[str, LabelSet]":
        """The labels of the run, by set."""
        return self._sets

    @property
    def set_names(self) -> tuple[str, ...]:
        """The sets of objects that are there, with those of the overlay."""
        return (*self._sets, *(self._overlay.labels if self._overlay else ()))

    @property
    def run(self) -> Path | None:
        """The run whose outlines are shown."""
        return self._run

    @property
    def problem(self) -> str:
        """What could not be read, in sentences; empty if everything was."""
        return self._problem

    def show_place(self, plate: "OpenPlate", place: ImagePlace, *, all_sites: bool = False) -> None:
        """Show a field of view, or all sites of its well."""
        is_other = self._wanted is None or self._plate is not plate or self._wanted != (place, all_sites)
        self._plate, self._wanted = plate, (place, all_sites)
        if is_other:
            self._overlay, self._picked, self._ring = None, None, None
            self._patience.start()
        self._show_title()
        self._loading.start(self._load(plate, place, all_sites))

    def show_text(self, text: str) -> None:
        """Show a text and no picture."""
        self._loading.cancel()
        self._labelling.cancel()
        self._patience.stop()
        self._plate = self._wanted = self._picture = self._overlay = self._picked = self._ring = None
        self._sets = {}
        self._title.setText("")
        self._runs.hide()
        self._set_problem("")
        self.canvas.show_text(text)
        self.loaded.emit()

    def set_runs(self, runs: tuple[RunChoice, ...], run: Path | None) -> None:
        """Offer these runs for the outlines, and choose one."""
        self._runs.clear()
        for choice in runs:
            self._runs.addItem(choice.title, choice.folder)
            self._runs.setItemData(self._runs.count() - 1, str(choice.folder), Qt.ItemDataRole.ToolTipRole)
        self._runs.addItem("No outlines", None)
        self._runs.setVisible(len(runs) > 0)
        self.set_run(run)

    def set_run(self, run: Path | None) -> None:
        """Show the outlines of this run."""
        found = next((at for at in range(self._runs.count()) if self._runs.itemData(at) == run), -1)
        self._runs.setCurrentIndex(found)
        if run != self._run:
            self._run, self._picked, self._ring = run, None, None
            self.reload_labels()

    def show_overlay(self, overlay: Overlay | None) -> None:
        """Draw these labels as well, or none; another field of view ends it."""
        self._overlay = overlay
        self.refresh()
        self.loaded.emit()

    def show_overlay_image(self, is_shown: bool) -> None:
        """Show the image of the overlay instead of the channels, or the channels."""
        self._is_overlay_image = is_shown
        self.refresh()

    def show_object(self, place: ImagePlace, name: str, label: int) -> None:
        """Show an object in the middle with a ring, once its labels have been read."""
        self._wanted_object = place, name, label
        self._find_object()

    def set_heading(self, text: str) -> None:
        """Set what this view is for, before the name of the well; empty if it is the only one."""
        self._heading = text
        self._show_title()

    def values_at(self, point: QPointF) -> list[tuple[str, str]]:
        """Return name and value of each channel at a point of the picture, then the objects there."""
        picture = self._picture
        if picture is None or self._plate is None:
            return []
        row, column = int(point.y() // picture.size), int(point.x() // picture.size)
        found = []
        for look in self._looks.shown:
            plane = picture.planes.get(look.channel.number)
            if plane is not None and 0 <= row < plane.plane.shape[0] and 0 <= column < plane.plane.shape[1]:
                found.append((look.channel.name, f"{plane.plane[row, column]:.6g}"))
        if picked := self._object_at(point):
            found.append((picked.name, str(picked.label)))
        return found

    async def close_reads(self) -> None:
        """Cancel what is being read."""
        self._patience.stop()
        await self.canvas.close_reads()
        await self._loading.close()
        await self._labelling.close()

    # --- reading -------------------------------------------------------------------------------------------------

    async def _load(self, plate: "OpenPlate", place: ImagePlace, all_sites: bool) -> None:
        # Image libraries, which opening the plate has loaded in a thread.
        from openhcs_gui_services.services.images.picture import load_all_sites, load_site  # noqa: PLC0415

        numbers = [look.channel.number for look in self._looks.shown]
        load = load_all_sites if all_sites else load_site
        try:
            picture = await load(self._images, plate, place, numbers)
        except OpenHCSError as error:
            self._fail(f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return
        self._patience.stop()
        is_other = self._picture is None or self._picture.place != place
        self._picture = picture
        self._sets = {} if is_other or all_sites else self._sets
        self._are_labels_read = False
        self._set_problem(" ".join(picture.problems))
        for number, plane in picture.planes.items():
            self._looks.add_sample(number, f"{place.well} {place.site}", plane.sample)
        self.refresh()
        self.loaded.emit()
        self.reload_labels()

    def _fail(self, text: str) -> None:
        self._patience.stop()
        self._picture, self._sets = None, {}
        self._set_problem(text)
        self.canvas.show_text(text)
        self.loaded.emit()

    def reload_labels(self) -> None:
        """Read the labels of the shown field of view, such as after a run has written them."""
        picture, run = self._picture, self._run
        if picture is None or run is None or picture.plan is not None:
            self._labelling.cancel()
            if self._sets:
                self._sets = {}
                self.refresh()
                self.loaded.emit()
        else:
            self._labelling.start(self._load_labels(run, picture))

    async def _load_labels(self, run: Path, picture: "Picture") -> None:
        from openhcs_gui_services.services.images.picture import load_labels  # noqa: PLC0415  as above

        sets, problem = await load_labels(self._images, run, picture.place)
        if picture is not self._picture:
            return
        self._sets = {name: one for name, one in sets.items() if one.labels.shape == picture.shape}
        self._are_labels_read = True
        if len(self._sets) < len(sets):
            problem = f"{problem} Labels of another size than the image are left out: they are of another plate."
        self._set_problem(" ".join(filter(None, (*picture.problems, problem.strip()))))
        self.refresh()
        self.loaded.emit()
        self._find_object()

    # --- drawing -------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Draw the picture as channels and outlines are to be shown now."""
        picture, plate = self._picture, self._plate
        if picture is None or plate is None:
            return
        if not picture.planes:
            shown = self._looks.shown
            self.canvas.show_text(self._problem if shown else "All channels are off: press 1 to show the first one.")
            return
        overlay = self._overlay
        if overlay is not None and overlay.image is not None and self._is_overlay_image:
            layers: tuple[ImageLayer, ...] = (grey_layer(overlay.image),)
        else:
            layers = image_layers(picture, self._looks)
        outlines = outline_layers(picture.shape, self._sets, overlay, self._outlines, self._picked)
        size, notes = plate.pixel_size_um, missing_sites(picture)
        self.canvas.show_drawing(Drawing(picture.shape, layers, outlines, size, notes, self._ring))

    def _on_looks(self) -> None:
        """Draw with other colours; channels that were off have to be read first."""
        picture, plate = self._picture, self._plate
        if picture is not None and plate is not None and self._wanted is not None:
            wanted = {look.channel.number for look in self._looks.shown}
            if not wanted <= picture.planes.keys() and not picture.problems:
                self._loading.start(self._load(plate, *self._wanted))
        self.refresh()

    # --- objects -------------------------------------------------------------------------------------------------

    def _pick(self, point: QPointF) -> None:
        self.canvas.setFocus(Qt.FocusReason.MouseFocusReason)
        picked = self._object_at(point)
        self._ring = None
        self._picked = None if picked is None else (picked.name, picked.label)
        self.refresh()
        self.picked.emit(picked)

    def unpick(self) -> None:
        """Draw no object as picked."""
        self._picked = self._ring = None
        self.refresh()

    def _object_at(self, point: QPointF) -> PickedObject | None:
        return object_at(point, self._sets, self._run, self._overlay, self._outlines)

    def _find_object(self) -> None:
        from openhcs_gui_services.services.images.objects import object_box  # noqa: PLC0415  as above

        wanted, picture = self._wanted_object, self._picture
        if wanted is None or picture is None or picture.place != wanted[0]:
            return
        _, name, label = wanted
        if name not in self._sets:
            if self._are_labels_read:
                self._wanted_object = None
                self._set_problem(f"The shown run has no outlines of {name} in this image.")
            return
        self._wanted_object = None
        one = self._sets[name]
        box = object_box(one.labels, label)
        if box is None:
            self._set_problem(f"There is no object {label} of {name} in this image: the run was made again.")
            return
        top, left, bottom, right = box
        self._picked = name, label
        radius = max(bottom - top, right - left) / 2 + 1
        self._ring = Ring((top + bottom + 1) / 2, (left + right + 1) / 2, radius)
        edge = max(1.0, min(self.canvas.width(), self.canvas.height()) / (8 * radius))
        self._viewport.show(QPointF(self._ring.column, self._ring.row), max(edge, self._viewport.scale))
        self.refresh()
        self.picked.emit(PickedObject(name, label, one, self._run))

    def _open_site(self, point: QPointF) -> None:
        plan = None if self._picture is None else self._picture.plan
        site = None if plan is None else plan.site_at(point.y(), point.x())
        if site is not None:
            self.site_wanted.emit(site)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._title.setElideMode(Qt.TextElideMode.ElideMiddle)
        self._title.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._runs.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._runs.setMinimumContentsLength(8)
        self._runs.setToolTip("The run whose outlines are drawn")
        self._runs.setAccessibleName("Run of the outlines")
        self._runs.hide()
        self._note.setWordWrap(True)
        self._note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._note.hide()
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(self._runs, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(3)
        box.addLayout(head)
        box.addWidget(self._note)
        box.addWidget(self.canvas, 1)

    def _show_title(self) -> None:
        text = ""
        if self._plate is not None and self._wanted is not None:
            place, all_sites = self._wanted
            parts = [self._heading, place.well, "all sites" if all_sites else f"site {place.site}"]
            parts += [f"z {place.z_index}"] if len(self._plate.z_indexes) > 1 else []
            parts += [f"time {place.timepoint}"] if len(self._plate.timepoints) > 1 else []
            text = " \u00b7 ".join([*filter(None, parts), self._plate.source.name])
        self._title.setText(text)
        self._title.setToolTip(text)
        self.canvas.setAccessibleName(f"Image of {text}" if text else "Image")

    def _show_problem(self, text: str) -> None:
        self._fail(text)

    def _set_problem(self, text: str) -> None:
        self._problem = text
        self._note.setText(text)
        has_image = self._picture is not None and bool(self._picture.planes)
        self._note.setVisible(bool(text) and has_image)
