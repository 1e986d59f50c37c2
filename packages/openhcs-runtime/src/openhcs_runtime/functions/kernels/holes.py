"""Holes in masks."""

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.components import components

__all__ = ["fill_holes"]

_Mask = NDArray[np.bool_]


def fill_holes(mask: _Mask, below_area_px: float | None = None) -> _Mask:
    """Fill the holes of a mask (Y, X): pixels outside that are not connected, by edges, to the border of the image.

    The same as ``scipy.ndimage.binary_fill_holes``.

    Args:
        mask: The mask.
        below_area_px: Fill only holes with a smaller area.
    """
    outside, count = components(~mask)
    if not count:
        return mask.copy()
    filled = np.ones(count + 1, dtype=bool)
    if below_area_px is not None:
        filled = np.bincount(outside.ravel(), minlength=count + 1) < below_area_px
        filled[0] = True
    for edge in (outside[0], outside[-1], outside[:, 0], outside[:, -1]):
        filled[edge[edge > 0]] = False
    if filled.sum() == 1:
        return mask.copy()
    whole: _Mask = filled[outside]
    return whole
