"""Openings of images and masks with squares."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.maximum import maximum, minimum

__all__ = ["opening"]

_Value = TypeVar("_Value", bound=np.generic)


def opening(image: NDArray[_Value], side_px: int, *, empty_beyond: bool = False) -> NDArray[_Value]:
    """Remove what is brighter than its surroundings and narrower than a square, in the dtype of the image.

    The same as ``scipy.ndimage.grey_opening`` with the modes ``nearest`` and ``reflect`` or, with ``empty_beyond``,
    ``scipy.ndimage.binary_opening`` of a mask (Serra, Image Analysis and Mathematical Morphology, 1982).

    Args:
        image: The image or mask (Y, X), of any dtype with an order, without NaN.
        side_px: Edge length of the square.
        empty_beyond: Whether pixels beyond the border count as 0; otherwise they are left out. For values from 0.
    """
    if not empty_beyond:
        return maximum(minimum(image, side_px), side_px)
    return opening(np.pad(image, side_px), side_px)[side_px:-side_px, side_px:-side_px]
