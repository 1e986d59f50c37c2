"""The legend of a plate map: the signs of states with their counts, or the scale of a measurement."""

from collections.abc import Mapping
from dataclasses import dataclass

from PyQt6.QtCore import QPointF, QRect, QRectF, Qt
from PyQt6.QtGui import QFont, QFontMetrics, QLinearGradient, QPainter, QPalette, QPen

from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_gui_services.widgets.common.colours import faint_text
from openhcs_gui_services.widgets.plates.well_pixmaps import WellStamps
from openhcs_gui_services.widgets.plates.well_states import WellLook, draw_state
from openhcs_gui_services.widgets.plates.well_texts import state_word
from openhcs_gui_services.widgets.plates.well_values import (
    LEVELS,
    ValueLook,
    colour_of_level,
    draw_value,
    level_of,
)
from openhcs_runtime.tables.scale import short_number
from zmqruntime.execution import AxisState

__all__ = ["MapLegend"]

_SIGN, _GAP, _CLOSE = 13, 14, 6
_SHORTEST_BAR, _LONGEST_BAR = 40, 220


@dataclass(frozen=True, slots=True)
class _Entry:
    """A sign and what it means."""

    look: WellLook | ValueLook
    text: str
    short: str


class MapLegend:
    """Draws legends in one palette, font and device pixel ratio."""

    def __init__(self, palette: QPalette, font: QFont, ratio: float) -> None:
        self._palette, self._font = palette, font
        self._metrics = QFontMetrics(font)
        self._states = WellStamps[WellLook](_SIGN, ratio, self._draw_state)
        self._values = WellStamps[ValueLook](_SIGN, ratio, self._draw_value)

    def draw_states(self, painter: QPainter, place: QRect, counts: Mapping[AxisState, int], note: str) -> None:
        """Draw the sign of each state with its count, and a line of text below."""
        entries = [
            _Entry(WellLook(state, 6 if state is AxisState.RUNNING else 0), f"{count} {state_word(state)}", str(count))
            for state in AxisState
            if (count := counts.get(state, 0))
        ]
        first, second = self._lines(place)
        self._draw_entries(painter, first, entries)
        self._draw_note(painter, second, note)

    def draw_values(
        self, painter: QPainter, place: QRect, values: WellColours, counts: Mapping[AxisState, int], note: str
    ) -> None:
        """Draw the scale with its ends, and the marks that occur; below it the name of the measurement.

        Args:
            painter: where to draw.
            place: the rectangle of the legend.
            values: the values.
            counts: number of wells in each state.
            note: text after the name of the measurement.
        """
        first, second = self._lines(place)
        entries = _marks(values, counts)
        low, high = short_number(values.lowest), short_number(values.highest)
        ends = self._metrics.horizontalAdvance(low + high) + 12
        needed = self._width(entries, is_short=False)
        bar = min(_LONGEST_BAR, first.width() - ends - needed - _GAP)
        if bar < _SHORTEST_BAR * 2:
            bar = max(_SHORTEST_BAR, min(_LONGEST_BAR, first.width() - ends - self._width(entries, is_short=True)))
        left = self._draw_scale(painter, first, (low, high), bar)
        self._draw_entries(painter, first.adjusted(left - first.left() + _GAP, 0, 0, 0), entries)
        title = f"{values.title} ({values.unit})" if values.unit else values.title
        self._draw_note(painter, second, " · ".join(filter(None, (title, note))))

    def _lines(self, place: QRect) -> tuple[QRect, QRect]:
        height = place.height() // 2
        first = QRect(place.left(), place.top() + 2, place.width(), height)
        return first, first.translated(0, height - 1)

    def _draw_scale(self, painter: QPainter, line: QRect, ends: tuple[str, str], width: int) -> int:
        """Draw the scale between its lowest and highest value; return its right edge."""
        self._use_font(painter)
        left = line.left()
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, ends[0])
        left += self._metrics.horizontalAdvance(ends[0]) + 6
        height = max(8, self._metrics.ascent() - 2)
        bar = QRectF(left, line.center().y() - height / 2 + 0.5, width, height)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for level in range(0, LEVELS, 3):
            gradient.setColorAt(level / (LEVELS - 1), colour_of_level(level))
        painter.setBrush(gradient)
        painter.setPen(QPen(faint_text(self._palette), 1))
        painter.drawRect(bar)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        self._use_font(painter)
        right = int(bar.right()) + 6
        painter.drawText(line.adjusted(right - line.left(), 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, ends[1])
        return right + self._metrics.horizontalAdvance(ends[1])

    def _draw_entries(self, painter: QPainter, line: QRect, entries: list[_Entry]) -> None:
        is_short = self._width(entries, is_short=False) > line.width()
        while entries and self._width(entries, is_short=is_short) - _GAP > line.width():
            entries = entries[:-1]
        self._use_font(painter)
        left = line.left()
        for entry in entries:
            look = entry.look
            sign = self._states.of(look) if isinstance(look, WellLook) else self._values.of(look)
            painter.drawPixmap(QPointF(left, line.center().y() - _SIGN / 2 + 0.5), sign)
            left += _SIGN + 4
            text = entry.short if is_short else entry.text
            painter.drawText(line.adjusted(left - line.left(), 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)
            left += self._metrics.horizontalAdvance(text) + (_CLOSE if is_short else _GAP)

    def _width(self, entries: list[_Entry], *, is_short: bool) -> int:
        texts = (entry.short if is_short else entry.text for entry in entries)
        return sum(self._metrics.horizontalAdvance(text) + _SIGN + 4 + (_CLOSE if is_short else _GAP) for text in texts)

    def _draw_note(self, painter: QPainter, line: QRect, text: str) -> None:
        self._use_font(painter)
        painter.setPen(faint_text(self._palette))
        elided = self._metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, line.width())
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, elided)

    def _use_font(self, painter: QPainter) -> None:
        painter.setFont(self._font)
        painter.setPen(self._palette.color(QPalette.ColorRole.WindowText))

    def _draw_state(self, painter: QPainter, square: QRectF, look: WellLook) -> None:
        draw_state(painter, square, look, self._palette, has_text=False)

    def _draw_value(self, painter: QPainter, square: QRectF, look: ValueLook) -> None:
        draw_value(painter, square, look, self._palette, has_text=False)


def _marks(values: WellColours, counts: Mapping[AxisState, int]) -> list[_Entry]:
    """The marks that occur, each with its meaning."""
    middle = LEVELS // 2
    entries = [_Entry(ValueLook(middle, kind), kind, "") for kind in sorted(set(values.controls.values()))]
    if values.outliers:
        count = len(values.outliers)
        entries.append(_Entry(ValueLook(middle, is_outlier=True), f"{count} unusual", str(count)))
    with_value = sum(level_of(value, values) is not None for value in values.values.values())
    excluded = len(values.excluded)
    if excluded:
        entries.append(_Entry(ValueLook(None, is_excluded=True), f"{excluded} excluded", str(excluded)))
    if (missing := sum(counts.values()) - with_value - excluded) > 0:
        entries.append(_Entry(ValueLook(None), f"{missing} without a value", str(missing)))
    if failed := counts.get(AxisState.FAILED, 0):
        entries.append(_Entry(ValueLook(None, is_failed=True), f"{failed} failed", str(failed)))
    return entries
