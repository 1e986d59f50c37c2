"""The grid of wells: select with mouse and keyboard, type values."""

from collections.abc import Iterable

from PyQt6.QtCore import QPoint, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPalette, QPolygon
from PyQt6.QtWidgets import QAbstractItemView, QTableView, QWidget

from openhcs_gui_services.widgets.layout.model import LayoutModel
from openhcs_gui_services.widgets.layout.plate_header import PlateHeader
from openhcs_gui_services.widgets.layout.well_stamps import LayoutStamps
from openhcs_runtime.wells import well_position

__all__ = ["LayoutGrid"]

_CORNER = 7


class LayoutGrid(QTableView):
    """Shows a :class:`LayoutModel` as wells; all of the plate is visible at any size.

    Selection, keys and accessibility are those of a table; the wells are drawn in one pass, from pictures, as a
    delegate takes half a second for 1,536 of them.
    """

    typed = pyqtSignal(str)
    """Text was typed while wells were selected; "" for Return and F2."""
    cleared = pyqtSignal()
    """The values of the selected wells should be removed."""

    def __init__(self, model: LayoutModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wells = model
        self._stamps = LayoutStamps()
        self.setModel(model)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(True)
        self.setAccessibleName("Wells of the layout")
        self.setHorizontalHeader(PlateHeader(Qt.Orientation.Horizontal, self))
        self.setVerticalHeader(PlateHeader(Qt.Orientation.Vertical, self))

    def selected_wells(self) -> tuple[str, ...]:
        """Return the selected wells, row by row."""
        shape = self._wells.shape
        return tuple(shape.well(*place) for place in sorted(self._selected_places()))

    def select_wells(self, wells: Iterable[str]) -> None:
        """Select exactly these wells."""
        selection = self.selectionModel()
        assert selection is not None
        selection.clearSelection()
        for well in wells:
            selection.select(self._wells.index(*well_position(well)), selection.SelectionFlag.Select)

    def sizeHint(self) -> QSize:
        """Return a modest size: the wells fill what there is."""
        return QSize(380, 260)

    def minimumSizeHint(self) -> QSize:
        """Return the size at which 1,536 wells can still be seen."""
        return QSize(240, 150)

    # --- Qt event handlers ---------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Pass typed text on; Delete and Backspace clear, other keys move and select."""
        if event is None:
            return
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.cleared.emit()
        elif event.text().isprintable() and event.text().strip() and not _is_command(event):
            self.typed.emit(event.text())
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            self.typed.emit("")
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the wells."""
        view = self.viewport()
        if view is None or event is None:
            return
        shape, faces, chosen = self._wells.shape, self._wells.faces, self._selected_places()
        self._stamps.set_style(self.palette(), self.font(), self.devicePixelRatioF())
        columns = [(self.columnViewportPosition(each), self.columnWidth(each)) for each in range(shape.columns)]
        clip = event.rect()
        painter = QPainter(view)
        for row in range(shape.rows):
            top, height = self.rowViewportPosition(row), self.rowHeight(row)
            if top > clip.bottom() or top + height < clip.top():
                continue
            for column, (left, width) in enumerate(columns):
                painter.drawPixmap(left, top, self._stamps.picture(faces[row, column], width, height))
                if (row, column) in chosen:
                    painter.drawPixmap(left, top, self._stamps.frame(width, height))
        if self.hasFocus():
            self._draw_current(painter)
        painter.end()

    def _draw_current(self, painter: QPainter) -> None:
        """Mark the well that the keys move from, at its corner."""
        index = self.currentIndex()
        if index.isValid():
            corner = self.visualRect(index).topLeft()
            size = min(_CORNER, self.visualRect(index).width() // 2)
            painter.setPen(self.palette().color(QPalette.ColorRole.Base))
            painter.setBrush(QColor(self.palette().color(QPalette.ColorRole.Text)))
            painter.drawPolygon(QPolygon([corner, corner + QPoint(size, 0), corner + QPoint(0, size)]))

    def _selected_places(self) -> set[tuple[int, int]]:
        selection = self.selectionModel()
        if selection is None:
            return set()
        parts = selection.selection()
        return {
            (row, column)
            for part in (parts[number] for number in range(len(parts)))
            for row in range(part.top(), part.bottom() + 1)
            for column in range(part.left(), part.right() + 1)
        }


def _is_command(event: QKeyEvent) -> bool:
    held = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
    return bool(event.modifiers() & held)
