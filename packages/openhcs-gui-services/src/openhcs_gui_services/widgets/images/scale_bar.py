"""A scale bar of a round length."""

import math

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QPainter

__all__ = ["bar_length", "draw_scale_bar"]

_SHARE, _HEIGHT, _SPACE = 0.25, 4.0, 8.0
_STEPS = (1, 2, 5)
_THOUSAND = 1000


def bar_length(most: float) -> float:
    """Return the longest length of the form 1, 2 or 5 times a power of ten that is at most ``most``."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in _STEPS if step * power <= most * (1 + 1e-9))


def draw_scale_bar(painter: QPainter, view: QRectF, um_per_pixel: float | None, font: QFont) -> None:
    """Draw a bar in the lower right corner of a view, or the words that the size of a pixel is not known.

    Args:
        painter: draws on the view.
        view: the rectangle of the view.
        um_per_pixel: micrometres for one pixel of the view; None if it is not known.
        font: font of the text.
    """
    painter.setFont(font)
    length = None if um_per_pixel is None else bar_length(view.width() * _SHARE * um_per_pixel)
    text = "pixel size unknown" if length is None else length_text(length)
    words = painter.fontMetrics().boundingRect(text)
    bar = 0.0 if length is None or um_per_pixel is None else length / um_per_pixel
    width, height = max(bar, words.width() + 2.0), words.height() + (_HEIGHT + 2 if bar else 0.0)
    box = QRectF(view.right() - width - 3 * _SPACE, view.bottom() - height - 3 * _SPACE, 0, 0)
    box.setSize(QRectF(0, 0, width + 2 * _SPACE, height + 1.5 * _SPACE).size())
    painter.fillRect(box, QColor(0, 0, 0, 150))
    painter.setPen(Qt.GlobalColor.white)
    inner = box.adjusted(_SPACE, _SPACE / 2, -_SPACE, -_SPACE)
    painter.drawText(inner, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, text)
    if bar:
        start = QPointF(inner.center().x() - bar / 2, inner.bottom() - _HEIGHT + _SPACE / 2)
        painter.fillRect(QRectF(start.x(), start.y(), bar, _HEIGHT), Qt.GlobalColor.white)


def length_text(um: float) -> str:
    """Return a length with its unit."""
    if um >= _THOUSAND:
        return f"{um / _THOUSAND:g} mm"
    return f"{um:g} \u00b5m" if um >= 1 else f"{um * _THOUSAND:g} nm"
