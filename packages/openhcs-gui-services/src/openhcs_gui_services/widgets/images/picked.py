"""Objects under a point of the picture, and where a wanted one is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QPointF

from openhcs_gui_services.services.images.overlay import Overlay
from openhcs_gui_services.widgets.images.outlines import OutlineLooks

if TYPE_CHECKING:
    from openhcs_gui_services.services.images.picture import LabelSet

__all__ = ["PickedObject", "object_at"]


@dataclass(frozen=True, slots=True, eq=False)
class PickedObject:
    """An object that was clicked.

    Attributes:
        name: name of its set.
        label: its number in the label image.
        labels: the labels of the set; None for an overlay.
        run: the run that found it; None for an overlay.
    """

    name: str
    label: int
    labels: "LabelSet | None" = None
    run: Path | None = None


def object_at(
    point: QPointF,
    sets: Mapping[str, "LabelSet"],
    run: Path | None,
    overlay: Overlay | None,
    looks: OutlineLooks,
) -> PickedObject | None:
    """Return the object at a point of the picture that is drawn on top; None for the background.

    Args:
        point: the point, in pixels of the picture.
        sets: the labels of the run.
        run: the run.
        overlay: labels that are drawn over them.
        looks: which sets are drawn.
    """
    row, column = int(point.y()), int(point.x())
    of_run = [(name, one.labels, PickedObject(name, 0, one, run)) for name, one in sets.items()]
    of_overlay = {} if overlay is None else overlay.labels
    drawn = [*of_run, *((name, labels, PickedObject(name, 0)) for name, labels in of_overlay.items())]
    for name, labels, found in reversed(drawn):
        rows, columns = labels.shape
        if 0 <= point.y() < rows and 0 <= point.x() < columns and looks.is_shown(name) and labels[row, column]:
            return PickedObject(name, int(labels[row, column]), found.labels, found.run)
    return None
