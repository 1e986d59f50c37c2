"""Operations on masks and small windows, faster than the general functions and with exactly their results."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["depths", "eroded_cross", "median_of", "opened_square"]

Mask = NDArray[np.bool_]


def opened_square(mask: Mask) -> Mask:
    """Return the opening of a mask (Y, X) with a square of 3 x 3 pixels; nothing is set beyond the border.

    The same as ``scipy.ndimage.binary_opening(mask, numpy.ones((3, 3)))``.
    """
    walled = _walled(mask, beyond=False)
    rows = walled[:-2] & walled[1:-1] & walled[2:]
    kept = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    walled = _walled(kept, beyond=False)
    rows = walled[:-2] | walled[1:-1] | walled[2:]
    opened: Mask = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return opened


def eroded_cross(mask: Mask, *, beyond: bool) -> Mask:
    """Return the pixels of a mask (Y, X) whose four neighbours are set as well.

    The same as ``scipy.ndimage.binary_erosion(mask, border_value=beyond)``.

    Args:
        mask: the mask.
        beyond: whether pixels beyond the border count as set.
    """
    walled = _walled(mask, beyond=beyond)
    eroded: Mask = mask & walled[:-2, 1:-1] & walled[2:, 1:-1] & walled[1:-1, :-2] & walled[1:-1, 2:]
    return eroded


def median_of(values: NDArray[np.floating]) -> float:
    """Return the median of values in one dimension, of which there is at least one and none is NaN.

    The same as ``numpy.median``.
    """
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    sorted_around = np.partition(values, (middle - 1, middle))
    return float((sorted_around[middle - 1] + sorted_around[middle]) / values.dtype.type(2))


def depths(mask: Mask) -> NDArray[np.float64]:
    """Return the distance of each pixel of a mask (Y, X) from the nearest pixel outside of it; 0 for the others.

    The same as ``scipy.ndimage.distance_transform_edt(mask)``. The nearest pixel outside is next to the same connected
    region, as all that are nearer are inside, so the regions are looked at one by one.
    """
    found: NDArray[np.float64] = np.zeros(mask.shape)
    if mask.all():
        found = ndimage.distance_transform_edt(mask)
        return found
    regions, _ = ndimage.label(mask)
    for number, (rows, columns) in enumerate(ndimage.find_objects(regions), start=1):
        window = slice(max(0, rows.start - 1), rows.stop + 1), slice(max(0, columns.start - 1), columns.stop + 1)
        region = regions[window] == number
        found[window][region] = ndimage.distance_transform_edt(mask[window])[region]
    return found


def _walled(mask: Mask, *, beyond: bool) -> Mask:
    """Return the mask with a border of one pixel."""
    walled = np.full((mask.shape[0] + 2, mask.shape[1] + 2), beyond)
    walled[1:-1, 1:-1] = mask
    return walled
