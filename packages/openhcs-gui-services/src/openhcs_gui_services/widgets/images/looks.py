"""How the channels of a plate are shown: colours, contrast and which are on; the same for all its wells and views."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, pyqtSignal as Signal

from openhcs_gui_services.services.images.source import PlateSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openhcs_gui_services.services.images.opened import ImageChannel, OpenPlate

__all__ = ["ChannelLook", "ChannelLooks"]

_PLATES = 64
"""Plates whose looks are remembered."""
_MOST_SHOWN = 4
"""Channels that are on at first."""


@dataclass(frozen=True, slots=True)
class ChannelLook:
    """How a channel is shown.

    Attributes:
        channel: the channel.
        colour: 0xRRGGBB of its brightest pixels.
        is_on: whether it is shown.
        limits: values shown as black and in full colour; None until pixels have been seen.
        ends: lowest and highest value that can be chosen.
        is_set: whether the user has chosen the limits.
    """

    channel: "ImageChannel"
    colour: int
    is_on: bool
    limits: tuple[float, float] | None = None
    ends: tuple[float, float] = (0.0, 1.0)
    is_set: bool = False


class ChannelLooks(QObject):
    """The looks of the channels of the shown plate; those of plates shown before are remembered."""

    changed = Signal()
    """A colour, a contrast, or which channels are on."""
    plate_changed = Signal()
    """Other channels."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source: PlateSource | None = None
        self._of: OrderedDict[PlateSource, dict[int, ChannelLook]] = OrderedDict()
        self._samples: dict[tuple[int, str], NDArray[Any]] = {}

    @property
    def all(self) -> tuple[ChannelLook, ...]:
        """The looks of all channels, by number."""
        return tuple(self._looks.values())

    @property
    def shown(self) -> tuple[ChannelLook, ...]:
        """The looks of the channels that are on."""
        return tuple(look for look in self._looks.values() if look.is_on)

    def are_of(self, source: PlateSource) -> bool:
        """Return whether these are the looks of a plate."""
        return source == self._source

    def set_plate(self, plate: "OpenPlate | None") -> None:
        """Show the channels of this plate, as they were shown before."""
        self._samples.clear()
        self._source = None if plate is None else plate.source
        if plate is not None:
            known = self._of.pop(plate.source, {})
            self._of[plate.source] = {
                one.number: known.get(one.number) or ChannelLook(one, one.colour, is_on=place < _MOST_SHOWN)
                for place, one in enumerate(plate.channels)
            }
            while len(self._of) > _PLATES:
                self._of.popitem(last=False)
        self.plate_changed.emit()

    def add_sample(self, number: int, place: str, pixels: "NDArray[Any]") -> None:
        """Take pixels (1D) of a channel into account; the first ones set its contrast."""
        self._samples[number, place] = pixels
        look = self._looks.get(number)
        if look is not None and look.limits is None:
            self._settle(look)
            self.changed.emit()

    def settle(self) -> None:
        """Set the contrast of all channels by the pixels so far, except where the user has chosen it."""
        for look in self.all:
            if not look.is_set:
                self._settle(look)
        self.changed.emit()

    def set_auto(self, number: int | None = None) -> None:
        """Return to the automatic contrast of a channel, or of those that are on."""
        for look in self.shown if number is None else (self._looks[number],):
            self._settle(replace(look, is_set=False))
        self.changed.emit()

    def set_limits(self, number: int, limits: tuple[float, float]) -> None:
        """Set the contrast of a channel."""
        look = self._looks.get(number)
        if look is not None and limits[0] < limits[1]:
            ends = min(look.ends[0], limits[0]), max(look.ends[1], limits[1])
            self._put(replace(look, limits=limits, ends=ends, is_set=True))
            self.changed.emit()

    def brighten(self, factor: float) -> None:
        """Divide the brightest value of the channels that are on by a factor."""
        for look in self.shown:
            if look.limits is not None:
                low, high = look.limits
                self.set_limits(look.channel.number, (low, low + (high - low) / factor))

    def set_colour(self, number: int, colour: int) -> None:
        """Set the colour of a channel, 0xRRGGBB."""
        self._put(replace(self._looks[number], colour=colour))
        self.changed.emit()

    def set_on(self, number: int, is_on: bool) -> None:
        """Show or hide a channel."""
        look = self._looks.get(number)
        if look is not None and look.is_on != is_on:
            self._put(replace(look, is_on=is_on))
            self.changed.emit()

    @property
    def _looks(self) -> dict[int, ChannelLook]:
        return {} if self._source is None else self._of[self._source]

    def _put(self, look: ChannelLook) -> None:
        self._looks[look.channel.number] = look

    def _settle(self, look: ChannelLook) -> None:
        # Loads numpy, which reading the samples has done before.
        from openhcs_gui_services.services.images.contrast import auto_limits, value_range  # noqa: PLC0415

        samples = [pixels for (number, _), pixels in self._samples.items() if number == look.channel.number]
        if samples:
            limits = auto_limits(samples)
            self._put(replace(look, limits=limits, ends=value_range(samples, limits), is_set=False))
