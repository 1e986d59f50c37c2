"""Pictures of wells in the layout editor, drawn once for wells that look the same."""

from dataclasses import dataclass

from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QBrush, QColor, QFont, QFontMetrics, QPainter, QPalette, QPen, QPixmap

from openhcs_gui_services.widgets.common.colours import blend
from openhcs_gui_services.widgets.layout.value_colours import text_colour

__all__ = ["LayoutStamps", "WellFace"]

_MARGIN = 4
_SMALL = 14
"""Wells below this many pixels have no text, and a thin frame when they are selected."""
_SCALES = (1.0, 0.85, 0.7)
_MOST = 6000
_NO_COLOUR = -1


@dataclass(frozen=True, slots=True)
class WellFace:
    """How a well looks: its value, its colour as RGB (-1 for none), and whether it has images."""

    text: str = ""
    rgb: int = _NO_COLOUR
    has_images: bool = True


class LayoutStamps:
    """Keeps the pictures for one palette, font and screen, at most 6,000."""

    def __init__(self) -> None:
        self._pictures: dict[tuple[WellFace, int, int], QPixmap] = {}
        self._frames: dict[tuple[int, int], QPixmap] = {}
        self._fitted: dict[tuple[str, int, int], tuple[str, QFont] | None] = {}
        self._for: tuple[object, ...] = ()
        self._palette, self._font, self._ratio = QPalette(), QFont(), 1.0

    def set_style(self, palette: QPalette, font: QFont, ratio: float) -> None:
        """Draw for this palette, font and number of pixels per unit."""
        style = (palette.cacheKey(), font.key(), ratio)
        if style != self._for:
            self._for = style
            self._palette, self._font, self._ratio = QPalette(palette), QFont(font), ratio
            self._pictures.clear()
            self._frames.clear()
            self._fitted.clear()

    def picture(self, face: WellFace, width: int, height: int) -> QPixmap:
        """Return the picture of a well of this size."""
        if min(width, height) < _SMALL and face.text:
            face = WellFace("", face.rgb, face.has_images)
        key = face, width, height
        found = self._pictures.get(key)
        if found is None:
            if len(self._pictures) >= _MOST:
                self._pictures.clear()
            found = self._pictures[key] = self._draw(face, width, height)
        return found

    def frame(self, width: int, height: int) -> QPixmap:
        """Return the frame of a selected well of this size, which is drawn over its picture."""
        found = self._frames.get((width, height))
        if found is None:
            if len(self._frames) >= _MOST:
                self._frames.clear()
            found, painter = self._begin(width, height)
            self._draw_frame(painter, _cell(width, height)[0])
            painter.end()
            self._frames[width, height] = found
        return found

    def _begin(self, width: int, height: int) -> tuple[QPixmap, QPainter]:
        picture = QPixmap(round(width * self._ratio), round(height * self._ratio))
        picture.setDevicePixelRatio(self._ratio)
        picture.fill(Qt.GlobalColor.transparent)
        return picture, QPainter(picture)

    def _draw(self, face: WellFace, width: int, height: int) -> QPixmap:
        picture, painter = self._begin(width, height)
        base, ink = (self._palette.color(role) for role in (QPalette.ColorRole.Base, QPalette.ColorRole.Text))
        cell, gap = _cell(width, height)
        colour = blend(ink, base, 0.06) if face.rgb == _NO_COLOUR else QColor.fromRgb(face.rgb)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, gap > 0)
        painter.setPen(QPen(blend(ink, base, 0.25), 1) if gap else Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(cell, 3 * gap, 3 * gap)
        if not face.has_images:
            painter.setBrush(QBrush(blend(ink, base, 0.35), Qt.BrushStyle.BDiagPattern))
            painter.drawRoundedRect(cell, 3 * gap, 3 * gap)
        painter.setPen(ink if face.rgb == _NO_COLOUR else text_colour(colour))
        self._draw_text(painter, face.text, QSize(width, height))
        painter.end()
        return picture

    def _draw_text(self, painter: QPainter, text: str, size: QSize) -> None:
        room = QSize(size.width() - 2 * _MARGIN, size.height())
        key = text, room.width(), room.height()
        if text and key not in self._fitted:
            if len(self._fitted) >= _MOST:
                self._fitted.clear()
            self._fitted[key] = _fitting(text, self._font, room)
        fitted = self._fitted[key] if text else None
        if fitted is not None:
            painter.setFont(fitted[1])
            painter.drawText(QRectF(0, 0, size.width(), size.height()), Qt.AlignmentFlag.AlignCenter, fitted[0])

    def _draw_frame(self, painter: QPainter, cell: QRectF) -> None:
        """Frame a selected well, in two colours so that the frame shows on any value."""
        highlight, base = (
            self._palette.color(role) for role in (QPalette.ColorRole.Highlight, QPalette.ColorRole.Base)
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if cell.width() < _SMALL:
            painter.setPen(QPen(highlight, 1.5))
            painter.drawRect(cell.adjusted(0.5, 0.5, -0.5, -0.5))
            return
        for colour, width in ((base, 4.5), (highlight, 3.0)):
            painter.setPen(QPen(colour, width))
            painter.drawRect(cell.adjusted(1.5, 1.5, -1.5, -1.5))


def _cell(width: int, height: int) -> tuple[QRectF, float]:
    """Return the rectangle of a well in its picture, and the gap around it."""
    gap = 1.0 if min(width, height) > _SMALL - 4 else 0.0
    return QRectF(0, 0, width, height).adjusted(gap, gap, -gap, -gap), gap


def _fitting(text: str, font: QFont, room: QSize) -> tuple[str, QFont] | None:
    """Return a text that fits into a well, and its font; None if nothing does.

    A number is rounded to two digits at least, never cut off, which would make it another number.
    """
    for shown in _shorter(text):
        for scale in _SCALES:
            smaller = QFont(font)
            smaller.setPointSizeF(font.pointSizeF() * scale)
            metrics = QFontMetrics(smaller)
            if metrics.horizontalAdvance(shown) <= room.width() and metrics.height() <= room.height() + 4:
                return shown, smaller
    return None


def _shorter(text: str) -> list[str]:
    try:
        number = float(text)
    except ValueError:
        return [text, *(f"{text[:length]}…" for length in (12, 8, 6, 5, 4, 3) if length < len(text) - 1), text[:2]]
    return list(dict.fromkeys([text, f"{number:.3g}", f"{number:.2g}"]))
