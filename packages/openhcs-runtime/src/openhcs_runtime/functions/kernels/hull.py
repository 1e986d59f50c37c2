"""Convex hulls of pixels, from whole numbers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Hull", "hull_of", "hulls_of", "joint_hull"]

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Hull:
    """The convex hull of the centres of pixels.

    Attributes:
        left: The corners (y, x) on the left, from the top to the bottom.
        right: Those on the right; both sides have the end points of horizontal edges.
    """

    left: tuple[Point, ...]
    right: tuple[Point, ...]

    @property
    def area(self) -> float:
        """About the number of pixels in it, from the area between the corners and their distances."""
        twice, length = 0, 0.0
        y, x = self.left[0]
        for next_y, next_x in (*self.left[1:], *reversed(self.right), self.left[0]):
            twice += y * next_x - next_y * x
            length += math.sqrt((next_y - y) ** 2 + (next_x - x) ** 2)
            y, x = next_y, next_x
        return abs(twice) / 2 + length / 2 + 1


def hull_of(y: NDArray[np.integer], x: NDArray[np.integer]) -> Hull:
    """Return the hull of at least one pixel; the pixels are sorted by row and column."""
    return hulls_of(y, x, np.array([0, len(y)]))[0]


def hulls_of(y: NDArray[np.integer], x: NDArray[np.integer], starts: NDArray[np.integer]) -> list[Hull]:
    """Return the hulls of several objects, whose pixels follow each other.

    Args:
        y: Rows of the pixels, sorted within each object.
        x: Their columns, sorted within each row.
        starts: Where the pixels of each object start, and the number of all; each object has at least one.
    """
    new_row = np.append(True, y[1:] != y[:-1])
    new_row[starts[:-1]] = True
    firsts = np.flatnonzero(new_row)
    lasts = np.append(firsts[1:], len(y)) - 1
    bounds = np.searchsorted(firsts, starts)
    left, right = _sides(y[firsts], x[firsts], bounds, 1), _sides(y[firsts], x[lasts], bounds, -1)
    return [Hull(*sides) for sides in zip(left, right, strict=True)]


def _sides(
    y: NDArray[np.integer], x: NDArray[np.integer], bounds: NDArray[np.integer], side: int
) -> Iterator[tuple[Point, ...]]:
    """Yield the chain of each object; points that are no corner between their neighbours are left out beforehand."""
    corner = np.ones(len(y), dtype=bool)
    corner[1:-1] = side * ((y[1:-1] - y[:-2]) * (x[2:] - x[:-2]) - (x[1:-1] - x[:-2]) * (y[2:] - y[:-2])) > 0
    corner[bounds[:-1]] = corner[bounds[1:] - 1] = True
    points = list(zip(y[corner].tolist(), x[corner].tolist(), strict=True))
    ends = np.append(0, np.cumsum(corner))[bounds].tolist()
    for top, bottom in pairwise(ends):
        yield _chain(points[top:bottom], side)


def joint_hull(one: Hull, other: Hull) -> Hull:
    """Return the hull of two hulls."""
    left = dict(sorted((*one.left, *other.left), reverse=True))  # of two in a row, the outer one is the last
    right = dict(sorted((*one.right, *other.right)))
    return Hull(_chain(list(left.items())[::-1], 1), _chain(list(right.items()), -1))


def _chain(points: Sequence[Point], side: int) -> tuple[Point, ...]:
    """Return the corners on one side: 1 for the left, -1 for the right; one point a row, from the top to the bottom.

    Andrew's monotone chain (Information Processing Letters 9(5), 1979).
    """
    corners: list[Point] = []
    for point in points:
        y, x = point
        while len(corners) > 1:
            first_y, first_x = corners[-2]
            last_y, last_x = corners[-1]
            if side * ((last_y - first_y) * (x - first_x) - (last_x - first_x) * (y - first_y)) > 0:
                break
            corners.pop()
        corners.append(point)
    return tuple(corners)
