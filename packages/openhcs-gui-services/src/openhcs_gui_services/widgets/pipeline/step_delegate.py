"""Draws a row of the list of steps: number, check box, title, a sign for problems, and a summary below."""

from typing import Final

from PyQt6.QtCore import QAbstractItemModel, QEvent, QModelIndex, QPointF, QRect, QSize, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QMouseEvent, QPainter, QPen, QPolygonF
from PyQt6.QtWidgets import (
    QApplication,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionButton,
    QStyleOptionViewItem,
    QWidget,
)

from openhcs_gui_services.services.pipeline.text import StepKind
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.pipeline.row_drawing import draw_background, text_colours
from openhcs_gui_services.widgets.pipeline.step_rows import StepRow

__all__ = ["StepDelegate"]

_PAD: Final = 6
_PLATE: Final = "plate"


class StepDelegate(QStyledItemDelegate):
    """Draws :class:`StepRow` values, and edits their titles."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Return two lines of text with some space."""
        return QSize(0, 2 * option.fontMetrics.height() + 2 * _PAD + 2)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw a row."""
        row = index.data(Qt.ItemDataRole.UserRole)
        if painter is None or not isinstance(row, StepRow):
            return
        painter.save()
        draw_background(painter, option)
        text, faint = text_colours(option)
        title, summary = self._lines(option.rect, option.fontMetrics)
        left = self._draw_number(painter, option, row, faint)
        title.setLeft(left)
        summary.setLeft(left)
        if row.problems:
            self._draw_sign(
                painter, QRect(title.right() - title.height(), title.top(), title.height(), title.height()), option
            )
            title.setRight(title.right() - title.height() - _PAD)
        if row.step_kind is StepKind.PLATE:
            title.setRight(self._draw_badge(painter, title, _PLATE, option, text) - _PAD)
        bold = QFont(option.font)
        bold.setBold(True)
        painter.setFont(bold)
        painter.setPen(text if row.is_enabled else faint)
        shown = row.title if row.is_enabled else f"{row.title} (off)"
        middle = Qt.TextElideMode.ElideMiddle
        painter.drawText(title, _LEFT, QFontMetrics(bold).elidedText(shown, middle, title.width()))
        painter.setFont(option.font)
        painter.setPen(faint)
        below = row.problems[0] if row.problems else row.summary
        if row.problems:
            painter.setPen(text)
        painter.drawText(
            summary, _LEFT, option.fontMetrics.elidedText(below, Qt.TextElideMode.ElideRight, summary.width())
        )
        painter.restore()

    def createEditor(self, parent: QWidget | None, option: QStyleOptionViewItem, index: QModelIndex) -> QWidget | None:
        """Edit the title in a line."""
        line = QLineEdit(parent)
        line.setAccessibleName("Name of the step")
        return line

    def updateEditorGeometry(self, editor: QWidget | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Put the line where the title is."""
        if editor is not None:
            title, _ = self._lines(option.rect, option.fontMetrics)
            left = title.left() + self._number_width(option) + self._box_size() + 2 * _PAD
            editor.setGeometry(QRect(left, title.top() - 3, title.right() - left, title.height() + 6))

    def editorEvent(
        self, event: QEvent | None, model: QAbstractItemModel | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> bool:
        """Turn a step on or off by a click on its box."""
        is_click = isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonRelease
        state = index.data(Qt.ItemDataRole.CheckStateRole)
        if not is_click or model is None or state is None or not isinstance(event, QMouseEvent):
            return False
        box = self._box(option).adjusted(-4, -8, 4, 8)
        if not box.contains(event.position().toPoint()):
            return False
        is_on = Qt.CheckState(state) == Qt.CheckState.Checked
        return model.setData(
            index, Qt.CheckState.Unchecked if is_on else Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole
        )

    def _draw_number(self, painter: QPainter, option: QStyleOptionViewItem, row: StepRow, faint: QColor) -> int:
        """Draw number and box; return where the title begins."""
        title, _ = self._lines(option.rect, option.fontMetrics)
        width = self._number_width(option)
        painter.setPen(faint)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        number = QRect(title.left(), title.top(), width, title.height())
        if row.number:
            painter.drawText(number, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(row.number))
        if row.number and row.step_kind is not StepKind.PYTHON:
            box = QStyleOptionButton()
            box.rect = self._box(option)
            box.palette = option.palette
            box.state = QStyle.StateFlag.State_On if row.is_enabled else QStyle.StateFlag.State_Off
            if option.state & QStyle.StateFlag.State_Enabled:
                box.state |= QStyle.StateFlag.State_Enabled
            _style(option).drawPrimitive(QStyle.PrimitiveElement.PE_IndicatorCheckBox, box, painter)
            painter.drawRect(box.rect.adjusted(0, 0, -1, -1))  # some styles draw no frame on dark backgrounds
        return title.left() + width + self._box_size() + 3 * _PAD

    def _draw_sign(self, painter: QPainter, place: QRect, option: QStyleOptionViewItem) -> None:
        """Draw a triangle with an exclamation mark, which needs no colour to be seen."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.setPen(QPen(QColor(Qt.GlobalColor.white), 1.2) if is_selected else QPen(Qt.PenStyle.NoPen))
        painter.setBrush(tone_colour(Tone.BAD, option.palette))
        top, left, size = place.top() + 1.0, float(place.left()), place.height() - 2.0
        corners = [QPointF(left + size / 2, top), QPointF(left + size, top + size), QPointF(left, top + size)]
        painter.drawPolygon(QPolygonF(corners))
        painter.setPen(QColor(Qt.GlobalColor.white))
        small = QFont(option.font)
        small.setBold(True)
        small.setPixelSize(max(7, round(size * 0.68)))
        painter.setFont(small)
        painter.drawText(place.adjusted(0, 3, -2, 1), Qt.AlignmentFlag.AlignCenter, "!")

    def _draw_badge(
        self, painter: QPainter, title: QRect, text: str, option: QStyleOptionViewItem, colour: QColor
    ) -> int:
        """Draw words in a frame at the right; return their left edge."""
        width = option.fontMetrics.horizontalAdvance(text) + 2 * _PAD
        place = QRect(title.right() - width, title.top(), width, title.height())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(colour)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(place, 4, 4)
        painter.setFont(option.font)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
        return place.left()

    def _lines(self, rect: QRect, metrics: QFontMetrics) -> tuple[QRect, QRect]:
        height = metrics.height()
        top = QRect(rect.left() + _PAD, rect.top() + _PAD, rect.width() - 2 * _PAD, height)
        return top, top.translated(0, height + 2)

    def _number_width(self, option: QStyleOptionViewItem) -> int:
        return option.fontMetrics.horizontalAdvance("00")

    def _box_size(self) -> int:
        style = QApplication.style()
        return 16 if style is None else style.pixelMetric(QStyle.PixelMetric.PM_IndicatorWidth)

    def _box(self, option: QStyleOptionViewItem) -> QRect:
        title, _ = self._lines(option.rect, option.fontMetrics)
        size = self._box_size()
        left = title.left() + self._number_width(option) + _PAD
        return QRect(left, title.top() + (title.height() - size) // 2, size, size)


_LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def _style(option: QStyleOptionViewItem) -> QStyle:
    style = option.widget.style() if option.widget is not None else QApplication.style()
    assert style is not None
    return style
