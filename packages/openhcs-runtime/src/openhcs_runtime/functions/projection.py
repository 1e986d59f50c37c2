"""Projections of a whole stack to one plane."""

from collections.abc import Callable

import numpy as np

from openhcs_runtime.functions.kernels import gaussian
from openhcs_runtime.pipeline.decorators import Stack, reduces

_STRIP_PX = 1 << 17
"""Pixels of all planes that are projected together."""


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
    return _by_strips(stack, lambda strip: strip.mean(axis=0, dtype=np.float64), np.dtype(np.float32))


@reduces
def sum_projection(stack: Stack) -> Stack:
    """Return the sum of each pixel over the stack: (n, Y, X) to (1, Y, X), float64 to keep integers exact."""
    return _by_strips(stack, lambda strip: strip.sum(axis=0, dtype=np.float64), np.dtype(np.float64))


@reduces
def std_projection(stack: Stack) -> Stack:
    """Return the standard deviation of each pixel over the stack (divided by n): (n, Y, X) to (1, Y, X), float32."""
    return _by_strips(stack, lambda strip: strip.std(axis=0, dtype=np.float64), np.dtype(np.float32))


@reduces
def focus_projection(stack: Stack, *, sigma_px: float = 2.0) -> Stack:
    """Return each pixel from the plane that is sharpest there: (n, Y, X) to (1, Y, X), same dtype.

    Extended depth of field by the sum-modified Laplacian (Nayar & Nakagawa, IEEE Trans. PAMI 16(8), 1994). Of planes
    that are equally sharp, it is the first.

    Args:
        stack: The planes (n, Y, X) in the order of their depth.
        sigma_px: Standard deviation of the Gaussian with which the Laplacian is summed.
    """
    found, sharpest = stack[:1].copy(), _sharpness(stack[0], sigma_px)
    for plane in stack[1:]:
        sharpness = _sharpness(plane, sigma_px)
        sharper = sharpness > sharpest
        np.copyto(found[0], plane, where=sharper)
        np.copyto(sharpest, sharpness, where=sharper)
    return found


def _by_strips(stack: Stack, project: Callable[[Stack], Stack], dtype: np.dtype[np.floating]) -> Stack:
    """Return the projection of some rows after the other, so that what it computes in between stays in the cache."""
    found = np.empty((1, *stack.shape[1:]), dtype)
    rows = max(1, _STRIP_PX // max(1, len(stack) * stack.shape[2]))
    for top in range(0, stack.shape[1], rows):
        found[0, top : top + rows] = project(stack[:, top : top + rows])
    return found


def _sharpness(plane: Stack, sigma_px: float) -> Stack:
    padded = np.pad(plane.astype(np.float32), 1, mode="edge")
    twice = 2 * padded[1:-1, 1:-1]
    sharpness = np.abs(twice - padded[:-2, 1:-1] - padded[2:, 1:-1])
    sharpness += np.abs(twice - padded[1:-1, :-2] - padded[1:-1, 2:])
    return gaussian(sharpness, sigma_px)
