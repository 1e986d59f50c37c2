"""Decorators by which a pipeline function declares its inputs and outputs.

A function takes a stack (n, Y, X) and returns a stack of the same n. Decorators declare anything else:

- ``@special_outputs(OutputKind.LABELS, ...)``: returns a tuple, the stack first, then one value per kind;
- ``@special_inputs(InputKind.LABELS, ...)``: takes these as keyword arguments named after the kind;
- ``@plate_inputs("illumination", ...)``: takes values that earlier steps over the plate have made;
- ``@plate_output("illumination")``: is the function of a ``PlateStep``, and makes this value;
- ``@reduces``: returns one plane, (1, Y, X), for the whole stack (a projection);
- ``@checked_by(check)``: has arguments that are checked when a pipeline is compiled;
- ``@per_plane``: is written for one plane (Y, X) and called for each plane.
"""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose
from openhcs_runtime.components import Component

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
    """A sequence of n ``Measurements``, one per plane; or of n tuples of them, one for each set of objects."""
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
    MEASUREMENTS = "measurements"
    """What earlier functions measured of each plane: a list of n dicts of values by column."""
    CHANNELS = "channels"
    """Short names of the channels of the planes, a tuple of n strings, as they appear in names of columns."""
    TIMEPOINTS = "timepoints"
    """Numbers of the time points of the planes, a tuple of n whole numbers."""
    SET_NAMES = "set_names"
    """Names of the sets of objects that the labels have, a list of n strings."""
    OBJECT_SETS = "object_sets"
    """The labels of every set of objects found so far, a dict of arrays (n, Y, X) by the name of the set; a set that is
    missing at the position of a plane has no objects there."""
    RNG = "rng"
    """A separate ``numpy.random.Generator`` for each call, made from the seed of the run (``GlobalConfig.seed``) and
    the well: the same seed produces the same numbers, in every mode and on any worker."""


RESERVED_NAMES = frozenset(kind.value for kind in InputKind)
"""Argument names that the value of a step over the plate can't have."""


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
        name: Name of the set of objects, which is the name of its table; empty for the name that its labels have.
        without_channel: Columns that do not depend on the channel, such as areas; the names of all others get the
            channel when they are written to a table with all channels in a row.
    """

    summary: Mapping[str, Any]
    objects: Mapping[str, Any] | DataFrame = field(default_factory=dict)
    name: str = ""
    without_channel: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class PlateOutput:
    """The value that a function of a ``PlateStep`` makes.

    Attributes:
        name: Its name.
        per: The component that it has one entry for each value of; None if it is one for the whole plate.
    """

    name: str
    per: Component | None = None


@dataclass(frozen=True, slots=True)
class FunctionTraits:
    """The declarations of a function."""

    outputs: tuple[OutputKind, ...] = ()
    inputs: tuple[InputKind, ...] = ()
    reduces: bool = False
    unless: str | None = None
    """The argument that replaces the values from the engine; if it is not given, they have to be known."""
    finds: str = ""
    """Name of the set of objects that it finds; empty for the name of the function."""
    plate_inputs: tuple[str, ...] = ()
    plate_output: PlateOutput | None = None
    check: Callable[..., Iterable[str]] | None = None
    """Called with the arguments of a step when it is compiled; yields a line for each problem."""


def traits_of(function: StepFunction) -> FunctionTraits:
    """Return the declarations of a function; a plain function has none."""
    traits = getattr(function, _ATTRIBUTE, None)
    return traits if isinstance(traits, FunctionTraits) else FunctionTraits()


def special_outputs(*kinds: OutputKind, finds: str = "") -> Callable[[_F], _F]:
    """Declare that the function returns ``(stack, *values)`` with one value for each kind, in this order.

    Args:
        kinds: What it returns.
        finds: What the objects are called whose labels it returns, such as ``nuclei``: the name of their table, unless
            a function that measures them names them [default: the name of the function].
    """
    checked = tuple(choose(OutputKind, kind, "special output") for kind in kinds)

    def declare(function: _F) -> _F:
        return _with_traits(function, replace(traits_of(function), outputs=checked, finds=finds))

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


def plate_output(name: str, *, per: Component | None = None) -> Callable[[_F], _F]:
    """Declare that the function is for a ``PlateStep``: it takes a ``PlateData`` and returns the value ``name``.

    A value consists of numpy arrays, numbers, strings, booleans, None, and lists and dicts of these.

    Args:
        name: Name of the argument by which functions of later steps take the value.
        per: The value is a dict with one entry for each value of this component, such as one array for each channel.
            Later functions get the entries of the images in their stack: one for each plane, as an array (n, ...) if
            they are arrays of the same shape, otherwise as a list. For wells it is the entry of the well itself.

    Raises:
        ValueError: If the name can't be that of an argument.
    """
    if not name.isidentifier() or name in RESERVED_NAMES:
        raise ValueError(f"plate_output {name!r} can't be the name of an argument: choose another name")
    made = PlateOutput(name, None if per is None else choose(Component, per, "component"))

    def declare(function: _F) -> _F:
        return _with_traits(function, replace(traits_of(function), plate_output=made))

    return declare


def plate_inputs(*names: str) -> Callable[[_F], _F]:
    """Declare that the function takes the values with these names, made by earlier steps over the plate."""

    def declare(function: _F) -> _F:
        return _with_traits(function, replace(traits_of(function), plate_inputs=names))

    return declare


def checked_by(check: Callable[..., Iterable[str]]) -> Callable[[_F], _F]:
    """Declare what is checked when a pipeline with the function is compiled, such as whether its weights are there.

    Args:
        check: Called with the keyword arguments of the step; yields a line for each problem, with its remedy.
    """

    def declare(function: _F) -> _F:
        return _with_traits(function, replace(traits_of(function), check=check))

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
        planes = [function(plane, *args, **kwargs) for plane in stack]
        if len(planes) == 1 and not np.may_share_memory(planes[0], stack):
            return np.asarray(planes[0])[np.newaxis]
        return np.stack(planes)

    return of_stack


def _with_traits(function: _F, traits: FunctionTraits) -> _F:
    setattr(function, _ATTRIBUTE, traits)
    return function
