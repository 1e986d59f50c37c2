"""Outlines of pixels along their edges, and pixels inside outlines."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Right, down, left and up: a right turn is the next one."""


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the closed outlines of the pixels in a mask (Y, X), each as corners (n, 2) in y, x at half-integers.

    They follow the edges of pixels, so the area they enclose equals the number of pixels. Pixels that touch at a corner
    are connected. Outer outlines have a positive ``signed_area``, holes a negative one.
    """
    leaving = _leaving(np.pad(mask, 1))
    found = []
    while leaving:
        start = next(iter(leaving))
        found.append(_follow(leaving, start))
    return [
        np.array(corners, dtype=float) - 1.5 for corners in found
    ]  # one pixel of padding, and half a pixel to its centre


def signed_area(corners: NDArray[np.float64]) -> float:
    """Return the area of an outline (n, 2): positive if it runs clockwise, with y downwards."""
    y, x = corners.T
    return float(np.dot(np.roll(x, 1), y) - np.dot(np.roll(y, 1), x)) / 2


def fill(loops: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels (Y, X) whose centres are inside the outlines, by the even-odd rule, clipped to the image."""
    from skimage.draw import polygon as draw_polygon  # noqa: PLC0415  loads slowly

    filled = np.zeros(shape, dtype=bool)
    for loop in loops:
        rows, columns = draw_polygon(loop[:, 0], loop[:, 1], shape)
        filled[rows, columns] ^= True
    return filled


def _leaving(mask: NDArray[np.bool_]) -> dict[tuple[int, int], list[int]]:
    """Return the directions in which edges leave each corner, with the pixels of the mask on their right."""
    leaving: dict[tuple[int, int], list[int]] = {}
    above, below = mask[:-1], mask[1:]
    before, after = mask[:, :-1], mask[:, 1:]
    edges = (
        (below & ~above, 1, 0),
        (before & ~after, 0, 1),
        (above & ~below, 1, 1),
        (after & ~before, 1, 1),
    )
    for direction, (present, down, right) in enumerate(edges):
        offset = np.array([down, right])
        for y, x in (np.argwhere(present) + offset).tolist():
            leaving.setdefault((y, x), []).append(direction)
    return leaving


def _follow(leaving: dict[tuple[int, int], list[int]], start: tuple[int, int]) -> list[tuple[int, int]]:
    """Remove one closed outline from ``leaving`` and return its corners, where the direction changes."""
    first = leaving[start][0]
    edges: list[tuple[tuple[int, int], int]] = []
    place, heading = start, first
    while not edges or (place, heading) != (start, first):
        edges.append((place, heading))
        directions = leaving[place]
        directions.remove(heading)
        if not directions:
            del leaving[place]
        place = (place[0] + _STEPS[heading][0], place[1] + _STEPS[heading][1])
        open_ends = leaving.get(place, [])
        heading = _next([*open_ends, first] if place == start else open_ends, heading)
    before = [edges[-1], *edges[:-1]]
    return [corner for (corner, new), (_, old) in zip(edges, before, strict=True) if new != old]


def _next(directions: list[int], heading: int) -> int:
    """Return the next direction; if two edges leave (pixels touch at a corner), the left one connects the pixels."""
    left = (heading - 1) % 4
    return left if left in directions else directions[0]
