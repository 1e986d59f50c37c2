"""Small pictures of wells: one for each look, drawn once and then copied."""

from dataclasses import dataclass

from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPainterPath, QPalette, QPen, QPixmap

from openhcs_gui_services.widgets.common.colours import blend, well_colour
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["WellLook", "WellStamps", "look_of"]

_LEVELS = 12
_ROUND_FROM = 11  # pixels; a smaller circle is only a blot


@dataclass(frozen=True, slots=True)
class WellLook:
    """Everything visible of a well: its state, and its fill level while it is running."""

    state: AxisState
    level: int = 0


def look_of(well: AxisProgress) -> WellLook:
    """Return the look of a well; it does not change with progress too small to be visible."""
    if well.state is not AxisState.RUNNING:
        return WellLook(well.state)
    return WellLook(well.state, min(_LEVELS, max(0, int(well.percent * _LEVELS / 100))))


class WellStamps:
    """Pictures of wells in one size and one palette.

    Args:
        size: edge length in device-independent pixels.
        palette: colours.
        ratio: device pixels per device-independent pixel.
    """

    def __init__(self, size: int, palette: QPalette, ratio: float = 1.0) -> None:
        self.size = size
        self._palette = palette
        self._ratio = ratio
        self._made: dict[WellLook, QPixmap] = {}

    def of(self, look: WellLook) -> QPixmap:
        """Return the picture of this look."""
        stamp = self._made.get(look)
        if stamp is None:
            stamp = self._made[look] = self._draw(look)
        return stamp

    def _draw(self, look: WellLook) -> QPixmap:
        side = max(1, round(self.size * self._ratio))
        stamp = QPixmap(side, side)
        stamp.setDevicePixelRatio(self._ratio)
        stamp.fill(Qt.GlobalColor.transparent)
        painter = QPainter(stamp)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, self.size >= _ROUND_FROM)
        margin = max(0.5, self.size * 0.08)
        self._draw_well(painter, QRectF(margin, margin, self.size - 2 * margin, self.size - 2 * margin), look)
        painter.end()
        return stamp

    def _draw_well(self, painter: QPainter, rect: QRectF, look: WellLook) -> None:
        colour, base = well_colour(look.state, self._palette), self._palette.color(QPalette.ColorRole.Base)
        shape = QPainterPath()
        if self.size >= _ROUND_FROM:
            shape.addEllipse(rect)
        else:
            shape.addRect(rect)
        match look.state:
            case AxisState.COMPLETE:
                painter.fillPath(shape, colour)
            case AxisState.FAILED:
                painter.fillPath(shape, colour)
                _cross(painter, rect, QColor(Qt.GlobalColor.white))
            case AxisState.RUNNING:
                painter.fillPath(shape, blend(colour, base, 0.3))
                painter.save()
                filled = rect.adjusted(0, rect.height() * (1 - look.level / _LEVELS), 0, 0)
                painter.setClipRect(filled)
                painter.fillPath(shape, colour)
                painter.restore()
                painter.strokePath(shape, QPen(colour, max(1.0, self.size / 14)))
            case AxisState.CANCELLED:
                painter.strokePath(shape, QPen(colour, max(1.0, self.size / 14)))
                middle = rect.center().y()
                inset = rect.width() * 0.25
                painter.setPen(QPen(colour, max(1.0, self.size / 9)))
                painter.drawLine(QLineF(rect.left() + inset, middle, rect.right() - inset, middle))
            case AxisState.WAITING:
                painter.fillPath(shape, blend(colour, base, 0.25))
                painter.strokePath(shape, QPen(colour, 1.0))


def _cross(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    inset = rect.width() * 0.28
    inner = rect.adjusted(inset, inset, -inset, -inset)
    painter.setPen(QPen(colour, max(1.0, rect.width() / 9)))
    painter.drawLine(QLineF(QPointF(inner.left(), inner.top()), QPointF(inner.right(), inner.bottom())))
    painter.drawLine(QLineF(QPointF(inner.right(), inner.top()), QPointF(inner.left(), inner.bottom())))
