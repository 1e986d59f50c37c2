"""Projections of a whole stack to one plane."""

import numpy as np
from scipy import ndimage

from openhcs_runtime.pipeline.decorators import Stack, reduces


@reduces
def max_projection(stack: Stack) -> Stack:
    """Return the maximum of each pixel over the stack: (n, Y, X) to (1, Y, X), same dtype."""
    projection: Stack = stack.max(axis=0, keepdims=True)
    return projection


@reduces
def min_projection(stack: Stack) -> Stack:
    """Return the minimum of each pixel over the stack: (n, Y, X) to (1, Y, X), same dtype."""
    projection: Stack = stack.min(axis=0, keepdims=True)
    return projection


@reduces
def mean_projection(stack: Stack) -> Stack:
    """Return the mean of each pixel over the stack: (n, Y, X) to (1, Y, X), float32."""
    return np.asarray(stack.mean(axis=0, keepdims=True, dtype=np.float64), dtype=np.float32)


@reduces
def sum_projection(stack: Stack) -> Stack:
    """Return the sum of each pixel over the stack: (n, Y, X) to (1, Y, X), float64 to keep integers exact."""
    return np.asarray(stack.sum(axis=0, keepdims=True, dtype=np.float64))


@reduces
def std_projection(stack: Stack) -> Stack:
    """Return the standard deviation of each pixel over the stack (divided by n): (n, Y, X) to (1, Y, X), float32."""
    return np.asarray(stack.std(axis=0, keepdims=True, dtype=np.float64), dtype=np.float32)


@reduces
def focus_projection(stack: Stack, *, sigma_px: float = 2.0) -> Stack:
    """Return each pixel from the plane that is sharpest there: (n, Y, X) to (1, Y, X), same dtype.

    Extended depth of field by the sum-modified Laplacian (Nayar & Nakagawa, IEEE Trans. PAMI 16(8), 1994).

    Args:
        stack: The planes (n, Y, X) in the order of their depth.
        sigma_px: Standard deviation of the Gaussian with which the Laplacian is summed.
    """
    sharpness = np.stack([_sharpness(plane.astype(np.float32), sigma_px) for plane in stack])
    best = sharpness.argmax(axis=0)[np.newaxis]
    return np.asarray(np.take_along_axis(stack, best, axis=0))


def _sharpness(plane: Stack, sigma_px: float) -> Stack:
    bends = [np.abs(ndimage.correlate1d(plane, [-1, 2, -1], axis=axis, mode="nearest")) for axis in (0, 1)]
    return np.asarray(ndimage.gaussian_filter(bends[0] + bends[1], sigma_px, mode="nearest"))
