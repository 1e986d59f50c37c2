"""Colours and display ranges of the channels of one image, until the user changes them."""

from dataclasses import dataclass
from typing import Any

from openhcs_runtime.viewers.fiji.imagej import ImageJ
from openhcs_runtime.viewers.fiji.layout import Value

__all__ = ["ChannelStyles", "Style"]

_GRAY = 0xFFFFFF
_PALETTE = (0x00FFFF, 0xFF00FF, 0xFFFF00, 0xFFFFFF, 0x00FF00, 0xFF0000, 0x4040FF)
"""Colours of channels for which the producer gave none; a single channel is gray."""


@dataclass(frozen=True, slots=True)
class Style:
    """The colour of the brightest pixel as 0xRRGGBB, and the values shown as black and as brightest."""

    colour: int
    low: float
    high: float


@dataclass(slots=True)
class _Channel:
    """Requested style of one channel, the range of its planes, and the style last set in ImageJ."""

    colour: int | None = None
    asked: tuple[float, float] | None = None
    seen: tuple[float, float] | None = None
    applied: Style | None = None
    colour_is_users: bool = False
    range_is_users: bool = False


class ChannelStyles:
    """The styles of the channels of one image, by channel value."""

    def __init__(self, ij: ImageJ) -> None:
        self._ij = ij
        self._channels: dict[Value, _Channel] = {}

    def ask(self, channel: Value, colour: int | None, asked: tuple[float, float] | None) -> None:
        """Set the style requested by a producer; None keeps what was requested before."""
        style = self._channels.setdefault(channel, _Channel())
        style.colour = style.colour if colour is None else colour
        style.asked = style.asked if asked is None else asked

    def needs_range(self, channel: Value) -> bool:
        """Return whether the display range of a channel depends on the values of its planes."""
        style = self._channels.setdefault(channel, _Channel())
        return style.asked is None and not style.range_is_users

    def see(self, channel: Value, low: float, high: float) -> None:
        """Extend the range of a channel to the values of a plane."""
        style = self._channels.setdefault(channel, _Channel())
        before = style.seen or (low, high)
        style.seen = (min(low, before[0]), max(high, before[1]))

    def note_user(self, image: Any, channels: list[Value]) -> None:
        """Note what the user changed in ImageJ since the last :meth:`apply`; call it before changing the image."""
        for channel, now in zip(channels, self._read(image), strict=False):
            style = self._channels.setdefault(channel, _Channel())
            if style.applied is None:
                continue
            style.colour_is_users |= now.colour != style.applied.colour
            style.range_is_users |= (now.low, now.high) != (style.applied.low, style.applied.high)
            style.applied = now

    def forget_applied(self) -> None:
        """Forget what was set and what the user changed, as the image is a new one."""
        for style in self._channels.values():
            style.applied, style.colour_is_users, style.range_is_users = None, False, False

    def apply(self, image: Any, channels: list[Value], luts: dict[Value, Any] | None) -> bool:
        """Set the styles.

        Args:
            image: the image.
            channels: its channels.
            luts: lookup tables of the channels before the image was changed; None if it was not changed.

        Returns:
            True if anything changed.
        """
        wanted = [self._wanted(channel, number, len(channels)) for number, channel in enumerate(channels)]
        states = [self._channels[channel] for channel in channels]
        if all(state.applied == want for state, want in zip(states, wanted, strict=True)) and luts is None:
            return False
        luts = self.luts(image, channels) if luts is None else luts
        tables = []
        for channel, state, want in zip(channels, states, wanted, strict=True):
            table = luts.get(channel) if state.colour_is_users else None
            if table is None:
                table = self._ij.LUT.createLutFromColor(self._ij.Color(want.colour))
            table.min, table.max = want.low, want.high
            tables.append(table)
        self._write(image, tables)
        for state, now in zip(states, self._read(image), strict=True):
            state.applied = now
        return True

    def luts(self, image: Any, channels: list[Value]) -> dict[Value, Any]:
        """Return the current lookup tables of the channels in ImageJ."""
        if image.getNChannels() == 1:
            model = image.getProcessor().getLut()
            return dict(zip(channels, [model], strict=False)) if model is not None else {}
        return dict(zip(channels, image.getLuts(), strict=False))

    def _wanted(self, channel: Value, number: int, count: int) -> Style:
        state = self._channels.setdefault(channel, _Channel())
        colour = state.colour
        if colour is None:
            colour = _GRAY if count == 1 else _PALETTE[number % len(_PALETTE)]
        low, high = state.asked or state.seen or (0.0, 1.0)
        if state.applied is not None:
            if state.colour_is_users:
                colour = state.applied.colour
            if state.range_is_users:
                low, high = state.applied.low, state.applied.high
        return Style(colour, low, high)

    def _write(self, image: Any, tables: list[Any]) -> None:
        image.setLuts(self._ij.jpype.JArray(self._ij.LUT)(tables))
        current = tables[min(image.getC(), len(tables)) - 1]
        processor = image.getProcessor()
        if image.getMode() != image.GRAYSCALE:
            processor.setColorModel(current)
        processor.setMinAndMax(current.min, current.max)

    def _read(self, image: Any) -> list[Style]:
        if image.getNChannels() == 1:
            processor = image.getProcessor()
            colour = int(processor.getColorModel().getRGB(self._ij.jpype.JInt(255))) & 0xFFFFFF
            return [Style(colour, float(processor.getMin()), float(processor.getMax()))]
        last = self._ij.jpype.JInt(255)
        return [Style(int(lut.getRGB(last)) & 0xFFFFFF, float(lut.min), float(lut.max)) for lut in image.getLuts()]
