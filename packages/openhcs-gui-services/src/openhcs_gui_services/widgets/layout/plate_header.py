"""The letters of rows and the numbers of columns at the edges of the grid of wells."""

from PyQt6.QtCore import QModelIndex, QRect, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPalette
from PyQt6.QtWidgets import QHeaderView, QWidget

__all__ = ["PlateHeader"]

_SMALLEST = 7
_STEPS = (1, 2, 4, 8)


class PlateHeader(QHeaderView):
    """A header that shares the room among rows or columns, and leaves labels out that would not fit."""

    def __init__(self, orientation: Qt.Orientation, parent: QWidget) -> None:
        super().__init__(orientation, parent)
        self.setMinimumSectionSize(_SMALLEST)
        self.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.setSectionsClickable(True)
        self.setHighlightSections(True)

    def sizeHint(self) -> QSize:
        """Return room for two letters or digits."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance("AF") + 8, metrics.height() + 4)

    def paintSection(self, painter: QPainter | None, rect: QRect, logicalIndex: int) -> None:
        """Draw the label of a row or column, if there is room for it."""
        model = self.model()
        if painter is None or model is None or not rect.isValid():
            return
        across = self.orientation() is Qt.Orientation.Horizontal
        metrics = self.fontMetrics()
        need = metrics.horizontalAdvance("48") + 4 if across else metrics.height()
        room = rect.width() if across else rect.height()
        every = next((step for step in _STEPS if step * room >= need), _STEPS[-1])
        painter.save()
        if self._is_selected(logicalIndex, across):
            mark = QColor(self.palette().color(QPalette.ColorRole.Highlight))
            mark.setAlpha(70)
            painter.fillRect(rect, mark)
        if logicalIndex % every == 0:
            label = str(model.headerData(logicalIndex, self.orientation()))
            painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
            painter.setClipping(False)
            painter.drawText(rect.adjusted(-20, 0, 20, 0) if across else rect, Qt.AlignmentFlag.AlignCenter, label)
        painter.restore()

    def _is_selected(self, section: int, across: bool) -> bool:
        selection = self.selectionModel()
        if selection is None:
            return False
        nothing = QModelIndex()
        if across:
            return selection.columnIntersectsSelection(section, nothing)
        return selection.rowIntersectsSelection(section, nothing)
