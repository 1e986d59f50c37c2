"""Skeletons of objects: length, branches, ends.

Thinned to a width of one pixel (Zhang & Suen, Communications of the ACM 27(3), 1984, by scikit-image). Pixels are
joined to their eight neighbours, but not diagonally where a way around the corner exists, so that a junction is not
counted as several. A step along a row or column has a length of 1, a diagonal one of the square root of 2.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions.features.regions import Columns, Integers, Regions

_LENGTHS = {(0, 1): 1.0, (1, 0): 1.0, (1, 1): 2**0.5, (1, -1): 2**0.5}
"""The length of a step to each neighbour that comes later in an image."""


def skeletons(regions: Regions) -> Columns:
    """Return the skeleton features of each object, lengths in pixels."""
    thin = _thinned(regions.labels)
    at = np.flatnonzero(thin)
    owner = thin.ravel()[at].astype(np.int64) - 1
    joints = [_joined(thin, at, down, over) for down, over in _LENGTHS]
    one, other = np.concatenate([np.stack(pair) for pair in joints], axis=1)
    degrees = np.bincount(one, minlength=len(at)) + np.bincount(other, minlength=len(at))
    crossing = degrees > 2
    length = np.zeros(len(regions))
    for (first, _), step in zip(joints, _LENGTHS.values(), strict=True):
        length += step * np.bincount(owner[first], minlength=len(regions))
    return {
        "skeleton_length_px": length,
        "skeleton_branch_count": _parts(one, other, (degrees > 0) & ~crossing, owner, len(regions)),
        "skeleton_end_count": np.bincount(owner[degrees == 1], minlength=len(regions)),
        "skeleton_junction_count": _parts(one, other, crossing, owner, len(regions)),
    }


def _thinned(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the labels of the pixels in the skeletons of objects, with a margin of one pixel."""
    from skimage.morphology import skeletonize  # noqa: PLC0415  loads slowly

    thin = np.zeros((labels.shape[0] + 2, labels.shape[1] + 2), np.int32)
    inner = thin[1:-1, 1:-1]
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        inner[box][skeletonize(labels[box] == number)] = number
    return thin


def _joined(thin: NDArray[np.int32], at: Integers, down: int, over: int) -> tuple[Integers, Integers]:
    """Return which of the pixels ``at`` are joined to a neighbour, and the places of these neighbours in ``at``."""
    flat, row = thin.ravel(), thin.shape[1]
    beside, below = flat[at + over], flat[at + row]
    own, joined = flat[at], flat[at + down * row + over] == flat[at]
    if down and over:  # there is no way around the corner
        joined &= (beside != own) & (below != own)
    first = np.flatnonzero(joined)
    return first, np.searchsorted(at, at[first] + down * row + over)


def _parts(one: Integers, other: Integers, chosen: NDArray[np.bool_], owner: Integers, count: int) -> Integers:
    """Return in how many parts some of the pixels of each object are, by the joints between them."""
    from scipy.sparse import coo_array  # noqa: PLC0415  loads slowly
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    if not chosen.any():
        return np.zeros(count, np.int64)
    place = np.cumsum(chosen) - 1
    within = chosen[one] & chosen[other]
    edges = (np.ones(int(within.sum())), (place[one[within]], place[other[within]]))
    _, part = connected_components(coo_array(edges, shape=(int(chosen.sum()),) * 2), directed=False)
    _, first = np.unique(part, return_index=True)
    return np.bincount(owner[chosen][first], minlength=count)
