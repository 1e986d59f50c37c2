"""The distance of each pixel of a mask from its edge."""

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.backend import backend

__all__ = ["distance"]

_Mask = NDArray[np.bool_]


def distance(mask: _Mask) -> NDArray[np.float32]:
    """Return the distance of each pixel of a mask (Y, X) from the nearest pixel outside of it; 0 for the others.

    It is the square root of a whole number, rounded to float32: the same as that of
    ``scipy.ndimage.distance_transform_edt``. Beyond the border of the image is neither inside nor outside; a mask
    without any pixel outside has the length of the image's diagonal everywhere.
    """
    if mask.all():
        return np.full(mask.shape, np.hypot(*mask.shape), dtype=np.float32)
    return _by_edt(mask) if backend().edt else _by_scipy(mask)


def _by_edt(mask: _Mask) -> NDArray[np.float32]:
    import edt  # noqa: PLC0415  optional

    squares = edt.edtsq(np.ascontiguousarray(mask).view(np.uint8), black_border=False, parallel=1)
    roots: NDArray[np.float32] = np.sqrt(squares, out=squares)
    return roots


def _by_scipy(mask: _Mask) -> NDArray[np.float32]:
    """Look at the connected regions one by one: the nearest pixel outside is next to the same region."""
    from scipy import ndimage  # noqa: PLC0415  loads slowly

    found: NDArray[np.float32] = np.zeros(mask.shape, dtype=np.float32)
    regions, _ = ndimage.label(mask)
    for number, (rows, columns) in enumerate(ndimage.find_objects(regions), start=1):
        window = slice(max(0, rows.start - 1), rows.stop + 1), slice(max(0, columns.start - 1), columns.stop + 1)
        region = regions[window] == number
        found[window][region] = ndimage.distance_transform_edt(mask[window])[region]
    return found
