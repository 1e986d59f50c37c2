"""Holes in masks."""

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.components import components

__all__ = ["fill_holes", "holes_of"]

_Mask = NDArray[np.bool_]


def fill_holes(mask: _Mask, below_area_px: float | None = None) -> _Mask:
    """Fill the holes of a mask (Y, X): pixels outside that are not connected, by edges, to the border of the image.

    The same as ``scipy.ndimage.binary_fill_holes``.

    Args:
        mask: The mask.
        below_area_px: Fill only holes with a smaller area.
    """
    pixels, numbers = holes_of(mask)
    if below_area_px is not None:
        pixels = pixels[np.bincount(numbers, minlength=1)[numbers] < below_area_px]
    filled = np.array(mask, order="C")
    filled.ravel()[pixels] = True
    return filled


def holes_of(mask: _Mask) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Return the pixels in holes of a mask, as increasing indices in the flat image, and the number of their hole."""
    outside, count = components(~mask)
    border = np.concatenate(
        [outside[:1].ravel(), outside[-1:].ravel(), outside[:, :1].ravel(), outside[:, -1:].ravel()]
    )
    surroundings = np.zeros(count + 1, dtype=bool)
    surroundings[border] = True
    usual = border[np.argmax(border > 0)] if len(border) else 0  # has nearly all pixels, and is left out first
    pixels = np.flatnonzero((outside != usual) & (outside != 0))
    numbers = outside.ravel()[pixels]
    inside = ~surroundings[numbers]
    return pixels[inside], numbers[inside]
