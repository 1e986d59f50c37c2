"""Which layer something belongs to and where in its stack, from its name, its position and the modes of components.

Each component of a position is a slider, or has a layer for each of its values. Every layer of a viewer has the same
sliders, each with the values that came for any of them, in their natural order: what is at one place of the sliders
belongs together.
"""

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

import numpy.typing as npt

from openhcs_runtime.choices import choose
from openhcs_runtime.components import Component
from openhcs_runtime.text import natural_key
from openhcs_runtime.viewers.metadata import Kind
from zmqruntime.streaming import Position, UnsupportedArrayError

__all__ = ["Axes", "ComponentMode", "LayerKey", "Modes", "Place", "describe", "is_at", "split_planes"]

Value = str | int | float
Place = tuple[tuple[str, Value], ...]
"""Components and their values, in the order of the sliders."""

_ORDER = (Component.WELL, Component.SITE, Component.CHANNEL, Component.TIMEPOINT, Component.Z_INDEX)


class ComponentMode(StrEnum):
    """What becomes of a component in napari: a slider, or layers of its own."""

    SLIDER = "slider"
    LAYER = "layer"
    """Each of its values has layers of its own."""


_DEFAULTS = MappingProxyType({Component.CHANNEL.value: ComponentMode.LAYER})


@dataclass(frozen=True, slots=True)
class LayerKey:
    """What makes one layer: images of another kind, name or size, or with other values, belong to another one.

    shape: of a plane, (Y, X), with a third number for the samples of RGB; empty where sizes do not matter.
    """

    kind: Kind
    name: str
    values: Place = ()
    shape: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """``nuclei, GFP``: what the layer is called."""
        return ", ".join(filter(None, (self.name, describe(self.values))))


@dataclass(frozen=True, slots=True)
class Modes:
    """The mode of every component; those that are not named here are sliders."""

    modes: Mapping[str, ComponentMode]

    @classmethod
    def of(cls, modes: Mapping[str, ComponentMode | str] = MappingProxyType({})) -> Self:
        """The usual ones, changed in some components. Raises ValueError for a mode that there is not."""
        own = {name: choose(ComponentMode, mode, f"mode of {name} in napari") for name, mode in modes.items()}
        return cls({**_DEFAULTS, **own})

    def mode(self, component: str) -> ComponentMode:
        """Of one component."""
        return self.modes.get(component, ComponentMode.SLIDER)

    @property
    def sliders(self) -> tuple[str, ...]:
        """The components of plates that are sliders, the outermost first."""
        return tuple(component.value for component in _ORDER if self.mode(component) is ComponentMode.SLIDER)

    def layer(self, kind: Kind, name: str, position: Position, shape: tuple[int, ...] = ()) -> LayerKey:
        """The layer that something belongs to."""
        return LayerKey(kind, name, self._values(position, ComponentMode.LAYER), shape)

    def place(self, position: Position) -> Place:
        """Where on the sliders it belongs; a component that is not named there does not matter to it."""
        return self._values(position, ComponentMode.SLIDER)

    def _values(self, position: Position, mode: ComponentMode) -> Place:
        names = sorted(position, key=_component_order)
        return tuple((name, position[name]) for name in names if self.mode(name) is mode)


class Axes:
    """The sliders: which components they are, and their values. Components that nobody expected come first."""

    def __init__(self, names: Sequence[str]) -> None:
        self._expected = tuple(names)
        self._values: dict[str, list[Value]] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all values."""
        self._values = {name: [] for name in self._expected}

    @property
    def names(self) -> tuple[str, ...]:
        """The components, the outermost first."""
        return tuple(self._values)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many steps each slider has; at least one."""
        return tuple(max(1, len(values)) for values in self._values.values())

    def values(self, name: str) -> tuple[Value, ...]:
        """Of one slider, in their order; empty for what is none."""
        return tuple(self._values.get(name, ()))

    def add(self, place: Place) -> bool:
        """Make room for a place; True if a slider got longer, or one more came."""
        before = self.sizes
        for name, value in place:
            if name not in self._values:
                self._values = {name: [], **self._values}
            values = self._values[name]
            if value not in values:
                bisect.insort(values, value, key=natural_key)
        return self.sizes != before

    def place(self, steps: Sequence[int]) -> Place:
        """What the sliders say with these steps; sliders without values say nothing."""
        pairs = zip(self._values.items(), steps, strict=True)
        return tuple((name, values[step]) for (name, values), step in pairs if 0 <= step < len(values))

    def steps(self, place: Place, otherwise: Sequence[int] | None = None) -> tuple[int, ...]:
        """The steps of a place; for components that it does not name, or that have no such value, those of
        ``otherwise``, or 0.
        """
        wanted = dict(place)
        usual = otherwise if otherwise is not None else [0] * len(self._values)
        return tuple(
            values.index(wanted[name]) if name in wanted and wanted[name] in values else step
            for (name, values), step in zip(self._values.items(), usual, strict=True)
        )


def is_at(place: Place, where: Mapping[str, Value]) -> bool:
    """Whether what belongs to ``place`` is seen where the sliders are."""
    return all(where.get(name, value) == value for name, value in place)


def split_planes(
    array: npt.NDArray[Any], position: Position, *, rgb: bool
) -> Iterator[tuple[Position, npt.NDArray[Any]]]:
    """The planes of an array, each with its position.

    An array (..., Y, X) has a plane for every ``z_index`` from 1 on; an RGB image is one plane (Y, X, 3 or 4).

    Raises:
        UnsupportedArrayError: there is nothing to see in it.
    """
    planes = 2 + rgb
    if array.ndim < planes or not array.size:
        raise UnsupportedArrayError(f"an image has rows and columns, not the shape {array.shape}")
    if rgb and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise UnsupportedArrayError(f"an RGB image is (Y, X, 3 or 4), not {array.shape}")
    if array.ndim == planes:
        yield position, array
        return
    flat = array.reshape(-1, *array.shape[-2:])
    for number, plane in enumerate(flat, start=1):
        yield {**position, Component.Z_INDEX.value: number}, plane


def describe(place: Place) -> str:
    """Values in words: ``B06, site 2, z 3``; the names of wells and of named channels speak for themselves."""
    return ", ".join(
        str(value) if name == Component.WELL or isinstance(value, str) else f"{name.removesuffix('_index')} {value}"
        for name, value in place
    )


def _component_order(name: str) -> tuple[int, str]:
    known = [component.value for component in _ORDER]
    return (known.index(name), "") if name in known else (-1, name)
