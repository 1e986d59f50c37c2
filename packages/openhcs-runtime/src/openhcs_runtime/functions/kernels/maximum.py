"""The largest and the smallest values in squares around each pixel."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.backend import backend

__all__ = ["OF_OPENCV", "maximum", "minimum"]

OF_OPENCV = ("uint8", "uint16", "int16", "float32", "float64")
"""The dtypes of which OpenCV has extremes."""

_Value = TypeVar("_Value", bound=np.generic)
_Operation = Callable[..., NDArray[Any]]


def maximum(image: NDArray[_Value], side_px: int) -> NDArray[_Value]:
    """Return the largest value in a square around each pixel, in the dtype of the image.

    What is beyond the border is left out, as with the modes ``nearest`` and ``reflect`` of
    ``scipy.ndimage.grey_dilation``. A square with an even side reaches one pixel further down and right; that of
    ``minimum`` up and left, so that one after the other is an opening or a closing.

    Args:
        image: The image (Y, X), of any dtype with an order, without NaN.
        side_px: Edge length of the square.
    """
    return _extreme(image, side_px, largest=True)


def minimum(image: NDArray[_Value], side_px: int) -> NDArray[_Value]:
    """Return the smallest value in a square around each pixel; see ``maximum``."""
    return _extreme(image, side_px, largest=False)


def _extreme(image: NDArray[_Value], side: int, *, largest: bool) -> NDArray[_Value]:
    if side <= 1 or not image.size:
        return image.copy()
    if image.dtype.kind == "b":
        return _extreme(image.view(np.uint8), side, largest=largest).view(image.dtype)
    before = (side - 1) // 2 if largest else side // 2
    if backend().opencv and image.dtype.name in OF_OPENCV:
        return _by_opencv(image, side, before, largest)
    operation = np.maximum if largest else np.minimum
    down = _along_rows(image, side, before, operation, _beyond(image.dtype, largest))
    return _along_columns(down, side, before, operation, _beyond(image.dtype, largest))


def _by_opencv(image: NDArray[_Value], side: int, before: int, largest: bool) -> NDArray[_Value]:
    import cv2  # noqa: PLC0415  loads slowly

    operation = cv2.dilate if largest else cv2.erode
    square = np.ones((side, side), dtype=np.uint8)
    found: NDArray[_Value] = operation(np.ascontiguousarray(image), square, anchor=(before, before))
    return found


def _beyond(dtype: np.dtype[np.generic], largest: bool) -> float | int:
    """Return the value that is never chosen."""
    if dtype.kind == "f":
        return -np.inf if largest else np.inf
    limits = np.iinfo(dtype.name)
    return int(limits.min if largest else limits.max)


def _along_rows(
    image: NDArray[_Value], side: int, before: int, operation: _Operation, beyond: float | int
) -> NDArray[_Value]:
    """Return the extremes of ``side`` successive rows, by those of 2, 4, 8 and so on."""
    height = image.shape[0]
    wide = np.full((height + side - 1, image.shape[1]), beyond, dtype=image.dtype)
    wide[before : before + height] = image
    length = 1
    while 2 * length <= side:
        wide = operation(wide[:-length], wide[length:])
        length *= 2
    return operation(wide[:height], wide[side - length : side - length + height])


def _along_columns(
    image: NDArray[_Value], side: int, before: int, operation: _Operation, beyond: float | int
) -> NDArray[_Value]:
    width = image.shape[1]
    wide = np.full((image.shape[0], width + side - 1), beyond, dtype=image.dtype)
    wide[:, before : before + width] = image
    length = 1
    while 2 * length <= side:
        wide = operation(wide[:, :-length], wide[:, length:])
        length *= 2
    return operation(wide[:, :width], wide[:, side - length : side - length + width])
