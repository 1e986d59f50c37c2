"""Gaussian filters and gradients of images, as sums of whole numbers."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.backend import backend
from openhcs_runtime.functions.kernels.whole_numbers import Weights, WholeImage, bell, slope_of_bell, whole

__all__ = ["Border", "gaussian", "gradient"]

_ROWS = 32
"""Rows that are filtered together, so that they stay in the cache."""

_LARGEST_EXPONENT = 1000
"""Of two in float64, with a margin."""

_Image = NDArray[np.integer | np.floating | np.bool_]
_Plane = NDArray[np.float32]


class Border(Enum):
    """What is beyond the border of an image; the values are the names in ``numpy.pad``."""

    NEAREST = "edge"
    """The value at the border."""
    REFLECT = "symmetric"
    """The mirror image, with the border."""


def gaussian(image: _Image, sigma_px: float, border: Border = Border.NEAREST) -> _Plane:
    """Smooth an image with a Gaussian filter that ends at 4 standard deviations.

    The same as ``scipy.ndimage.gaussian_filter`` up to ``2**-14`` of the differences nearby and ``2**-20`` of the
    largest absolute value. An image with values that are not finite is filtered by SciPy.

    Args:
        image: The image (Y, X), of any numeric dtype.
        sigma_px: The standard deviation, in pixels.
        border: What is beyond the border.

    Returns:
        The smooth image, float32 (Y, X).
    """
    if not _is_finite(image):
        return _of_scipy(image, sigma_px, border)
    weights = bell(sigma_px) if sigma_px > 0 else None
    if weights is None or len(weights.whole) == 1 or not image.size:
        return image.astype(np.float32)
    return _filtered(whole(image), weights, weights, border)


def gradient(image: _Image, sigma_px: float, border: Border = Border.NEAREST) -> _Plane:
    """Return the absolute slope of a smoothed image, per pixel, float32 (Y, X).

    Like ``scipy.ndimage.gaussian_gradient_magnitude``, up to the rounding of ``gaussian``.

    Args:
        image: The image (Y, X) of finite values.
        sigma_px: Standard deviation of the Gaussian filter, in pixels, of at least 0.25.
        border: What is beyond the border.
    """
    if not image.size:
        return image.astype(np.float32)
    numbers, smooth, steep = whole(image), bell(sigma_px), slope_of_bell(sigma_px)
    down = _filtered(numbers, steep, smooth, border)
    right = _filtered(numbers, smooth, steep, border)
    np.multiply(down, down, out=down)
    np.multiply(right, right, out=right)
    np.add(down, right, out=down)
    return np.sqrt(down, out=down)


def _filtered(image: WholeImage, down: Weights, right: Weights, border: Border) -> _Plane:
    """Return the image weighted along both axes; all sums are exact."""
    sums = _by_opencv(image, down, right, border) if backend().opencv else _by_numpy(image, down, right, border)
    exponent = image.exponent + down.bits + right.bits
    if abs(exponent) >= _LARGEST_EXPONENT:
        return np.ldexp(sums, -exponent).astype(np.float32)
    smooth: _Plane = np.empty(sums.shape, dtype=np.float32)
    return np.multiply(sums, 2.0**-exponent, out=smooth, casting="same_kind")


def _by_opencv(image: WholeImage, down: Weights, right: Weights, border: Border) -> NDArray[np.float64]:
    import cv2  # noqa: PLC0415  loads slowly

    beyond = {Border.NEAREST: cv2.BORDER_REPLICATE, Border.REFLECT: cv2.BORDER_REFLECT}[border]
    numbers = np.ascontiguousarray(image.numbers)
    if numbers.dtype not in (np.uint8, np.uint16, np.int16, np.float32, np.float64):
        numbers = numbers.astype(np.float32)
    sums: NDArray[np.float64] = cv2.sepFilter2D(numbers, cv2.CV_64F, right.whole, down.whole, borderType=beyond)
    return sums


def _by_numpy(image: WholeImage, down: Weights, right: Weights, border: Border) -> NDArray[np.float64]:
    """Filter bands of rows, which stay in the cache."""
    margins = [(len(weights.whole) // 2,) * 2 for weights in (down, right)]
    wide = np.pad(image.numbers, margins, mode=border.value)
    height, width = image.numbers.shape
    sums = np.empty((height, width))
    for top in range(0, height, _ROWS):
        bottom = min(top + _ROWS, height)
        rows = wide[top : bottom + 2 * margins[0][0]].astype(np.float64)
        tall = np.empty((bottom - top, rows.shape[1]))
        _weighted(rows, down.whole, tall)
        _weighted(tall.T, right.whole, sums[top:bottom].T)
    return sums


def _weighted(padded: NDArray[np.float64], weights: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Write the weighted sums along the first axis, using that opposite weights are equal, or each other's negative."""
    radius, length = len(weights) // 2, out.shape[0]
    np.multiply(padded[radius : radius + length], weights[radius], out=out)
    join = np.subtract if weights[0] < 0 else np.add
    pair = np.empty_like(out)
    for step in range(1, radius + 1):
        after, before = radius + step, radius - step
        join(padded[after : after + length], padded[before : before + length], out=pair)
        np.multiply(pair, weights[after], out=pair)
        np.add(out, pair, out=out)


def _is_finite(image: _Image) -> bool:
    """Return whether all values are finite; NaN and infinity show in the extremes."""
    if image.dtype.kind != "f" or not image.size:
        return True
    return bool(np.isfinite(image.max()) and np.isfinite(image.min()))


def _of_scipy(image: _Image, sigma_px: float, border: Border) -> _Plane:
    from scipy import ndimage  # noqa: PLC0415  loads slowly

    return ndimage.gaussian_filter(
        image.astype(np.float32), sigma_px, mode="nearest" if border is Border.NEAREST else "reflect"
    )
