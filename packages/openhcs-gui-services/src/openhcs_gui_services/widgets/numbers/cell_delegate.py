"""Draws the cells of a large table: one call for each cell, where Qt's own delegate asks the model eight times."""

from PyQt6.QtCore import QModelIndex, Qt
from PyQt6.QtGui import QPainter, QPalette
from PyQt6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from openhcs_gui_services.widgets.numbers.table_model import MappedTableModel

__all__ = ["CellDelegate"]

_MARGIN = 6
_NUMBER = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_TEXT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_SELECTED = QStyle.StateFlag.State_Selected.value
_FOCUSED = QStyle.StateFlag.State_HasFocus.value


class CellDelegate(QStyledItemDelegate):
    """Draws the texts of a model.

    Args:
        model: the model of the view.
        parent: the view.
    """

    def __init__(self, model: MappedTableModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw a cell; the view has drawn the colour of its row."""
        if painter is None:
            return
        column = index.column()
        text = self._model.text(index.row(), column)
        rect, palette, state = option.rect, option.palette, option.state.value  # flags are slow to combine
        role = QPalette.ColorRole.Text
        if state & _SELECTED:
            painter.fillRect(rect, palette.highlight())
            role = QPalette.ColorRole.HighlightedText
        width = rect.width() - 2 * _MARGIN
        if len(text) * option.fontMetrics.averageCharWidth() > width:
            text = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, width)
        painter.setPen(palette.color(role))
        painter.drawText(
            rect.adjusted(_MARGIN, 0, -_MARGIN, 0), _NUMBER if self._model.is_numeric(column) else _TEXT, text
        )
        if state & _FOCUSED:
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
