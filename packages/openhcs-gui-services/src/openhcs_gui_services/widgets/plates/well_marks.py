"""The marks of selected wells: a coloured ground and a line around them, as paths that are drawn at once."""

from collections.abc import Iterable

from PyQt6.QtCore import QPointF, QRectF
from PyQt6.QtGui import QPainterPath

from openhcs_gui_services.widgets.plates.well_grid import WellGrid

__all__ = ["SelectionMarks"]

Place = tuple[int, int]


class SelectionMarks:
    """The outlines of some wells of a grid.

    Args:
        grid: where the wells are.
        places: row and column of the selected wells.
    """

    def __init__(self, grid: WellGrid, places: Iterable[Place]) -> None:
        self._grid = grid
        chosen = set(places)
        self.ground, self.edges = QPainterPath(), QPainterPath()
        for row, first, last in _runs(chosen):
            left, right = grid.rect_of((row, first)), grid.rect_of((row, last))
            self.ground.addRect(QRectF(left.united(right)))
        for place in sorted(chosen):
            self._add_edges(place, chosen)

    def _add_edges(self, place: Place, chosen: set[Place]) -> None:
        """Add those sides of a well beyond which no selected well is."""
        row, column = place
        rect = QRectF(self._grid.rect_of(place)).adjusted(0.5, 0.5, -0.5, -0.5)
        for neighbour, one, other in (
            ((row - 1, column), rect.topLeft(), rect.topRight()),
            ((row + 1, column), rect.bottomLeft(), rect.bottomRight()),
            ((row, column - 1), rect.topLeft(), rect.bottomLeft()),
            ((row, column + 1), rect.topRight(), rect.bottomRight()),
        ):
            if neighbour not in chosen:
                self._add_line(one, other)

    def _add_line(self, one: QPointF, other: QPointF) -> None:
        self.edges.moveTo(one)
        self.edges.lineTo(other)


def _runs(chosen: set[Place]) -> Iterable[tuple[int, int, int]]:
    """Return row, first and last column of wells next to each other."""
    for row, column in sorted(chosen):
        if (row, column - 1) not in chosen:
            last = column
            while (row, last + 1) in chosen:
                last += 1
            yield row, column, last
