"""Openings of images and masks with squares and disks."""

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.backend import backend
from openhcs_runtime.functions.kernels.maximum import OF_OPENCV, maximum, minimum

__all__ = ["disk_opening", "opening"]

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


def disk_opening(image: NDArray[_Value], radius_px: int) -> NDArray[_Value]:
    """Remove what is brighter than its surroundings and narrower than a disk, in the dtype of the image.

    The same as ``skimage.morphology.opening`` with ``disk(radius_px, decomposition="sequence")``: small elements that
    follow each other and together are nearly a disk (Adams, CVGIP: Graphical Models and Image Processing 55(5), 1993).
    An image with NaN is opened by scikit-image.

    Args:
        image: The image (Y, X), of any dtype with an order.
        radius_px: Radius of the disk.
    """
    from skimage import morphology  # noqa: PLC0415  loads slowly

    disk = morphology.disk(radius_px, decomposition="sequence")
    if backend().opencv and image.size and image.dtype.name in OF_OPENCV and not _has_nan(image):
        return _by_opencv(image, disk)
    opened: NDArray[_Value] = morphology.opening(image, disk)
    return opened


def _by_opencv(image: NDArray[_Value], elements: Iterable[tuple[NDArray[np.uint8], int]]) -> NDArray[_Value]:
    import cv2  # noqa: PLC0415  loads slowly

    opened = np.ascontiguousarray(image)
    small = [(np.asarray(element, dtype=np.uint8), int(times)) for element, times in elements]
    for element, times in small:
        opened = cv2.erode(opened, element, iterations=times, borderType=cv2.BORDER_REFLECT)
    for element, times in small:
        turned = np.ascontiguousarray(element[::-1, ::-1])
        opened = cv2.dilate(opened, turned, iterations=times, borderType=cv2.BORDER_REFLECT)
    return opened


def _has_nan(image: NDArray[_Value]) -> bool:
    return image.dtype.kind == "f" and bool(np.isnan(image.min()))
