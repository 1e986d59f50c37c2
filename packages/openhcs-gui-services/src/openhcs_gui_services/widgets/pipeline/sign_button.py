"""Small buttons with a drawn sign, which follows the palette and needs no font that has it."""

import enum
from collections.abc import Sequence
from typing import Final

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QAction, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PyQt6.QtWidgets import QToolButton, QWidget

__all__ = ["Sign", "SignButton"]

_GRID: Final = 16.0


class Sign(enum.Enum):
    """The signs."""

    UP = "up"
    DOWN = "down"
    COPY = "copy"
    REMOVE = "remove"
    HELP = "help"
    UNDO = "undo"
    REDO = "redo"


_LINES: Final[dict[Sign, Sequence[Sequence[tuple[float, float]]]]] = {
    Sign.UP: (((8, 13), (8, 3)), ((4, 7), (8, 3), (12, 7))),
    Sign.DOWN: (((8, 3), (8, 13)), ((4, 9), (8, 13), (12, 9))),
    Sign.COPY: (((3, 10), (3, 3), (10, 3)), ((6, 6), (13, 6), (13, 13), (6, 13), (6, 6))),
    Sign.REMOVE: (((4, 4), (12, 12)), ((12, 4), (4, 12))),
    Sign.UNDO: (((6, 3), (3, 6), (6, 9)),),
    Sign.REDO: (((10, 3), (13, 6), (10, 9)),),
}


class SignButton(QToolButton):
    """A flat button with a sign.

    Args:
        sign: the sign.
        tip: what it does, which is also its name for screen readers.
        action: the action that it triggers and is enabled with [default: none].
        parent: the parent widget.
    """

    def __init__(self, sign: Sign, tip: str, action: QAction | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sign = sign
        self.setToolTip(tip)
        self.setAccessibleName(tip.partition(" (")[0])
        self.setAutoRaise(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if action is not None:
            self.setEnabled(action.isEnabled())
            action.changed.connect(lambda: self.setEnabled(action.isEnabled()))
            self.clicked.connect(action.trigger)

    def sizeHint(self) -> QSize:
        """Return a square a little higher than a line of text."""
        side = self.fontMetrics().height() + 10
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the button and its sign."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        group = QPalette.ColorGroup.Active if self.isEnabled() else QPalette.ColorGroup.Disabled
        colour = self.palette().color(group, QPalette.ColorRole.ButtonText)
        painter.setPen(QPen(colour, 1.5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        side = min(self.width(), self.height()) - 10
        painter.translate((self.width() - side) / 2, (self.height() - side) / 2)
        if self._sign is Sign.HELP:
            painter.drawText(QRectF(0, 0, side, side), Qt.AlignmentFlag.AlignCenter, "?")
            return
        painter.scale(side / _GRID, side / _GRID)
        for points in _LINES[self._sign]:
            painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in points]))
        if self._sign is Sign.UNDO:
            painter.drawLine(QPointF(3, 6), QPointF(9.5, 6))
            painter.drawArc(QRectF(6, 6, 7, 7), 90 * 16, -180 * 16)
        elif self._sign is Sign.REDO:
            painter.drawLine(QPointF(13, 6), QPointF(6.5, 6))
            painter.drawArc(QRectF(3, 6, 7, 7), 90 * 16, 180 * 16)
