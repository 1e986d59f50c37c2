"""Selects wells of a plate map with the mouse: clicks, rubber band, rows, columns and the corner."""

from PyQt6.QtCore import QPoint, QRect, QSize, Qt
from PyQt6.QtWidgets import QApplication, QRubberBand, QWidget

from openhcs_gui_services.widgets.plates.well_grid import Header, WellGrid
from openhcs_gui_services.widgets.plates.well_selection import WellSelection

__all__ = ["BandSelect"]

_CTRL, _SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class BandSelect:
    """Changes a selection as the mouse is pressed, moved and released over a map."""

    def __init__(self, owner: QWidget, selection: WellSelection) -> None:
        self._selection = selection
        self._band = QRubberBand(QRubberBand.Shape.Rectangle, owner)
        self._start: QPoint | None = None
        self._kept: tuple[str, ...] = ()
        self._clears = False

    def press(self, grid: WellGrid, point: QPoint, keys: Qt.KeyboardModifier) -> None:
        """Select what was pressed: a well, a row, a column or all; a drag may follow on wells and empty ground."""
        header = grid.header_at(point)
        if header is not None:
            self._press_header(*header, adds=bool(keys & _CTRL))
            return
        name = grid.layout.places.get(grid.place_at(point))
        self._start, self._clears = point, name is None and not keys & (_CTRL | _SHIFT)
        self._kept = self._selection.wells if keys & _CTRL else ()
        if name is None:
            return
        if keys & _SHIFT:
            self._selection.extend_to(name, keep=self._kept)
        elif keys & _CTRL:
            self._selection.toggle(name)
        else:
            self._selection.only(name)

    def press_for_menu(self, name: str) -> None:
        """Make the well under the pointer the current one; other selected wells stay selected if it is one of them."""
        if name in self._selection:
            self._selection.move_to(name)
        else:
            self._selection.only(name)

    def move(self, grid: WellGrid, point: QPoint) -> bool:
        """Draw the rubber band, and select the wells in it; return whether there is one."""
        if self._start is None:
            return False
        is_far = (point - self._start).manhattanLength() >= QApplication.startDragDistance()
        if not is_far and not self._band.isVisible():
            return False
        band = QRect(self._start, point).normalized()
        self._band.setGeometry(band if band.width() and band.height() else QRect(band.topLeft(), QSize(1, 1)))
        self._band.show()
        inside = grid.wells_in(band)
        self._selection.these([*self._kept, *(name for name in inside if name not in self._kept)])
        return True

    def release(self) -> None:
        """End a drag; a click on empty ground selects nothing."""
        if self._start is not None and self._clears and not self._band.isVisible():
            self._selection.only(None)
        self._band.hide()
        self._start = None

    def _press_header(self, header: Header, number: int, *, adds: bool) -> None:
        selection = self._selection
        match header:
            case Header.ROW:
                names = selection.row(number)
            case Header.COLUMN:
                names = selection.column(number)
            case Header.CORNER:
                names = selection.all()
        kept = selection.wells if adds else ()
        selection.these([*kept, *names], current=next(iter(names), None))
