"""Objects of an image placed apart from each other on a smaller one, so that operations treat them separately."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.groups import grouped

__all__ = ["Packed", "apart"]

_Value = TypeVar("_Value", bound=np.generic)
_GAP = 1


@dataclass(frozen=True, slots=True)
class Packed:
    """Where pixels of an image are on a canvas, on which no two objects touch.

    Attributes:
        places: The index of each pixel in the flat canvas.
        shape: Shape of the canvas.
    """

    places: NDArray[np.int64]
    shape: tuple[int, int]

    def spread(self, values: NDArray[_Value]) -> NDArray[_Value]:
        """Return the canvas with the values of the pixels, and 0 elsewhere."""
        canvas = np.zeros(self.shape, dtype=values.dtype)
        canvas.ravel()[self.places] = values
        return canvas

    def gather(self, canvas: NDArray[_Value]) -> NDArray[_Value]:
        """Return the values of the pixels on the canvas."""
        found: NDArray[_Value] = canvas.ravel()[self.places]
        return found


def apart(pixels: NDArray[np.integer], numbers: NDArray[np.integer], width: int) -> Packed:
    """Place objects on a canvas, each with its shape and the row order of its pixels.

    Args:
        pixels: Indices of the pixels in the flat image, increasing.
        numbers: The number of the object of each pixel, from 0.
        width: The width of the image.
    """
    if not len(pixels):
        return Packed(np.zeros(0, dtype=np.int64), (1, 1))
    y, x = np.divmod(pixels, width)
    groups = grouped(numbers, int(numbers.max()) + 1)
    used = np.flatnonzero(groups.sizes)
    firsts = groups.starts[used]
    columns = x[groups.order]
    top, bottom = y[groups.order[firsts]], y[groups.order[groups.starts[used + 1] - 1]]
    left, right = np.minimum.reduceat(columns, firsts), np.maximum.reduceat(columns, firsts)
    rows, across, shape = _shelves((bottom - top + 1).tolist(), (right - left + 1).tolist())
    down, over = np.zeros((2, len(groups.sizes)), dtype=np.int64)
    down[used], over[used] = np.array(rows) - top, np.array(across) - left
    return Packed((y + down[numbers]) * shape[1] + x + over[numbers], shape)


def _shelves(heights: list[int], widths: list[int]) -> tuple[list[int], list[int], tuple[int, int]]:
    """Return rows and columns of boxes, and the size of the canvas: the highest boxes first, in rows."""
    area = sum((height + _GAP) * (width + _GAP) for height, width in zip(heights, widths, strict=True))
    size = max(max(widths) + _GAP, math.isqrt(area) + 1)
    rows, columns = [0] * len(heights), [0] * len(heights)
    row = column = high = 0
    for number in sorted(range(len(heights)), key=heights.__getitem__, reverse=True):
        if column + widths[number] > size:
            row, column, high = row + high + _GAP, 0, 0
        rows[number], columns[number] = row, column
        column += widths[number] + _GAP
        high = max(high, heights[number])
    return rows, columns, (row + high, size)
