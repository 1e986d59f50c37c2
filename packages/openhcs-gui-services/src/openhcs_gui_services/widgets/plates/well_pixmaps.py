"""Small pictures of wells: one for each look, drawn once and then copied."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

__all__ = ["ROUND_FROM", "WellStamps", "draw_cross", "draw_hatching", "draw_plus", "draw_stroke", "draw_warning"]

_WARNING = QColor(0xFF, 0xC1, 0x07)

ROUND_FROM = 11
"""Pixels from which a well is drawn as a circle; a smaller one is only a blot."""

Look = TypeVar("Look", bound=Hashable)


class WellStamps(Generic[Look]):
    """Pictures of wells in one size, by look.

    Args:
        size: edge length in device-independent pixels.
        ratio: device pixels per device-independent pixel.
        draw: draws a look into a square.
    """

    def __init__(self, size: int, ratio: float, draw: Callable[[QPainter, QRectF, Look], None]) -> None:
        self.size = size
        self._ratio = ratio
        self._draw = draw
        self._made: dict[Look, QPixmap] = {}

    def of(self, look: Look) -> QPixmap:
        """Return the picture of this look."""
        stamp = self._made.get(look)
        if stamp is None:
            stamp = self._made[look] = self._make(look)
        return stamp

    def _make(self, look: Look) -> QPixmap:
        side = max(1, round(self.size * self._ratio))
        stamp = QPixmap(side, side)
        stamp.setDevicePixelRatio(self._ratio)
        stamp.fill(Qt.GlobalColor.transparent)
        painter = QPainter(stamp)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, self.size >= ROUND_FROM)
        self._draw(painter, QRectF(0, 0, self.size, self.size), look)
        painter.end()
        return stamp


def draw_cross(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """Draw the sign of a failed well."""
    painter.setPen(_sign_pen(rect, colour))
    painter.drawLine(QLineF(rect.topLeft(), rect.bottomRight()))
    painter.drawLine(QLineF(rect.topRight(), rect.bottomLeft()))


def draw_warning(painter: QPainter, at: QPointF, size: float) -> None:
    """Draw a triangle with an exclamation mark, such as on the picture of a well that lacks a channel."""
    right, bottom = at.x() + size, at.y() + size
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(Qt.GlobalColor.black, 1))
    painter.setBrush(_WARNING)
    painter.drawPolygon(
        QPolygonF([QPointF(at.x() + size / 2, at.y()), QPointF(right, bottom), QPointF(at.x(), bottom)])
    )
    middle, thick = at.x() + size / 2, max(1.0, size / 8)
    painter.setPen(QPen(Qt.GlobalColor.black, thick))
    painter.drawLine(QPointF(middle, at.y() + size * 0.4), QPointF(middle, at.y() + size * 0.66))
    painter.drawPoint(QPointF(middle, at.y() + size * 0.85))
    painter.restore()


def draw_stroke(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """Draw a horizontal stroke: a minus, or the sign of a cancelled well."""
    painter.setPen(_sign_pen(rect, colour))
    middle = rect.center().y()
    painter.drawLine(QLineF(rect.left(), middle, rect.right(), middle))


def draw_plus(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """Draw a plus."""
    draw_stroke(painter, rect, colour)
    middle = rect.center().x()
    painter.drawLine(QLineF(QPointF(middle, rect.top()), QPointF(middle, rect.bottom())))


def draw_hatching(painter: QPainter, shape: QPainterPath, colour: QColor) -> None:
    """Hatch a shape that has no value."""
    painter.fillPath(shape, QBrush(colour, Qt.BrushStyle.BDiagPattern))
    painter.strokePath(shape, QPen(colour, 1.0))


def _sign_pen(rect: QRectF, colour: QColor) -> QPen:
    return QPen(colour, max(1.0, rect.width() / 5))
