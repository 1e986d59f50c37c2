"""Draws a function in a list: title, group and what it does."""

from typing import Final

from PyQt6.QtCore import QModelIndex, QRect, QSize, Qt
from PyQt6.QtGui import QFont, QFontMetrics, QPainter
from PyQt6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from openhcs_gui_services.services.pipeline.docstrings import plain
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo
from openhcs_gui_services.widgets.pipeline.row_drawing import draw_background, text_colours

__all__ = ["FunctionDelegate"]

_PAD: Final = 6
_LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class FunctionDelegate(QStyledItemDelegate):
    """Draws the :class:`FunctionInfo` of each item in two lines."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Return two lines of text with some space."""
        return QSize(0, 2 * option.fontMetrics.height() + 2 * _PAD)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw a function."""
        info = index.data(Qt.ItemDataRole.UserRole)
        if painter is None or not isinstance(info, FunctionInfo):
            return
        painter.save()
        draw_background(painter, option)
        text, faint = text_colours(option)
        height = option.fontMetrics.height()
        first = QRect(option.rect.left() + _PAD, option.rect.top() + _PAD - 1, option.rect.width() - 2 * _PAD, height)
        bold = QFont(option.font)
        bold.setBold(True)
        painter.setPen(text)
        painter.setFont(bold)
        painter.drawText(first, _LEFT, info.title)
        used = QFontMetrics(bold).horizontalAdvance(info.title) + 2 * _PAD
        painter.setFont(option.font)
        painter.setPen(faint)
        elide = Qt.TextElideMode.ElideRight
        group = first.adjusted(used, 0, 0, 0)
        painter.drawText(group, _RIGHT, option.fontMetrics.elidedText(info.group, elide, max(0, group.width())))
        second = first.translated(0, height + 1)
        painter.drawText(second, _LEFT, option.fontMetrics.elidedText(plain(info.summary), elide, second.width()))
        painter.restore()
