"""Finds the layer of an item and its place in the stack, from its name, its position and the component modes.

Each component of a position is either a slider or has one layer for each of its values. All layers of a viewer share
the same sliders, each with the values received for any layer, in natural order. Items at the same place of the sliders
belong together.
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

import numpy.typing as npt

from openhcs_runtime.choices import choose
from openhcs_runtime.components import Component
from openhcs_runtime.text import natural_key
from openhcs_runtime.viewers.metadata import Kind
from openhcs_runtime.viewers.origin import COMPARED
from zmqruntime.streaming import Position, UnsupportedArrayError

__all__ = [
    "Axes",
    "ComponentMode",
    "LayerKey",
    "Modes",
    "Place",
    "WellTexts",
    "describe",
    "describe_in_full",
    "is_at",
    "plain_name",
    "split_planes",
    "with_text",
]

Value = str | int | float
Place = tuple[tuple[str, Value], ...]
"""Components and their values, in slider order."""

_ORDER = (Component.WELL, Component.SITE, Component.CHANNEL, Component.TIMEPOINT, Component.Z_INDEX)


class ComponentMode(StrEnum):
    """How a component is shown in napari: as a slider, or as separate layers."""

    SLIDER = "slider"
    LAYER = "layer"
    """Each of its values has its own layers."""


_DEFAULTS = MappingProxyType({Component.CHANNEL.value: ComponentMode.LAYER})


@dataclass(frozen=True, slots=True)
class LayerKey:
    """Identifies a layer; images that differ in any of these belong to different layers.

    Attributes:
        kind: kind of the items.
        name: name given by the producer.
        values: values of the components shown as separate layers.
        shape: shape of a plane, (Y, X), with a third number for the samples of RGB; empty if the size doesn't matter.
    """

    kind: Kind
    name: str
    values: Place = ()
    shape: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """The title of the layer, such as ``nuclei, GFP``."""
        return ", ".join(filter(None, (self.name, describe(self.values))))


@dataclass(frozen=True, slots=True)
class Modes:
    """The mode of each component; those not listed are sliders."""

    modes: Mapping[str, ComponentMode]

    @classmethod
    def of(cls, modes: Mapping[str, ComponentMode | str] = MappingProxyType({})) -> Self:
        """Return the default modes with changes for some components.

        Raises:
            ValueError: a mode is unknown.
        """
        own = {name: choose(ComponentMode, mode, f"napari mode for {name}") for name, mode in modes.items()}
        return cls({**_DEFAULTS, **own})

    def mode(self, component: str) -> ComponentMode:
        """Return the mode of a component."""
        return self.modes.get(component, ComponentMode.SLIDER)

    @property
    def sliders(self) -> tuple[str, ...]:
        """The plate components that are sliders, outermost first."""
        return tuple(component.value for component in _ORDER if self.mode(component) is ComponentMode.SLIDER)

    def layer(self, kind: Kind, name: str, position: Position, shape: tuple[int, ...] = ()) -> LayerKey:
        """Return the layer an item belongs to."""
        return LayerKey(kind, name, self._values(position, ComponentMode.LAYER), shape)

    def place(self, position: Position) -> Place:
        """Return the place of an item on the sliders; components that are not part of it don't matter."""
        return self._values(position, ComponentMode.SLIDER)

    def _values(self, position: Position, mode: ComponentMode) -> Place:
        names = sorted(position, key=_component_order)
        return tuple((name, position[name]) for name in names if self.mode(name) is mode)


class Axes:
    """The sliders: their components and values. Components other than the expected ones come first."""

    def __init__(self, names: Sequence[str]) -> None:
        self._expected = tuple(names)
        self._values: dict[str, list[Value]] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all values."""
        self._values = {name: [] for name in self._expected}

    @property
    def names(self) -> tuple[str, ...]:
        """The components, outermost first."""
        return tuple(self._values)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of steps of each slider; at least one."""
        return tuple(max(1, len(values)) for values in self._values.values())

    def values(self, name: str) -> tuple[Value, ...]:
        """Return the values of a slider, in order; empty if there is no such slider."""
        return tuple(self._values.get(name, ()))

    def has(self, place: Place) -> bool:
        """Return whether the sliders have a place."""
        return all(value in self._values.get(name, ()) for name, value in place)

    def add(self, place: Place) -> bool:
        """Make room for a place; return True if a slider was extended or added."""
        before = self.sizes
        for name, value in place:
            if name not in self._values:
                self._values = {name: [], **self._values}
            values = self._values[name]
            if value not in values:
                bisect.insort(values, value, key=natural_key)
        return self.sizes != before

    def place(self, steps: Sequence[int]) -> Place:
        """Return the place for these steps of the sliders; sliders without values are left out."""
        pairs = zip(self._values.items(), steps, strict=True)
        return tuple((name, values[step]) for (name, values), step in pairs if 0 <= step < len(values))

    def steps(self, place: Place, otherwise: Sequence[int] | None = None) -> tuple[int, ...]:
        """Return the steps of a place.

        For components that are not part of it, or that don't have the value, the step of ``otherwise`` is used, or 0.
        """
        wanted = dict(place)
        usual = otherwise if otherwise is not None else [0] * len(self._values)
        return tuple(
            values.index(wanted[name]) if name in wanted and wanted[name] in values else step
            for (name, values), step in zip(self._values.items(), usual, strict=True)
        )


def is_at(place: Place, where: Mapping[str, Value]) -> bool:
    """Return whether items at ``place`` are visible when the sliders are at ``where``."""
    return all(where.get(name, value) == value for name, value in place)


def split_planes(
    array: npt.NDArray[Any], position: Position, *, rgb: bool
) -> Iterator[tuple[Position, npt.NDArray[Any]]]:
    """Split an array into planes, each with its position.

    An array (..., Y, X) has one plane for each ``z_index``, from 1; an RGB image is a single plane (Y, X, 3 or 4).

    Yields:
        Position and plane.

    Raises:
        UnsupportedArrayError: the array is empty or does not have such a shape.
    """
    planes = 2 + rgb
    if array.ndim < planes or not array.size:
        raise UnsupportedArrayError(f"an image must have rows and columns, not the shape {array.shape}")
    if rgb and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise UnsupportedArrayError(f"an RGB image must have the shape (Y, X, 3 or 4), not {array.shape}")
    if array.ndim == planes:
        yield position, array
        return
    flat = array.reshape(-1, *array.shape[-2:])
    for number, plane in enumerate(flat, start=1):
        yield {**position, Component.Z_INDEX.value: number}, plane


def describe(place: Place) -> str:
    """Describe values, such as ``B06, site 2, z 3``; wells and named channels appear without their component."""
    return ", ".join(
        str(value) if name == Component.WELL or isinstance(value, str) else f"{name.removesuffix('_index')} {value}"
        for name, value in place
    )


def describe_in_full(place: Iterable[tuple[str, Value]]) -> str:
    """Describe values with their components, such as ``well B06, site 2, z 3``; what is compared has its own name."""
    return ", ".join(str(value) if name == COMPARED else f"{plain_name(name)} {value}" for name, value in place)


def plain_name(component: str) -> str:
    """Return the name of a component as people write it: ``z`` for ``z_index``."""
    return component.removesuffix("_index")


class WellTexts:
    """What the wells that a viewer shows contain, as their producers say it; at most one text for each well."""

    def __init__(self) -> None:
        self._texts: dict[Value, str] = {}

    def note(self, position: Position, text: str) -> None:
        """Note what the well of a position contains; an empty text says nothing."""
        if text and Component.WELL.value in position:
            self._texts[position[Component.WELL.value]] = text

    def of(self, place: Place) -> str:
        """Return what the well of a place contains; empty if that is not known."""
        return self._texts.get(dict(place).get(Component.WELL.value, ""), "")

    def clear(self) -> None:
        """Forget all texts."""
        self._texts.clear()


def with_text(title: str, text: str) -> str:
    """Return a title with what the well contains, such as ``B03, site 2 - compound X, dose_um 0.3``."""
    return " - ".join(filter(None, (title, text)))


def _component_order(name: str) -> tuple[int, str]:
    known = [component.value for component in _ORDER]
    return (known.index(name), "") if name in known else (-1, name)
