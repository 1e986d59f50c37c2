"""Skeletons of objects: length, branches, ends.

Thinned to a width of one pixel (Zhang & Suen, Communications of the ACM 27(3), 1984, by scikit-image). Pixels are
joined to their eight neighbours, but not diagonally where a way around the corner exists, so that a junction is not
counted as several. A step along a row or column has a length of 1, a diagonal one of the square root of 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions.features.regions import Columns, Regions


@dataclass(frozen=True, slots=True)
class _Skeleton:
    """What is measured of one skeleton."""

    length: float
    branches: int
    ends: int
    junctions: int


def skeletons(regions: Regions) -> Columns:
    """Return the skeleton features of each object, lengths in pixels."""
    from skimage.morphology import skeletonize  # noqa: PLC0415  loads slowly

    boxes = ndimage.find_objects(regions.labels)
    found = [
        _measured(np.pad(skeletonize(regions.labels[box] == place), 1)) for place, box in enumerate(boxes, start=1)
    ]
    return {
        "skeleton_length_px": np.array([each.length for each in found], float),
        "skeleton_branch_count": np.array([each.branches for each in found], int),
        "skeleton_end_count": np.array([each.ends for each in found], int),
        "skeleton_junction_count": np.array([each.junctions for each in found], int),
    }


def _measured(thin: NDArray[np.bool_]) -> _Skeleton:
    """Return what a skeleton with a margin of one pixel has."""
    joints = _joints(thin)
    one, other = np.concatenate([np.stack(pair) for pair, _ in joints], axis=1)
    degrees = np.bincount(one, minlength=thin.size) + np.bincount(other, minlength=thin.size)
    crossing = degrees > 2
    return _Skeleton(
        sum(length * len(pair[0]) for pair, length in joints),
        _parts(one, other, (degrees > 0) & ~crossing),
        int((degrees == 1).sum()),
        _parts(one, other, crossing),
    )


def _parts(one: NDArray[np.int64], other: NDArray[np.int64], chosen: NDArray[np.bool_]) -> int:
    """Return in how many parts some of the pixels are, by the joints between them."""
    from scipy.sparse import coo_array  # noqa: PLC0415  loads slowly
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    count = int(chosen.sum())
    if not count:
        return 0
    place = np.cumsum(chosen) - 1
    within = chosen[one] & chosen[other]
    edges = (np.ones(int(within.sum())), (place[one[within]], place[other[within]]))
    return int(connected_components(coo_array(edges, shape=(count, count)), directed=False)[0])


def _joints(thin: NDArray[np.bool_]) -> list[tuple[tuple[NDArray[np.int64], NDArray[np.int64]], float]]:
    """Return for each direction the flat indices of pixels and of those that they are joined to, and the distance."""

    def shifted(down: int, over: int) -> NDArray[np.bool_]:
        return np.roll(thin, (-down, -over), (0, 1))

    below = shifted(1, 0)
    joined = {
        (0, 1): thin & shifted(0, 1),
        (1, 0): thin & below,
        (1, 1): thin & shifted(1, 1) & ~shifted(0, 1) & ~below,
        (1, -1): thin & shifted(1, -1) & ~shifted(0, -1) & ~below,
    }
    found = []
    for (down, over), where in joined.items():
        first = np.flatnonzero(where)
        found.append(((first, first + down * thin.shape[1] + over), float(np.hypot(down, over))))
    return found
