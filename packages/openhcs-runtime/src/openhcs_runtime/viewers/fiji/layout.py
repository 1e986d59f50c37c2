"""Finds the ImageJ window, channel, slice and frame of an image; does not need Java.

An ImageJ window has three axes. Each component of an image's position is mapped to one of them, or to separate
windows; plates and runs always have windows of their own. Several components on one axis are combined: sites and time
points as frames are (1, 1), (1, 2), (2, 1), ... An axis contains the values received, in natural order, so a stack can
grow in the middle. The layer name is part of the channel, so that all images of a well are in one window.
"""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from openhcs_runtime.choices import choose
from openhcs_runtime.text import natural_key
from openhcs_runtime.viewers.origin import PLATE, RUN
from zmqruntime.streaming import Position

__all__ = ["LAYER", "Cell", "HyperstackAxis", "Layout", "Places", "StackAxes", "Value", "WindowScope"]

Value = tuple[tuple[str, str | int | float], ...]
"""A value on an axis: its components and their values."""

LAYER: Final = "layer"
_ORDER = (PLATE, RUN, "well", "site", "channel", "z_index", "timepoint")


class HyperstackAxis(StrEnum):
    """How a component is shown: in separate windows, or along an axis of a hyperstack."""

    WINDOW = "window"
    CHANNEL = "channel"
    SLICE = "slice"
    FRAME = "frame"


class WindowScope(StrEnum):
    """What one window contains: a well, a site, or everything."""

    WELL = "well"
    SITE = "site"
    ALL = "all"
    """Wells and sites are frames; each plate and run still has its own window."""


_COMMON = {
    PLATE: HyperstackAxis.WINDOW,
    RUN: HyperstackAxis.WINDOW,
    "channel": HyperstackAxis.CHANNEL,
    "z_index": HyperstackAxis.SLICE,
    "timepoint": HyperstackAxis.FRAME,
}
_AXES = MappingProxyType(
    {
        WindowScope.WELL: {"well": HyperstackAxis.WINDOW, "site": HyperstackAxis.FRAME, **_COMMON},
        WindowScope.SITE: {"well": HyperstackAxis.WINDOW, "site": HyperstackAxis.WINDOW, **_COMMON},
        WindowScope.ALL: {"well": HyperstackAxis.FRAME, "site": HyperstackAxis.FRAME, **_COMMON},
    }
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One plane of a stack, identified by its values; its numbers change when the stack grows."""

    channel: Value
    slice: Value
    frame: Value

    @property
    def layer(self) -> str:
        """The name of its layer; empty for a plane that was only added for regions."""
        return next((str(one) for name, one in self.channel if name == LAYER), "")


@dataclass(frozen=True, slots=True)
class Layout:
    """The axis of each component; components not listed are frames."""

    axes: Mapping[str, HyperstackAxis]

    @classmethod
    def of(
        cls,
        windows: WindowScope | str = WindowScope.WELL,
        axes: Mapping[str, HyperstackAxis | str] = MappingProxyType({}),
    ) -> "Layout":
        """Return the layout for a window setting, with changes for some components.

        Raises:
            ValueError: the setting or an axis is unknown.
        """
        usual = _AXES[choose(WindowScope, windows, "windows setting")]
        own = {name: choose(HyperstackAxis, axis, f"ImageJ axis for {name}") for name, axis in axes.items()}
        return cls({**usual, **own})

    def window(self, position: Position) -> Value:
        """Return the window of an image."""
        return self._value(position, HyperstackAxis.WINDOW)

    def cell(self, layer_name: str, position: Position) -> Cell:
        """Return the place of an image in its window."""
        layer = ((LAYER, layer_name),)
        return Cell(
            layer + self._value(position, HyperstackAxis.CHANNEL),
            self._value(position, HyperstackAxis.SLICE),
            self._value(position, HyperstackAxis.FRAME),
        )

    def matches(self, value: Value, position: Position) -> bool:
        """Return whether a value does not contradict the position."""
        return all(position.get(name, one) == one for name, one in value)

    def _value(self, position: Position, axis: HyperstackAxis) -> Value:
        names = sorted(position, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
        return tuple((name, position[name]) for name in names if self.axes.get(name, HyperstackAxis.FRAME) is axis)


class Places:
    """Finds places on one axis for regions, whose values may have fewer or more components than those of planes."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values
        self._numbers = {value: number for number, value in enumerate(values, start=1)}

    def find(self, wanted: Value) -> int | None:
        """Return a number from 1, 0 if all places match, or None if none does."""
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
    """The values on the three axes of one stack, in order."""

    def __init__(self) -> None:
        self.channels: list[Value] = []
        self.slices: list[Value] = []
        self.frames: list[Value] = []

    def add(self, cell: Cell) -> bool:
        """Make room for a cell; return True if the stack grew."""
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
        """The numbers of channels, slices and frames."""
        return len(self.channels), len(self.slices), len(self.frames)

    def numbers(self, cell: Cell) -> tuple[int, int, int]:
        """Return channel, slice and frame number of a cell, from 1."""
        return (
            self.channels.index(cell.channel) + 1,
            self.slices.index(cell.slice) + 1,
            self.frames.index(cell.frame) + 1,
        )

    def has(self, cell: Cell) -> bool:
        """Return whether the stack contains a cell."""
        return cell.channel in self.channels and cell.slice in self.slices and cell.frame in self.frames

    def cell_at(self, channel: int, slice_: int, frame: int) -> Cell:
        """Return the cell with these numbers."""
        return Cell(self.channels[channel - 1], self.slices[slice_ - 1], self.frames[frame - 1])

    def cells(self, first_frame: int = 0) -> list[Cell]:
        """Return all cells, or those from a frame on, in ImageJ's order: channels change fastest, frames slowest."""
        return [Cell(c, z, t) for t in self.frames[first_frame:] for z in self.slices for c in self.channels]

    def copy(self) -> "StackAxes":
        """Return an independent copy."""
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
