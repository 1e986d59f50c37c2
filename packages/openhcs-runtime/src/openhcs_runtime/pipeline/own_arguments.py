"""Separate copies of arguments for each function call, so that changes made in place have no effect elsewhere."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["own_arguments", "own_stack", "stacked", "stacked_copy"]


def stacked(planes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return a stack (n, Y, X) of planes of one shape; a single plane is not copied."""
    return planes[0][np.newaxis] if len(planes) == 1 else np.stack(planes)


def stacked_copy(planes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return a stack (n, Y, X) of planes of one shape, always as a copy.

    A read-only view would not do: functions written in C refuse those, and copying 2048 x 2048 labels takes only a few
    milliseconds.
    """
    return np.stack(planes)


def own_stack(stack: NDArray[Any]) -> NDArray[Any]:
    """Return the stack, copied if it is read-only or its planes share memory; otherwise nothing else uses it."""
    overlaps = any(step == 0 and size > 1 for step, size in zip(stack.strides, stack.shape, strict=True))
    return stack.copy() if overlaps or not stack.flags.writeable else stack


def own_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the keyword arguments of a step for one call; values that can't be copied, such as locks, are shared."""
    return {name: _copied(value) for name, value in arguments.items()}


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001  a user's class may raise anything
        return value
