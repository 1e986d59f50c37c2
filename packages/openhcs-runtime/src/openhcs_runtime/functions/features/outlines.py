"""Outlines of objects, all at once: length of the outline, and area of the convex hull.

Both equal those of scikit-image's ``regionprops``, which looks at one object after the other.
"""

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.regions import Floats, Integers, Regions

_CROSS = ((-1, 0), (0, -1), (0, 1), (1, 0))
_DIAGONALS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def perimeters(regions: Regions) -> Floats:
    """Return the length of the outline of each object in pixels, (n,); 0 for one pixel.

    Each pixel of the outline counts 1, the square root of 2 or the mean of both, depending on its neighbours in the
    outline (Benkrid & Crookes, Design and FPGA Implementation of a Perimeter Estimator, 2000).
    """
    width = regions.labels.shape[1] + 2
    at = (regions.rows + 1) * width + regions.cols + 1
    padded = np.zeros((regions.labels.shape[0] + 2, width), np.int32)
    padded[1:-1, 1:-1] = regions.labels
    flat, own = padded.ravel(), (regions.owner + 1).astype(np.int32)
    is_edge = np.zeros(len(at), np.bool_)
    for y, x in _CROSS:
        is_edge |= flat[at + y * width + x] != own
    flat[at[~is_edge]] = 0
    edge, own, owner = at[is_edge], own[is_edge], regions.owner[is_edge]
    kind = np.ones(len(edge), np.int64)
    for neighbours, weight in ((_CROSS, 2), (_DIAGONALS, 10)):
        for y, x in neighbours:
            kind += weight * (flat[edge + y * width + x] == own)
    weights = np.zeros(50)
    weights[[5, 7, 15, 17, 25, 27]] = 1
    weights[[21, 33]] = np.sqrt(2)
    weights[[13, 23]] = (1 + np.sqrt(2)) / 2
    lengths: Floats = np.bincount(owner * 50 + kind, minlength=50 * len(regions)).reshape(-1, 50) @ weights
    return lengths


def convex_areas(regions: Regions) -> Integers:
    """Return the number of pixels whose centres are in the convex hull of each object, (n,).

    The hull is that of the middles of all edges of pixels. Coordinates are doubled, so that everything is an integer
    and exact.
    """
    top, _, bottom, _ = regions.corners()
    heights = bottom - top
    owner = np.repeat(np.arange(len(regions)), heights)
    rows = np.arange(len(owner)) - np.repeat(np.cumsum(heights) - heights - top, heights)
    right = _outermost(regions, regions.cols, owner, rows)
    left = _outermost(regions, -regions.cols, owner, rows)
    return np.bincount(owner, weights=right + left + 1, minlength=len(regions)).astype(np.int64)


def _outermost(regions: Regions, cols: Integers, owner: Integers, rows: Integers) -> Integers:
    """Return the largest column that is in the hull, for each row of each object."""
    begins = np.flatnonzero(np.diff(regions.owner, prepend=-1) | np.diff(regions.rows, prepend=-1))
    largest = np.maximum.reduceat(cols, begins) if len(begins) else cols
    who, where = regions.owner[begins], 2 * regions.rows[begins]
    points = np.concatenate(
        [
            np.stack([who, where - 1, 2 * largest]),
            np.stack([who, where, 2 * largest + 1]),
            np.stack([who, where + 1, 2 * largest]),
        ],
        axis=1,
    )
    who, y, x = _envelope(points[:, np.lexsort((-points[2], points[1], points[0]))])
    tallest = int(y.max(initial=0)) + 3
    after = np.searchsorted(who * tallest + y, owner * tallest + 2 * rows, side="right")
    y0, x0 = y[after - 1], x[after - 1]
    run, rise = y[after] - y0, x[after] - x0
    found: Integers = (x0 * run + rise * (2 * rows - y0)) // (2 * run)
    return found


def _envelope(points: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the corners of the convex envelope of sorted points (3, n): object, position, height.

    A point that is not above the line between its neighbours is not a corner, so all of these go at once, until there
    are none.
    """
    is_first = (np.diff(points[0], prepend=-1) != 0) | (np.diff(points[1], prepend=-2) != 0)
    points = points[:, is_first]
    while True:
        who, y, x = points
        before, after = points[:, :-2], points[:, 2:]
        is_inner = (before[0] == who[1:-1]) & (after[0] == who[1:-1])
        turn = (y[1:-1] - before[1]) * (after[2] - before[2]) - (x[1:-1] - before[2]) * (after[1] - before[1])
        is_kept = np.ones(points.shape[1], np.bool_)
        is_kept[1:-1] = ~is_inner | (turn < 0)
        if is_kept.all():
            return points
        points = points[:, is_kept]
