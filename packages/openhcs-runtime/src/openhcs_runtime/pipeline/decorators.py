"""Decorators by which a pipeline function declares its inputs and outputs.

A function takes a stack (n, Y, X) and returns a stack of the same n. Decorators declare anything else:

- ``@special_outputs(OutputKind.LABELS, ...)``: returns a tuple, the stack first, then one value per kind;
- ``@special_inputs(InputKind.LABELS, ...)``: takes these as keyword arguments named after the kind;
- ``@reduces``: returns one plane, (1, Y, X), for the whole stack (a projection);
- ``@per_plane``: is written for one plane (Y, X) and called for each plane.
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
"""Planes of any numeric dtype, (n, Y, X)."""
StepFunction = Callable[..., Any]

_ATTRIBUTE = "__openhcs_traits__"
_F = TypeVar("_F", bound=StepFunction)
_P = ParamSpec("_P")


class OutputKind(StrEnum):
    """Values that a function can return in addition to its stack."""

    LABELS = "labels"
    """Label images, integers (n, Y, X): 0 is background, each object has a unique number within its plane."""
    MEASUREMENTS = "measurements"
    """A sequence of n ``Measurements``, one per plane."""
    ROIS = "rois"
    """A sequence of n sequences of regions of interest (``openhcs_runtime.rois``), one per plane."""


class InputKind(StrEnum):
    """Values that the engine can pass to a function in addition to its stack; the value is the argument name."""

    LABELS = "labels"
    """Labels (n, Y, X) that an earlier function made for the same images."""
    SHARED_LABELS = "shared_labels"
    """The same; an image without labels gets those of the lowest channel that has labels at its position."""
    PIXEL_SIZE_UM = "pixel_size_um"
    """Edge length of a pixel in micrometres; None if the plate does not have it."""
    POSITIONS = "positions"
    """Stage positions of the planes, (n, 2) float64 as y, x in micrometres (y increases downwards); None unless the
    plate has them for all planes. They refer to the same point of each plane."""
    RNG = "rng"
    """A separate ``numpy.random.Generator`` for each call, made from the seed of the run (``GlobalConfig.seed``) and
    the well: the same seed produces the same numbers, in every mode and on any worker."""


class DataFrame(Protocol):
    """A pandas, polars or Arrow table; none of these packages is required."""

    @property
    def columns(self) -> Any:
        """The columns of the table."""

    def __getitem__(self, name: Any, /) -> Any:
        """Return one of the columns."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """Measurements of one plane; column names end in their unit (``_px2``, ``_um2``), except for counts.

    A value is a number, a string, True, False or None; numpy scalars, dates and times are accepted, too. Columns that
    end in ``_count`` have whole numbers.

    Attributes:
        summary: One value per column for the plane.
        objects: For each column a list or an array with one value per object, all of the same length; or a pandas or
            polars data frame. The column ``label`` has the number of each object; if it is missing, there must be one
            row for each object of the labels that the function takes or returns, in the order of their numbers.
    """

    summary: Mapping[str, Any]
    objects: Mapping[str, Any] | DataFrame = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FunctionTraits:
    """The declarations of a function."""

    outputs: tuple[OutputKind, ...] = ()
    inputs: tuple[InputKind, ...] = ()
    reduces: bool = False
    unless: str | None = None
    """The argument that replaces the values from the engine; if it is not given, they have to be known."""


def traits_of(function: StepFunction) -> FunctionTraits:
    """Return the declarations of a function; a plain function has none."""
    traits = getattr(function, _ATTRIBUTE, None)
    return traits if isinstance(traits, FunctionTraits) else FunctionTraits()


def special_outputs(*kinds: OutputKind) -> Callable[[_F], _F]:
    """Declare that the function returns ``(stack, *values)`` with one value for each kind, in this order."""
    checked = tuple(choose(OutputKind, kind, "special output") for kind in kinds)

    def declare(function: _F) -> _F:
        return _with_traits(function, replace(traits_of(function), outputs=checked))

    return declare


def special_inputs(*kinds: InputKind, unless: str | None = None) -> Callable[[_F], _F]:
    """Declare that the function takes these keyword arguments from the engine.

    Args:
        kinds: The arguments to pass.
        unless: An argument of the function that makes positions and pixel size unnecessary; if a step does not set it,
            compiling fails for plates without them. None if the function accepts None for unknown values.
    """
    checked = tuple(choose(InputKind, kind, "special input") for kind in kinds)

    def declare(function: _F) -> _F:
        return _with_traits(function, replace(traits_of(function), inputs=checked, unless=unless))

    return declare


def reduces(function: _F) -> _F:
    """Declare that the function returns one plane (1, Y, X) for its stack."""
    return _with_traits(function, replace(traits_of(function), reduces=True))


def per_plane(
    function: Callable[Concatenate[NDArray[Any], _P], NDArray[Any]],
) -> Callable[Concatenate[NDArray[Any], _P], NDArray[Any]]:
    """Turn a function of one plane (Y, X) into a function of a stack (n, Y, X)."""

    @functools.wraps(function)
    def of_stack(stack: Stack, /, *args: _P.args, **kwargs: _P.kwargs) -> Stack:
        return np.stack([function(plane, *args, **kwargs) for plane in stack])

    return of_stack


def _with_traits(function: _F, traits: FunctionTraits) -> _F:
    setattr(function, _ATTRIBUTE, traits)
    return function
