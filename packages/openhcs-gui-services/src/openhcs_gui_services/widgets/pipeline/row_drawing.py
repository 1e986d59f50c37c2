"""Backgrounds and text colours of rows that a delegate draws, readable in light and dark windows."""

from typing import Final

from PyQt6.QtCore import QRect
from PyQt6.QtGui import QColor, QPainter, QPalette
from PyQt6.QtWidgets import QStyle, QStyleOptionViewItem

from openhcs_gui_services.widgets.common.colours import blend

__all__ = ["draw_background", "text_colours"]

_FAINT: Final = 0.72
"""Share of the text colour in secondary text, whose contrast stays above 4.5."""
_STATE = QStyle.StateFlag


def draw_background(painter: QPainter, option: QStyleOptionViewItem) -> None:
    """Fill a row if it is selected or below the pointer, and draw a line below it."""
    palette, state = option.palette, option.state
    if state & _STATE.State_Selected:
        painter.fillRect(option.rect, palette.color(_group(option), QPalette.ColorRole.Highlight))
    elif state & _STATE.State_MouseOver:
        painter.fillRect(option.rect, blend(palette.text().color(), palette.base().color(), 0.06))
    line = blend(palette.text().color(), palette.base().color(), 0.12)
    painter.fillRect(QRect(option.rect.left(), option.rect.bottom(), option.rect.width(), 1), line)


def text_colours(option: QStyleOptionViewItem) -> tuple[QColor, QColor]:
    """Return the colours of titles and of secondary text."""
    palette, group, roles = option.palette, _group(option), QPalette.ColorRole
    if option.state & _STATE.State_Selected:
        text = palette.color(group, roles.HighlightedText)
        return text, text
    text = palette.color(group, roles.Text)
    return text, blend(text, palette.color(group, roles.Base), _FAINT)


def _group(option: QStyleOptionViewItem) -> QPalette.ColorGroup:
    if not option.state & _STATE.State_Enabled:
        return QPalette.ColorGroup.Disabled
    return QPalette.ColorGroup.Active if option.state & _STATE.State_Active else QPalette.ColorGroup.Inactive
