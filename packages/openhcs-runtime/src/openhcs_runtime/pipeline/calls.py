"""Calls the functions of a step on one stack and checks that they give what they declare."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import StepError
from openhcs_runtime.pipeline.declare import FunctionTraits, InputKind, Measurements, OutputKind, Stack, traits_of
from openhcs_runtime.pipeline.patterns import PatternGroup, reduced_key
from openhcs_runtime.pipeline.step import FunctionCall


@dataclass(slots=True)
class GroupResult:
    """What a chain of calls has made of a pattern group so far.

    keys and stack (n, Y, X) belong together; labels are those in force, new_labels those that this chain has made.
    """

    keys: tuple[ImageKey, ...]
    stack: Stack
    labels: NDArray[Any] | None = None
    new_labels: NDArray[Any] | None = None
    measurements: list[tuple[ImageKey, Measurements]] = field(default_factory=list)


def call_chain(
    calls: Sequence[FunctionCall],
    stack: Stack,
    group: PatternGroup,
    *,
    labels: NDArray[Any] | None,
    pixel_size_um: float | None,
) -> GroupResult:
    """Feed the stack through the calls.

    Raises StepError when a function raises an exception, or gives something else than it declares.
    """
    result = GroupResult(group.keys, stack, labels)
    for call in calls:
        traits = traits_of(call.function)
        returned = _call(call, result.stack, _special_inputs(call, traits, result, pixel_size_um), group)
        values = _unpack(call, traits, returned)
        if traits.reduces:
            result.keys = (reduced_key(group.keys, group.variable),)
            result.labels = None
        result.stack = _checked_stack(call, values[0], len(result.keys))
        for kind, value in zip(traits.outputs, values[1:], strict=True):
            _take_output(call, kind, value, result)
    return result


def _call(call: FunctionCall, stack: Stack, special: dict[str, Any], group: PatternGroup) -> Any:
    try:
        return call.function(stack, **special, **call.kwargs)
    except (Exception, SystemExit) as error:  # a user's function may raise anything
        raise StepError(f"{call.name} failed on {group.pattern}: {type(error).__name__}: {error}") from error


def _special_inputs(
    call: FunctionCall, traits: FunctionTraits, result: GroupResult, pixel_size_um: float | None
) -> dict[str, Any]:
    special: dict[str, Any] = {}
    for kind in traits.inputs:
        match kind:
            case InputKind.LABELS:
                if result.labels is None:
                    raise StepError(f"{call.name} needs labels, but no earlier function made any for these images")
                special[kind.value] = result.labels
            case InputKind.PIXEL_SIZE_UM:
                special[kind.value] = pixel_size_um
    return special


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


def _take_output(call: FunctionCall, kind: OutputKind, value: Any, result: GroupResult) -> None:
    planes = len(result.keys)
    match kind:
        case OutputKind.LABELS:
            labels = _checked_stack(call, value, planes)
            if not np.issubdtype(labels.dtype, np.integer):
                raise StepError(f"{call.name} must return integer labels, not {labels.dtype}")
            result.labels = result.new_labels = labels
        case OutputKind.MEASUREMENTS:
            if (
                not isinstance(value, Sequence)
                or len(value) != planes
                or not all(isinstance(entry, Measurements) for entry in value)
            ):
                raise StepError(f"{call.name} must return a list of {planes} Measurements, not {_what(value)}")
            result.measurements.extend(zip(result.keys, value, strict=True))


def _what(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
