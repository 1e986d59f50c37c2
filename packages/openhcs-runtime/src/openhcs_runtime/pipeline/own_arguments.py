"""Gives each call of a function arguments of its own, so that what it does to them in place reaches nobody else."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["own_arguments", "own_stack", "stacked", "stacked_copy"]


def stacked(planes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """(n, Y, X) from planes of one shape; a single one is not copied."""
    return planes[0][np.newaxis] if len(planes) == 1 else np.stack(planes)


def stacked_copy(planes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """(n, Y, X) from planes of one shape, in memory of its own.

    A copy and not a view that can't be written: functions written in C refuse those, and copying 2048 x 2048 labels
    takes a few milliseconds.
    """
    return np.stack(planes)


def own_stack(stack: NDArray[Any]) -> NDArray[Any]:
    """The stack, copied where it can't be written or its planes share memory; nobody else reads it otherwise."""
    overlaps = any(step == 0 and size > 1 for step, size in zip(stack.strides, stack.shape, strict=True))
    return stack.copy() if overlaps or not stack.flags.writeable else stack


def own_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a step for one call. What can't be copied, such as a lock, is handed on as it is."""
    return {name: _copied(value) for name, value in arguments.items()}


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001  a class of the user says what it can, in any way
        return value
