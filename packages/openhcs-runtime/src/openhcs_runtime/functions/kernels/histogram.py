"""How often each value occurs in an image of small whole numbers."""

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.backend import backend

__all__ = ["histogram"]


def histogram(image: NDArray[np.uint8 | np.uint16]) -> NDArray[np.int64]:
    """Return the number of pixels with each value, from 0 to the largest value of the dtype.

    Args:
        image: The image, uint8 or uint16 (Y, X).
    """
    values = int(np.iinfo(image.dtype).max) + 1
    if backend().opencv and image.size < 1 << 24:  # as many as OpenCV counts exactly, in float32
        import cv2  # noqa: PLC0415  loads slowly

        counts = cv2.calcHist([np.ascontiguousarray(image)], [0], None, [values], [0, values])
        return np.asarray(counts.ravel(), dtype=np.int64)
    return np.bincount(image.ravel(), minlength=values)
