"""Pixels grouped by the object that they belong to."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Groups", "grouped", "quantile_of"]

_RADIX = 1 << 16
"""Below this number, NumPy sorts integers without comparing them."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The members of groups numbered from 0.

    Attributes:
        order: Places of the members, group by group, those of a group in their original order.
        starts: Where each group starts in ``order``; one more than the number of groups.
    """

    order: NDArray[np.intp]
    starts: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of members of each group."""
        return np.diff(self.starts)

    def of(self, number: int) -> NDArray[np.intp]:
        """Return the places of the members of one group."""
        return self.order[self.starts[number] : self.starts[number + 1]]

    def split(self, values: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield the values of each group."""
        ordered = values[self.order]
        for start, stop in pairwise(self.starts.tolist()):
            yield ordered[start:stop]

    def quantiles(self, values: NDArray[np.floating], part: float) -> NDArray[np.float64]:
        """Return a quantile of the values of each group, 0 for an empty one; see ``quantile_of``."""
        return np.array([quantile_of(some, part) if len(some) else 0.0 for some in self.split(values)])


def grouped(numbers: NDArray[np.integer], count: int) -> Groups:
    """Group places by their numbers, from 0 to ``count`` - 1."""
    keys = numbers.astype(np.uint16) if count <= _RADIX else numbers
    sizes = np.bincount(numbers, minlength=count)
    return Groups(np.argsort(keys, kind="stable"), np.concatenate([[0], np.cumsum(sizes)]))


def quantile_of(values: NDArray[np.floating], part: float) -> float:
    """Return a quantile of values in one dimension, of which there is at least one and none is NaN.

    The same as ``numpy.quantile``, up to rounding, and faster for few values.
    """
    place = part * (len(values) - 1)
    rank = int(place)
    ordered = np.partition(values, rank)
    low, between = float(ordered[rank]), place - rank
    if not between:
        return low
    return low + (float(ordered[rank + 1 :].min()) - low) * between
