"""What a plate map draws into each of its wells: a state, a value or a picture. Made for one size and palette."""

import math
from collections.abc import Hashable, Mapping
from typing import Protocol

from PyQt6.QtCore import QPointF, QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPalette, QPen, QPixmap

from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_gui_services.widgets.common.colours import faint_text, well_colour
from openhcs_gui_services.widgets.plates.well_pixmaps import WellStamps, draw_cross, draw_stroke, draw_warning
from openhcs_gui_services.widgets.plates.well_states import WellLook, draw_state, look_of, state_fill
from openhcs_gui_services.widgets.plates.well_texts import state_word
from openhcs_gui_services.widgets.plates.well_values import (
    ValueLook,
    colour_of_level,
    draw_value,
    ink_on,
    value_look,
)
from openhcs_runtime.tables.scale import short_number
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["FaceSize", "ImageFace", "StateFace", "ValueFace", "WellFace"]

_WIDEST = "AF48"
_INNER = 0.78  # part of a well's width that text may take
_GROWS_FROM, _LARGEST_TEXT = 80, 1.7  # pixels of a well from which its text grows; by how much at most
_NAME_GROUND = QColor(0, 0, 0, 150)
_ONE_LINE, _TWO_LINES = 2.4, 3.3  # heights of a line that a well needs for one and for two of them


class FaceSize:
    """The size in which wells are drawn, and the text that fits into them.

    Args:
        size: edge length of a well in device-independent pixels.
        ratio: device pixels per device-independent pixel.
        palette: colours of the window.
        font: font of labels; that of wells grows with them.
    """

    def __init__(self, size: int, ratio: float, palette: QPalette, font: QFont) -> None:
        self.size, self.ratio, self.palette = size, ratio, palette
        line = QFontMetrics(font).height()
        self._plain = QFont(font)
        self._plain.setPointSizeF(font.pointSizeF() * min(_LARGEST_TEXT, max(1.0, size / _GROWS_FROM)))
        self._bold = QFont(self._plain)
        self._bold.setBold(True)
        self._metrics = QFontMetrics(self._plain)
        self.has_text = self._fits(_WIDEST) and size >= _ONE_LINE * line
        """Whether names fit into wells."""
        self.has_two_lines = self.has_text and size >= _TWO_LINES * line
        """Whether a second line fits below the name."""

    def draw_text(self, painter: QPainter, rect: QRect, lines: tuple[str, str], colour: QColor) -> None:
        """Write the name of a well, and below it a second line if it fits."""
        height = self._metrics.height()
        second = lines[1] if self.has_two_lines and self._fits(lines[1]) else ""
        middle = rect.top() + rect.height() * 0.56
        top = middle - (height if second else height / 2)
        painter.setPen(colour)
        painter.setFont(self._bold)
        place = QRectF(rect.left(), top, rect.width(), height)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, lines[0])
        if second:
            painter.setFont(self._plain)
            painter.drawText(place.translated(0, height), Qt.AlignmentFlag.AlignCenter, second)

    def draw_name(self, painter: QPainter, rect: QRect, name: str) -> None:
        """Write the name of a well into its lower left corner, on a dark ground, as over a picture."""
        place = QRect(0, 0, self._metrics.horizontalAdvance(name) + 6, self._metrics.height())
        place.moveBottomLeft(rect.bottomLeft())
        painter.fillRect(place, _NAME_GROUND)
        painter.setPen(Qt.GlobalColor.white)
        painter.setFont(self._plain)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, name)

    def _fits(self, text: str) -> bool:
        return self._metrics.horizontalAdvance(text) <= self.size * _INNER


class WellFace(Protocol):
    """Draws the wells of a map."""

    def look(self, well: AxisProgress) -> Hashable:
        """Return all that is visible of a well; it is drawn again when this has changed."""

    def draw(self, painter: QPainter, rect: QRect, well: AxisProgress) -> None:
        """Draw a well into an empty place."""


class StateFace:
    """Discs in the colours of states."""

    def __init__(self, size: FaceSize) -> None:
        self._size = size
        self._stamps = WellStamps[WellLook](size.size, size.ratio, self._draw_stamp)

    def look(self, well: AxisProgress) -> Hashable:
        """Return state and fill level, and what is written."""
        return (look_of(well), self._second(well)) if self._size.has_two_lines else look_of(well)

    def draw(self, painter: QPainter, rect: QRect, well: AxisProgress) -> None:
        """Copy the stamp of the state, and write the name on it."""
        look = look_of(well)
        painter.drawPixmap(rect.topLeft(), self._stamps.of(look))
        if self._size.has_text:
            ink = ink_on(state_fill(look, self._size.palette))
            self._size.draw_text(painter, rect, (well.axis_id, self._second(well)), ink)

    def _draw_stamp(self, painter: QPainter, square: QRectF, look: WellLook) -> None:
        draw_state(painter, square, look, self._size.palette, has_text=self._size.has_text)

    @staticmethod
    def _second(well: AxisProgress) -> str:
        return f"{int(well.percent)} %" if well.state is AxisState.RUNNING else state_word(well.state)


class ValueFace:
    """Squares in the colours of values.

    Attributes:
        values: the values, which may be replaced.
    """

    def __init__(self, size: FaceSize, values: WellColours) -> None:
        self.values = values
        self._size = size
        self._stamps = WellStamps[ValueLook](size.size, size.ratio, self._draw_stamp)

    def look(self, well: AxisProgress) -> Hashable:
        """Return the place in the scale and the marks."""
        return value_look(well.axis_id, self.values, well.state)

    def draw(self, painter: QPainter, rect: QRect, well: AxisProgress) -> None:
        """Copy the stamp of the value, and write name and value on it."""
        look = value_look(well.axis_id, self.values, well.state)
        painter.drawPixmap(rect.topLeft(), self._stamps.of(look))
        if self._size.has_text:
            text = QPalette.ColorRole.WindowText
            ink = self._size.palette.color(text) if look.level is None else ink_on(colour_of_level(look.level))
            self._size.draw_text(painter, rect, (well.axis_id, self._second(well.axis_id)), ink)

    def _second(self, axis_id: str) -> str:
        value = self.values.values.get(axis_id)
        return "" if value is None or math.isnan(value) else short_number(value)

    def _draw_stamp(self, painter: QPainter, square: QRectF, look: ValueLook) -> None:
        draw_value(painter, square, look, self._size.palette, has_text=self._size.has_text)


class ImageFace:
    """Small pictures of wells, with the signs of their states in a corner.

    Args:
        size: the size to draw in.
        images: the pictures by well, which may be added to; :meth:`forget` is called when one has changed.
        lacks: what is missing, for the wells that lack a channel; as ``images``.
    """

    def __init__(self, size: FaceSize, images: Mapping[str, QImage], lacks: Mapping[str, str]) -> None:
        self._size, self._images, self._lacks = size, images, lacks
        self._scaled: dict[str, QPixmap] = {}
        self._signs = WellStamps[WellLook](max(7, min(20, size.size // 3)), size.ratio, self._draw_sign)

    def forget(self, axis_id: str) -> None:
        """Use the new picture of a well."""
        self._scaled.pop(axis_id, None)

    def look(self, well: AxisProgress) -> Hashable:
        """Return the sign; a new picture is drawn in any case."""
        return look_of(well)

    def draw(self, painter: QPainter, rect: QRect, well: AxisProgress) -> None:
        """Draw the picture, or an empty frame, with the sign of the state."""
        margin = max(1, self._size.size // 24)
        inner = rect.adjusted(margin, margin, -margin, -margin)
        image = self._images.get(well.axis_id)
        if image is None:
            painter.setPen(QPen(faint_text(self._size.palette), 1))
            painter.drawRect(inner.adjusted(0, 0, -1, -1))
        else:
            picture = self._scaled.get(well.axis_id) or self._scale(well.axis_id, image, inner)
            size = picture.deviceIndependentSize()
            left, top = (inner.width() - size.width()) / 2, (inner.height() - size.height()) / 2
            painter.drawPixmap(QPointF(inner.left() + left, inner.top() + top), picture)
        if image is None or well.state not in (AxisState.WAITING, AxisState.COMPLETE):
            sign = self._signs.of(look_of(well))
            painter.drawPixmap(QPointF(inner.right() - self._signs.size, inner.top() + 1), sign)
        if well.axis_id in self._lacks:
            draw_warning(painter, QPointF(inner.left() + 1, inner.top() + 1), self._signs.size)
        if self._size.has_text:
            self._size.draw_name(painter, inner, well.axis_id)

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
