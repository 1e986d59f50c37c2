"""The numbers of objects in label images, at a cost independent of the size of the numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["consecutive", "numbers_of"]

_Labels = NDArray[np.integer[Any]]


def numbers_of(labels: _Labels) -> NDArray[np.int64]:
    """Return the numbers of the objects, sorted, without the background 0.

    Raises:
        ValueError: A number is negative.
    """
    if (lowest := int(labels.min(initial=0))) < 0:
        raise ValueError(f"labels must be whole numbers of 0 or more, and one is {lowest}: set the background to 0")
    inside = labels[labels != 0]
    if _is_dense(labels):
        return np.flatnonzero(np.bincount(inside.astype(np.int64, copy=False))).astype(np.int64)
    return np.unique(inside).astype(np.int64)


def consecutive(labels: _Labels) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Renumber the objects consecutively, for tables with an entry for each number up to the largest.

    Returns:
        The numbers of the objects, sorted, and labels in which object ``numbers[i]`` has the number i + 1.
    """
    numbers = numbers_of(labels)
    if len(numbers) == 0 or numbers[-1] == len(numbers):
        return numbers, labels.astype(np.int32, copy=False)
    if _is_dense(labels):
        table = np.zeros(int(numbers[-1]) + 1, np.int32)
        table[numbers] = np.arange(1, len(numbers) + 1)
        return numbers, table[labels]
    compact = np.zeros(labels.shape, np.int32)
    inside = labels != 0
    compact[inside] = np.searchsorted(numbers, labels[inside]) + 1
    return numbers, compact


def _is_dense(labels: _Labels) -> bool:
    """Return whether a table of all numbers up to the largest is at most as large as the image."""
    return int(labels.max(initial=0)) <= max(labels.size, 1 << 16)
