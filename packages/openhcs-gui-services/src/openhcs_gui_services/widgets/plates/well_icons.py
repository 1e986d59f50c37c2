"""The icons of the looks of a plate map."""

from collections.abc import Callable
from types import MappingProxyType

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPalette, QPen, QPixmap

from openhcs_gui_services.widgets.plates.map_look import MapLook

__all__ = ["look_icon"]

_SIZES, _RATIOS, _GRID = (16, 24, 32), (1.0, 2.0), 16.0
_SCALE = (QColor(65, 68, 135), QColor(33, 145, 140), QColor(122, 209, 81), QColor(253, 231, 37))


def look_icon(look: MapLook, palette: QPalette) -> QIcon:
    """Return an icon in the colours of this palette; call again when the palette changes."""
    made = QIcon()
    for state, role in (
        (QIcon.State.Off, QPalette.ColorRole.ButtonText),
        (QIcon.State.On, QPalette.ColorRole.HighlightedText),
    ):
        for size in _SIZES:
            for ratio in _RATIOS:
                made.addPixmap(_pixmap(look, size, ratio, palette.color(role)), QIcon.Mode.Normal, state)
    return made


def _pixmap(look: MapLook, size: int, ratio: float, colour: QColor) -> QPixmap:
    pixmap = QPixmap(QSize(size, size) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / _GRID, size / _GRID)
    _DRAWINGS[look](painter, colour)
    painter.end()
    return pixmap


def _draw_states(painter: QPainter, colour: QColor) -> None:
    """Four wells, one of them full, one half."""
    painter.setPen(QPen(colour, 1.2))
    for number, (x, y) in enumerate(((1, 1), (9, 1), (1, 9), (9, 9))):
        rect = QRectF(x, y, 6, 6)
        painter.setBrush(colour if number in (0, 3) else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(rect)


def _draw_values(painter: QPainter, colour: QColor) -> None:
    """Four squares of the scale."""
    painter.setPen(QPen(colour, 0.8))
    for fill, (x, y) in zip(_SCALE, ((1, 1), (9, 1), (1, 9), (9, 9)), strict=True):
        painter.setBrush(fill)
        painter.drawRect(QRectF(x, y, 6, 6))


def _draw_images(painter: QPainter, colour: QColor) -> None:
    """A picture with cells."""
    painter.setPen(QPen(colour, 1.3))
    painter.drawRect(QRectF(1.5, 2.5, 13, 11))
    painter.setBrush(colour)
    painter.setPen(Qt.PenStyle.NoPen)
    for x, y, radius in ((5, 6, 1.8), (10.5, 7.5, 2.2), (6.5, 10.8, 1.5)):
        painter.drawEllipse(QPointF(x, y), radius, radius)


_DRAWINGS = MappingProxyType[MapLook, Callable[[QPainter, QColor], None]](
    {MapLook.STATES: _draw_states, MapLook.VALUES: _draw_values, MapLook.IMAGES: _draw_images}
)
