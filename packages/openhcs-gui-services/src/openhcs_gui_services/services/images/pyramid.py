"""A plane at several resolutions, each half of the one before, so that an overview costs little."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pyramid"]

_SMALLEST = 128
"""Levels are made down to this edge, in pixels."""


class Pyramid:
    """A plane (Y, X) and smaller copies of it. Levels are made when they are first asked for, in any thread.

    Args:
        plane: the plane, which must not be changed any more.
    """

    def __init__(self, plane: NDArray[Any]) -> None:
        self._levels = [plane]

    @property
    def plane(self) -> NDArray[Any]:
        """The plane at full resolution (Y, X)."""
        return self._levels[0]

    @property
    def nbytes(self) -> int:
        """The bytes of all levels together, whether they have been made or not."""
        return self.plane.nbytes * 4 // 3

    def level_for(self, scale: float) -> int:
        """Return the level to draw from at ``scale`` screen pixels for one pixel of the plane."""
        level, edge = 0, min(self.plane.shape)
        while scale * 2 ** (level + 1) <= 1 and edge // 2 ** (level + 1) >= _SMALLEST:
            level += 1
        return level

    def level(self, number: int) -> NDArray[Any]:
        """Return a level (Y, X); each of its pixels is the mean of ``2**number`` x ``2**number`` pixels."""
        levels = self._levels
        while len(levels) <= number:
            levels = [*levels, _half(levels[-1])]
        if len(levels) > len(self._levels):
            self._levels = levels
        return levels[number]

    @cached_property
    def sample(self) -> NDArray[Any]:
        """Finite pixels of the whole plane (1D), at most some ten thousand, for percentiles and histograms."""
        plane = self.plane
        step = max(1, int(np.sqrt(plane.size / 16_384)))
        picked = plane[::step, ::step].ravel()
        return picked[np.isfinite(picked)] if picked.dtype.kind == "f" else picked


def _half(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the means of blocks of 2 x 2 pixels; an odd last row or column is left out."""
    rows, columns = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    if plane.dtype.kind not in "iuf":
        plane = plane.astype(np.float32)
    wide = np.float32 if plane.dtype.kind == "f" or plane.dtype.itemsize > 2 else np.uint32
    total = np.add(plane[0:rows:2, 0:columns:2], plane[0:rows:2, 1:columns:2], dtype=wide)
    total += plane[1:rows:2, 0:columns:2]
    total += plane[1:rows:2, 1:columns:2]
    if wide is np.float32:
        total *= np.float32(0.25)
    else:
        total >>= 2
    half: NDArray[Any] = total.astype(plane.dtype)
    return half
