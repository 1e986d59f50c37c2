"""Calls the functions of a step on one stack and checks that they give what they declare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import StepError
from openhcs_runtime.pipeline.declare import FunctionTraits, InputKind, Measurements, OutputKind, Stack, traits_of
from openhcs_runtime.pipeline.patterns import PatternGroup, reduced_key, shared_key
from openhcs_runtime.pipeline.step import FunctionCall
from openhcs_runtime.rois.shapes import Ellipse, Mask, Points, Polygon, Polyline, Roi


@dataclass(frozen=True, slots=True)
class Known:
    """What the engine knows of a well, for the special inputs of functions.

    labels: a plane (Y, X) for each image that has any. positions: of each site, y and x in micrometres.
    """

    labels: Mapping[ImageKey, NDArray[Any]] = field(default_factory=dict)
    positions: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    pixel_size_um: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured in one image; objects_of: the very plane of labels whose objects they are, if any."""

    key: ImageKey
    measurements: Measurements
    objects_of: NDArray[Any] | None


@dataclass(slots=True)
class GroupResult:
    """What a chain of calls has made of a pattern group so far.

    keys and stack (n, Y, X) belong together; labels, measurements and rois are those that this chain has made.
    """

    keys: tuple[ImageKey, ...]
    stack: Stack
    labels: dict[ImageKey, NDArray[Any]] = field(default_factory=dict)
    measurements: list[Measured] = field(default_factory=list)
    rois: dict[ImageKey, tuple[Roi, ...]] = field(default_factory=dict)


def call_chain(calls: Sequence[FunctionCall], stack: Stack, group: PatternGroup, known: Known) -> GroupResult:
    """Feed the stack through the calls.

    Raises StepError when a function raises an exception, or gives something else than it declares.
    """
    result = GroupResult(group.keys, stack)
    for call in calls:
        traits = traits_of(call.function)
        planes = _label_planes(call, traits, result, known)
        returned = _call(call, result.stack, _special_inputs(traits, result, known, planes), group)
        values = _unpack(call, traits, returned)
        if traits.reduces:
            result.keys = (reduced_key(group.keys, group.variable, group.named),)
        result.stack = _checked_stack(call, values[0], len(result.keys))
        objects_of = dict(zip(result.keys, planes, strict=False)) if not traits.reduces else {}
        for kind, value in sorted(zip(traits.outputs, values[1:], strict=True), key=_labels_first):
            _take_output(call, kind, value, result, objects_of)
    return result


def _call(call: FunctionCall, stack: Stack, special: dict[str, Any], group: PatternGroup) -> Any:
    try:
        return call.function(stack, **special, **call.kwargs)
    except (Exception, SystemExit) as error:  # a user's function may raise anything
        raise StepError(f"{call.name} failed on {group.pattern}: {type(error).__name__}: {error}") from error


def stacked(planes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """(n, Y, X) from planes of one shape; a single one is not copied."""
    return planes[0][np.newaxis] if len(planes) == 1 else np.stack(planes)


def _special_inputs(
    traits: FunctionTraits, result: GroupResult, known: Known, planes: Sequence[NDArray[Any]]
) -> dict[str, Any]:
    special: dict[str, Any] = {}
    for kind in traits.inputs:
        match kind:
            case InputKind.LABELS | InputKind.SHARED_LABELS:
                special[kind.value] = stacked(planes)
            case InputKind.PIXEL_SIZE_UM:
                special[kind.value] = known.pixel_size_um
            case InputKind.POSITIONS:
                places = [known.positions[key.site] for key in result.keys if key.site in known.positions]
                special[kind.value] = np.array(places) if len(places) == len(result.keys) else None
    return special


def _label_planes(call: FunctionCall, traits: FunctionTraits, result: GroupResult, known: Known) -> list[NDArray[Any]]:
    """The labels of each image of the stack; none when the function takes no labels."""
    own, shared = InputKind.LABELS in traits.inputs, InputKind.SHARED_LABELS in traits.inputs
    if not (own or shared):
        return []
    labels = {**known.labels, **result.labels}
    keys = result.keys if own else [shared_key(key, labels) for key in result.keys]
    planes = [labels[key] for key in keys if key in labels]
    if len(planes) < len(keys):
        where = "for these images" if own else "at their place"
        raise StepError(f"{call.name} needs labels, but no earlier function made any {where}")
    if len({plane.shape for plane in [*planes, result.stack[0]]}) > 1:
        raise StepError(f"{call.name} got labels of another size than the images: {_sizes([*planes, result.stack[0]])}")
    return planes


def _unpack(call: FunctionCall, traits: FunctionTraits, returned: Any) -> tuple[Any, ...]:
    if not traits.outputs:
        return (returned,)
    expected = 1 + len(traits.outputs)
    if not isinstance(returned, tuple) or len(returned) != expected:
        kinds = ", ".join(traits.outputs)
        raise StepError(
            f"{call.name} must return the stack and {kinds} as a tuple of {expected}, not {_what(returned)}"
        )
    return returned


def _checked_stack(call: FunctionCall, stack: Any, planes: int) -> Stack:
    if not isinstance(stack, np.ndarray) or stack.ndim != 3 or len(stack) != planes:
        raise StepError(f"{call.name} must return a stack of {planes} plane(s), ({planes}, Y, X), not {_what(stack)}")
    return stack


def _labels_first(output: tuple[OutputKind, Any]) -> bool:
    return output[0] is not OutputKind.LABELS


def _take_output(
    call: FunctionCall, kind: OutputKind, value: Any, result: GroupResult, objects_of: dict[ImageKey, NDArray[Any]]
) -> None:
    planes = len(result.keys)
    match kind:
        case OutputKind.LABELS:
            labels = _checked_stack(call, value, planes)
            if not np.issubdtype(labels.dtype, np.integer):
                raise StepError(f"{call.name} must return integer labels, not {labels.dtype}")
            result.labels.update(zip(result.keys, labels, strict=True))
            objects_of.update((key, result.labels[key]) for key in result.keys)
        case OutputKind.MEASUREMENTS:
            if (
                not isinstance(value, Sequence)
                or len(value) != planes
                or not all(isinstance(entry, Measurements) for entry in value)
            ):
                raise StepError(f"{call.name} must return a list of {planes} Measurements, not {_what(value)}")
            for key, measurements in zip(result.keys, value, strict=True):
                result.measurements.append(Measured(key, measurements, objects_of.get(key)))
        case OutputKind.ROIS:
            for key, rois in zip(result.keys, _checked_rois(call, value, planes), strict=True):
                result.rois[key] = (*result.rois.get(key, ()), *rois)


def _checked_rois(call: FunctionCall, value: Any, planes: int) -> Sequence[Sequence[Roi]]:
    wanted = f"{call.name} must return a list of {planes} list(s) of regions of interest"
    if not isinstance(value, Sequence) or len(value) != planes:
        raise StepError(f"{wanted}, not {_what(value)}")
    for rois in value:
        if not isinstance(rois, Sequence):
            raise StepError(f"{wanted}, not a list with {_what(rois)} in it")
        for roi in rois:
            if not isinstance(roi, Polygon | Polyline | Ellipse | Points | Mask):
                raise StepError(f"{wanted}, not with {_what(roi)} among them")
    return value


def _sizes(planes: Sequence[NDArray[Any]]) -> str:
    return ", ".join(sorted({"x".join(map(str, plane.shape)) for plane in planes}))


def _what(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
