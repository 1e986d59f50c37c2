"""The geometry of a plate map: where wells, labels and legend are in the widget."""

import enum
from dataclasses import dataclass

from PyQt6.QtCore import QPoint, QRect, QSize
from PyQt6.QtGui import QFontMetrics

from openhcs_gui_services.widgets.plates.well_texts import MapLayout

__all__ = ["SMALLEST", "Header", "Margins", "WellGrid"]

SMALLEST, _LARGEST = 6, 320  # pixels of a well
_LEGEND_LINES = 2
_WIDE_LEGEND = 300  # pixels; a legend that would be narrower begins at the left edge
_TOUCHED = 0.25  # part of a well that has to be inside of a rubber band, from its edge

Place = tuple[int, int]


class Header(enum.Enum):
    """The parts of a map around its wells that select several of them."""

    ROW = enum.auto()
    COLUMN = enum.auto()
    CORNER = enum.auto()


@dataclass(frozen=True, slots=True)
class Margins:
    """Space around the wells in pixels, for a font."""

    left: int
    top: int
    line: int
    """Height of a line of the legend."""

    @classmethod
    def of(cls, metrics: QFontMetrics) -> "Margins":
        """Return the space that labels and legend need in a font."""
        return cls(metrics.horizontalAdvance("AF") + 10, metrics.height() + 4, metrics.height() + 5)

    @property
    def bottom(self) -> int:
        """Height of the legend."""
        return _LEGEND_LINES * self.line + 2

    def size_for(self, layout: MapLayout, well: int) -> QSize:
        """Return the size of a map with wells of this size."""
        return QSize(self.left + 4 + layout.columns * well, self.top + self.bottom + layout.rows * well)


@dataclass(frozen=True, slots=True)
class WellGrid:
    """Places of the wells of a map in a widget.

    Attributes:
        layout: rows, columns and wells.
        margins: space around the wells.
        area: size of the widget.
        origin: top left corner of the first well.
        size: edge length of a well.
    """

    layout: MapLayout
    margins: Margins
    area: QSize
    origin: QPoint
    size: int

    @classmethod
    def fit(cls, layout: MapLayout, area: QSize, margins: Margins) -> "WellGrid":
        """Return a grid with the largest wells for which the map fits, centred in the area."""
        width = (area.width() - margins.left - 4) // layout.columns
        height = (area.height() - margins.top - margins.bottom) // layout.rows
        size = min(_LARGEST, max(SMALLEST, min(width, height)))
        left = (area.width() + margins.left - 4 - layout.columns * size) // 2
        spare = area.height() - margins.top - layout.rows * size - margins.bottom
        origin = QPoint(max(margins.left, left), margins.top + max(0, spare // 2))
        return cls(layout, margins, area, origin, size)

    def rect_of(self, place: Place) -> QRect:
        """Return the rectangle of a place: row and column, from 0."""
        row, column = place
        return QRect(self.origin.x() + column * self.size, self.origin.y() + row * self.size, self.size, self.size)

    def place_at(self, point: QPoint) -> Place:
        """Return the place at a point, which may be outside of the plate."""
        return (point.y() - self.origin.y()) // self.size, (point.x() - self.origin.x()) // self.size

    def wells_in(self, band: QRect) -> list[str]:
        """Return the wells that a rubber band covers at least in part, row by row."""
        inset = int(self.size * _TOUCHED)
        inner = (inset, inset, -inset, -inset)
        places = self.layout.places
        return [places[place] for place in sorted(places) if band.intersects(self.rect_of(place).adjusted(*inner))]

    def header_at(self, point: QPoint) -> tuple[Header, int] | None:
        """Return the label at a point, and its row or column from 0."""
        row, column = self.place_at(point)
        is_left = self.origin.x() - self.margins.left <= point.x() < self.origin.x()
        is_above = self.origin.y() - self.margins.top <= point.y() < self.origin.y()
        if is_left and is_above:
            return Header.CORNER, 0
        if is_left and row in range(self.layout.rows):
            return Header.ROW, row
        if is_above and column in range(self.layout.columns):
            return Header.COLUMN, column
        return None

    def legend(self) -> QRect:
        """Return the rectangle of the legend, below the wells."""
        height = self.margins.bottom
        top = min(self.area.height() - height, self.origin.y() + self.layout.rows * self.size)
        left = self.origin.x() if self.area.width() - self.origin.x() >= _WIDE_LEGEND else 4
        return QRect(left, top, self.area.width() - left - 4, height)
