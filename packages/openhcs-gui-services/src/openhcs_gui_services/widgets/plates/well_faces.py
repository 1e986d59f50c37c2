"""What a plate map draws into each of its wells: a state, a value or a picture. Made for one size and palette."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from PyQt6.QtCore import QPointF, QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPalette, QPen, QPixmap

from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_gui_services.widgets.common.colours import faint_text, well_colour
from openhcs_gui_services.widgets.plates.well_pixmaps import WellStamps, draw_cross, draw_stroke
from openhcs_gui_services.widgets.plates.well_states import WellLook, draw_state, look_of, state_fill
from openhcs_gui_services.widgets.plates.well_texts import state_word
from openhcs_gui_services.widgets.plates.well_values import (
    ValueLook,
    colour_of_level,
    draw_value,
    ink_on,
    number_text,
    value_look,
)
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["FaceSize", "ImageFace", "StateFace", "ValueFace", "WellFace"]

_WIDEST = "AF48"
_INNER = 0.78  # part of a well's width that text may take
_GROWS_FROM, _LARGEST_TEXT = 80, 1.7  # pixels of a well from which its text grows; by how much at most
_TWO_LINES = 3.3  # heights of a line that a well needs for a second one


@dataclass(frozen=True, slots=True)
class FaceSize:
    """The size in which wells are drawn.

    Attributes:
        size: edge length of a well in device-independent pixels.
        ratio: device pixels per device-independent pixel.
        palette: colours of the window.
        font: font of text in wells.
    """

    size: int
    ratio: float
    palette: QPalette
    font: QFont

    @property
    def has_text(self) -> bool:
        """Whether names fit into wells."""
        metrics = QFontMetrics(self.font)
        return self.fits(_WIDEST) and self.size >= 2.4 * metrics.height()

    def fits(self, text: str) -> bool:
        """Return whether a text fits into the width of a well."""
        return QFontMetrics(self.font).horizontalAdvance(text) <= self.size * _INNER

    @property
    def has_two_lines(self) -> bool:
        """Whether a second line fits below the name."""
        return self.has_text and self.size >= _TWO_LINES * QFontMetrics(self.font).height()

    @property
    def text_font(self) -> QFont:
        """The font of text in wells, which grows with them."""
        font = QFont(self.font)
        font.setPointSizeF(font.pointSizeF() * min(_LARGEST_TEXT, max(1.0, self.size / _GROWS_FROM)))
        return font

    def draw_text(self, painter: QPainter, rect: QRect, lines: tuple[str, str], colour: QColor) -> None:
        """Write the name of a well, and below it a second line if it fits."""
        plain = self.text_font
        height = QFontMetrics(plain).height()
        second = lines[1] if self.has_two_lines and self.fits(lines[1]) else ""
        middle = rect.top() + rect.height() * 0.56
        top = middle - (height if second else height / 2)
        painter.setPen(colour)
        bold = QFont(plain)
        bold.setBold(True)
        painter.setFont(bold)
        place = QRectF(rect.left(), top, rect.width(), height)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, lines[0])
        if second:
            painter.setFont(plain)
            painter.drawText(place.translated(0, height), Qt.AlignmentFlag.AlignCenter, second)


class WellFace(Protocol):
    """Draws the wells of a map."""

    def draw(self, painter: QPainter, rect: QRect, well: AxisProgress) -> None:
        """Draw a well over what was drawn before."""

    def look(self, well: AxisProgress) -> object:
        """Return all that is visible of a well; it is drawn again when this has changed."""


class StateFace:
    """Discs in the colours of states."""

    def __init__(self, size: FaceSize) -> None:
        self._size = size
        self._stamps = WellStamps[WellLook](size.size, size.ratio, self._draw_stamp)

    def look(self, well: AxisProgress) -> object:
        """Return state and fill level, and what is written."""
        return look_of(well), self._second(well) if self._size.has_two_lines else ""

    def draw(self, painter: QPainter, rect: QRect, well: AxisProgress) -> None:
        """Copy the stamp of the state, and write the name on it."""
        look = look_of(well)
        _put(painter, rect, self._stamps.of(look))
        if self._size.has_text:
            ink = ink_on(state_fill(look, self._size.palette))
            self._size.draw_text(painter, rect, (well.axis_id, self._second(well)), ink)

    def _draw_stamp(self, painter: QPainter, square: QRectF, look: WellLook) -> None:
        draw_state(painter, square, look, self._size.palette, has_text=self._size.has_text)

    @staticmethod
    def _second(well: AxisProgress) -> str:
        return f"{int(well.percent)} %" if well.state is AxisState.RUNNING else state_word(well.state)


class ValueFace:
    """Squares in the colours of values."""

    def __init__(self, size: FaceSize, values: WellColours) -> None:
        self._size, self._values = size, values
        self._stamps = WellStamps[ValueLook](size.size, size.ratio, self._draw_stamp)

    def look(self, well: AxisProgress) -> object:
        """Return the place in the scale and the marks."""
        return value_look(well.axis_id, self._values, well.state)

    def draw(self, painter: QPainter, rect: QRect, well: AxisProgress) -> None:
        """Copy the stamp of the value, and write name and value on it."""
        look = value_look(well.axis_id, self._values, well.state)
        _put(painter, rect, self._stamps.of(look))
        if self._size.has_text:
            text = QPalette.ColorRole.WindowText
            ink = self._size.palette.color(text) if look.level is None else ink_on(colour_of_level(look.level))
            self._size.draw_text(painter, rect, (well.axis_id, self._second(well.axis_id)), ink)

    def _second(self, axis_id: str) -> str:
        value = self._values.values.get(axis_id)
        return "" if value is None or math.isnan(value) else number_text(value)

    def _draw_stamp(self, painter: QPainter, square: QRectF, look: ValueLook) -> None:
        draw_value(painter, square, look, self._size.palette, has_text=self._size.has_text)


class ImageFace:
    """Small pictures of wells, with the signs of their states in a corner.

    Args:
        size: the size to draw in.
        images: the pictures by well, which may be added to; :meth:`forget` is called when one has changed.
    """

    def __init__(self, size: FaceSize, images: Mapping[str, QImage]) -> None:
        self._size, self._images = size, images
        self._scaled: dict[str, QPixmap] = {}
        self._signs = WellStamps[WellLook](max(7, min(20, size.size // 3)), size.ratio, self._draw_sign)

    def forget(self, axis_id: str) -> None:
        """Use the new picture of a well."""
        self._scaled.pop(axis_id, None)

    def look(self, well: AxisProgress) -> object:
        """Return the sign; a new picture is drawn in any case."""
        return look_of(well)

    def draw(self, painter: QPainter, rect: QRect, well: AxisProgress) -> None:
        """Draw the picture, or an empty frame, with the sign of the state."""
        margin = max(1, self._size.size // 24)
        inner = rect.adjusted(margin, margin, -margin, -margin)
        mode = painter.compositionMode()
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Clear)
        painter.fillRect(rect, Qt.GlobalColor.transparent)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        image = self._images.get(well.axis_id)
        if image is None or image.isNull():
            painter.setPen(QPen(faint_text(self._size.palette), 1))
            painter.drawRect(inner.adjusted(0, 0, -1, -1))
        else:
            picture = self._scaled.get(well.axis_id) or self._scale(well.axis_id, image, inner)
            size = picture.deviceIndependentSize()
            left, top = (inner.width() - size.width()) / 2, (inner.height() - size.height()) / 2
            painter.drawPixmap(QPointF(inner.left() + left, inner.top() + top), picture)
        if image is None or image.isNull() or well.state not in (AxisState.WAITING, AxisState.COMPLETE):
            sign = self._signs.of(look_of(well))
            painter.drawPixmap(QPointF(inner.right() - self._signs.size, inner.top() + 1), sign)
        painter.setCompositionMode(mode)

    def _scale(self, axis_id: str, image: QImage, inner: QRect) -> QPixmap:
        smooth = Qt.TransformationMode.SmoothTransformation
        scaled = image.scaled(inner.size() * self._size.ratio, Qt.AspectRatioMode.KeepAspectRatio, smooth)
        made = self._scaled[axis_id] = QPixmap.fromImage(scaled)
        made.setDevicePixelRatio(self._size.ratio)
        return made

    def _draw_sign(self, painter: QPainter, square: QRectF, look: WellLook) -> None:
        """A small disc; the strokes are thicker than on a well of this size."""
        palette = self._size.palette
        if look.state in (AxisState.FAILED, AxisState.CANCELLED):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(well_colour(look.state, palette))
            painter.drawEllipse(square)
            inset = square.width() * 0.28
            draw = draw_cross if look.state is AxisState.FAILED else draw_stroke
            draw(painter, square.adjusted(inset, inset, -inset, -inset), QColor(Qt.GlobalColor.white))
        else:
            draw_state(painter, square, look, palette, has_text=False)


def _put(painter: QPainter, rect: QRect, stamp: QPixmap) -> None:
    """Copy a stamp, in place of what was drawn before."""
    mode = painter.compositionMode()
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    painter.drawPixmap(rect.topLeft(), stamp)
    painter.setCompositionMode(mode)
