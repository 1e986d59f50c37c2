"""What a pipeline function says about itself, by decorators at its definition.

A function takes a stack (n, Y, X) and gives a stack of the same n. These declare anything else:

- `@special_outputs(OutputKind.LABELS, ...)`: it returns a tuple, the stack first, then one value per kind;
- `@special_inputs(InputKind.LABELS, ...)`: it wants these as keyword arguments named like the kind;
- `@reduces`: it gives one plane, (1, Y, X), for the whole stack (a projection);
- `@per_plane`: it is written for one plane (Y, X) and is to be called for each.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose

Stack = NDArray[Any]
"""Planes of any numeric type, (n, Y, X)."""
StepFunction = Callable[..., Any]

_ATTRIBUTE = "__openhcs_traits__"
_F = TypeVar("_F", bound=StepFunction)
_P = ParamSpec("_P")


class OutputKind(StrEnum):
    """What a function can return beside its stack."""

    LABELS = "labels"
    """Label image, integers (n, Y, X): 0 is background, each object has a number of its own in its plane."""
    MEASUREMENTS = "measurements"
    """A sequence of n `Measurements`, one per plane."""
    ROIS = "rois"
    """A sequence of n sequences of regions of interest (`openhcs_runtime.rois`), one per plane."""


class InputKind(StrEnum):
    """What the engine can hand to a function beside its stack; the value is the name of the argument."""

    LABELS = "labels"
    """The labels (n, Y, X) that an earlier function has made for the same images."""
    SHARED_LABELS = "shared_labels"
    """The same, where an image has none with those of another channel at its place: the lowest channel that has any."""
    PIXEL_SIZE_UM = "pixel_size_um"
    """Edge of a pixel in micrometres, or None when the plate does not say."""
    POSITIONS = "positions"
    """Where the planes were taken, (n, 2) float64 as y, x in micrometres (y grows downwards), or None when the plate
    does not say it for all of them. Of which point of a plane it is the place is the same for all."""
    RNG = "rng"
    """A `numpy.random.Generator` of its own for each call, made from the seed of the run (`GlobalConfig.seed`) and the
    well: the same numbers again for the same seed, in every mode and whatever worker has the well."""


class DataFrame(Protocol):
    """A table of pandas, polars or Arrow, none of which is needed here."""

    @property
    def columns(self) -> Any:
        """What it has."""

    def __getitem__(self, name: Any, /) -> Any:
        """One of its columns."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """What was measured in one plane. Column names end in their unit (`_px2`, `_um2`), without one for counts.

    A value is a number, a text, True, False or None; numpy's scalars, dates and times are taken, too. What ends in
    `_count` is a whole number.

    summary: one value per column for the plane.
    objects: per column a list or an array with one value per object, all of one length; a data frame of pandas or
        polars is one, too. The column `label` has the number of each object; without one the rows are in the order of
        the numbers of the labels that the function took or gave, and there must be one row for each.
    """

    summary: Mapping[str, Any]
    objects: Mapping[str, Any] | DataFrame = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FunctionTraits:
    """The declarations of one function."""

    outputs: tuple[OutputKind, ...] = ()
    inputs: tuple[InputKind, ...] = ()
    reduces: bool = False
    unless: str | None = None
    """The argument that takes the place of what the engine gives; without it that must be known."""


def traits_of(function: StepFunction) -> FunctionTraits:
    """What `function` declares; a plain function declares nothing."""
    traits = getattr(function, _ATTRIBUTE, None)
    return traits if isinstance(traits, FunctionTraits) else FunctionTraits()


def special_outputs(*kinds: OutputKind) -> Callable[[_F], _F]:
    """Declare that the function returns `(stack, *values)` with one value for each kind, in this order."""
    checked = tuple(choose(OutputKind, kind, "special output") for kind in kinds)

    def declare(function: _F) -> _F:
        return _with_traits(function, replace(traits_of(function), outputs=checked))

    return declare


def special_inputs(*kinds: InputKind, unless: str | None = None) -> Callable[[_F], _F]:
    """Declare that the function takes these keyword arguments from the engine.

    unless: an argument of the function that makes positions and pixel size unnecessary; where it is not given, a plate
    that lacks them is refused when the pipeline is compiled. None: the function takes None for what is not known.
    """
    checked = tuple(choose(InputKind, kind, "special input") for kind in kinds)

    def declare(function: _F) -> _F:
        return _with_traits(function, replace(traits_of(function), inputs=checked, unless=unless))

    return declare


def reduces(function: _F) -> _F:
    """Declare that the function gives one plane (1, Y, X) for its stack."""
    return _with_traits(function, replace(traits_of(function), reduces=True))


def per_plane(
    function: Callable[Concatenate[NDArray[Any], _P], NDArray[Any]],
) -> Callable[Concatenate[NDArray[Any], _P], NDArray[Any]]:
    """Make a function of one plane (Y, X) into one of a stack (n, Y, X)."""

    @functools.wraps(function)
    def of_stack(stack: Stack, /, *args: _P.args, **kwargs: _P.kwargs) -> Stack:
        return np.stack([function(plane, *args, **kwargs) for plane in stack])

    return of_stack


def _with_traits(function: _F, traits: FunctionTraits) -> _F:
    setattr(function, _ATTRIBUTE, traits)
    return function
