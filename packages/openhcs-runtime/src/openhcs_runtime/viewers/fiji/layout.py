"""Which window, channel, slice and frame of ImageJ an image belongs to; nothing here needs Java.

A window of ImageJ has three axes. Each component of an image's position is given to one of them, or to the windows, and
several components on one axis count as one: sites and time points on the frames are (1, 1), (1, 2), (2, 1), ... An axis
holds the values that came, in their natural order, so that a stack grows where a value belongs. The layer's name
belongs to the channels: what a pipeline shows of one well comes together in one window.
"""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from openhcs_runtime.choices import choose
from openhcs_runtime.text import natural_key
from zmqruntime.streaming import Position

__all__ = ["LAYER", "Cell", "HyperstackAxis", "Layout", "Places", "StackAxes", "Value", "WindowScope"]

Value = tuple[tuple[str, str | int | float], ...]
"""What an axis counts by: the components on it and their values."""

LAYER: Final = "layer"
_ORDER = ("well", "site", "channel", "z_index", "timepoint")


class HyperstackAxis(StrEnum):
    """Where a component goes: to a window of its own, or along an axis of a hyperstack."""

    WINDOW = "window"
    CHANNEL = "channel"
    SLICE = "slice"
    FRAME = "frame"


class WindowScope(StrEnum):
    """What one window holds: a well, a site, or everything."""

    WELL = "well"
    SITE = "site"
    ALL = "all"
    """Wells and sites are frames."""


_COMMON = {"channel": HyperstackAxis.CHANNEL, "z_index": HyperstackAxis.SLICE, "timepoint": HyperstackAxis.FRAME}
_AXES = MappingProxyType(
    {
        WindowScope.WELL: {"well": HyperstackAxis.WINDOW, "site": HyperstackAxis.FRAME, **_COMMON},
        WindowScope.SITE: {"well": HyperstackAxis.WINDOW, "site": HyperstackAxis.WINDOW, **_COMMON},
        WindowScope.ALL: {"well": HyperstackAxis.FRAME, "site": HyperstackAxis.FRAME, **_COMMON},
    }
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One plane of a stack, by what it shows and not by its number, which changes while the stack grows."""

    channel: Value
    slice: Value
    frame: Value

    @property
    def layer(self) -> str:
        """The name of the layer that it belongs to; empty for a plane that only regions made."""
        return next((str(one) for name, one in self.channel if name == LAYER), "")


@dataclass(frozen=True, slots=True)
class Layout:
    """The axis of every component; components that are not named here are frames."""

    axes: Mapping[str, HyperstackAxis]

    @classmethod
    def of(
        cls,
        windows: WindowScope | str = WindowScope.WELL,
        axes: Mapping[str, HyperstackAxis | str] = MappingProxyType({}),
    ) -> "Layout":
        """The usual one, changed in some components. Raises ValueError for an axis that there is not."""
        usual = _AXES[choose(WindowScope, windows, "choice of windows")]
        own = {name: choose(HyperstackAxis, axis, f"place in ImageJ for {name}") for name, axis in axes.items()}
        return cls({**usual, **own})

    def window(self, position: Position) -> Value:
        """The window that an image belongs to."""
        return self._value(position, HyperstackAxis.WINDOW)

    def cell(self, layer_name: str, position: Position) -> Cell:
        """Where in its window it belongs."""
        layer = ((LAYER, layer_name),)
        return Cell(
            layer + self._value(position, HyperstackAxis.CHANNEL),
            self._value(position, HyperstackAxis.SLICE),
            self._value(position, HyperstackAxis.FRAME),
        )

    def matches(self, value: Value, position: Position) -> bool:
        """Whether a value says nothing else than the position does."""
        return all(position.get(name, one) == one for name, one in value)

    def _value(self, position: Position, axis: HyperstackAxis) -> Value:
        names = sorted(position, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
        return tuple((name, position[name]) for name in names if self.axes.get(name, HyperstackAxis.FRAME) is axis)


class Places:
    """Where on one axis a region belongs, of which perhaps less is known than of the planes, or more."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values
        self._numbers = {value: number for number, value in enumerate(values, start=1)}

    def find(self, wanted: Value) -> int | None:
        """A number from 1; 0 for everywhere, since nothing speaks against it; None for nowhere."""
        if not wanted and self._values:
            return 0
        exact = self._numbers.get(wanted)
        if exact is not None:
            return exact
        known = dict(wanted)
        agreeing = [
            number
            for number, value in enumerate(self._values, start=1)
            if all(known.get(name, one) == one for name, one in value)
        ]
        if not agreeing:
            return None
        return 0 if len(agreeing) == len(self._values) else agreeing[0]


class StackAxes:
    """The values on the three axes of one stack, each in its order."""

    def __init__(self) -> None:
        self.channels: list[Value] = []
        self.slices: list[Value] = []
        self.frames: list[Value] = []

    def add(self, cell: Cell) -> bool:
        """Make room for a cell; True if the stack had to grow for it."""
        added = [
            _insert(values, value)
            for values, value in (
                (self.channels, cell.channel),
                (self.slices, cell.slice),
                (self.frames, cell.frame),
            )
        ]
        return any(added)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Channels, slices, frames."""
        return len(self.channels), len(self.slices), len(self.frames)

    def numbers(self, cell: Cell) -> tuple[int, int, int]:
        """Channel, slice and frame of a cell, from 1."""
        return (
            self.channels.index(cell.channel) + 1,
            self.slices.index(cell.slice) + 1,
            self.frames.index(cell.frame) + 1,
        )

    def has(self, cell: Cell) -> bool:
        """Whether there is room for a cell."""
        return cell.channel in self.channels and cell.slice in self.slices and cell.frame in self.frames

    def cell_at(self, channel: int, slice_: int, frame: int) -> Cell:
        """The cell with these numbers."""
        return Cell(self.channels[channel - 1], self.slices[slice_ - 1], self.frames[frame - 1])

    def cells(self, first_frame: int = 0) -> list[Cell]:
        """All of them, or those from a frame on, in ImageJ's order: the channel changes fastest, the frame slowest."""
        return [Cell(c, z, t) for t in self.frames[first_frame:] for z in self.slices for c in self.channels]

    def copy(self) -> "StackAxes":
        """The same values; it does not grow along."""
        other = StackAxes()
        other.channels, other.slices, other.frames = list(self.channels), list(self.slices), list(self.frames)
        return other


def _insert(values: list[Value], value: Value) -> bool:
    if value in values:
        return False
    bisect.insort(values, value, key=_sort_key)
    return True


def _sort_key(value: Value) -> list[tuple[str, list[tuple[int, float, str]]]]:
    return [(name, natural_key(one)) for name, one in value]
