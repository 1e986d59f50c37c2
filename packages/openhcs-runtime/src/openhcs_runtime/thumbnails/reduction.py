"""Reduces planes to thumbnails."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EDGE", "edge_for", "shrink"]

EDGE = 128
"""The longest edge of a thumbnail in pixels."""
_MANY_WELLS = 384
_SHORT_EDGE = 64


def edge_for(wells: int) -> int:
    """Return the longest edge for a plate, so that 1,536 wells take no more memory than 384."""
    return EDGE if wells <= _MANY_WELLS else _SHORT_EDGE


def shrink(plane: NDArray[Any], edge: int = EDGE) -> NDArray[Any]:
    """Reduce a plane by a whole factor; each pixel is the mean of a square of the plane.

    Rows and columns beyond the last whole square are left out.

    Args:
        plane: a plane (Y, X) of numbers or truths.
        edge: the longest edge of the result.

    Returns:
        A plane (Y, X): uint16 for images of at most 16 bits without sign, float32 for all others.
    """
    factor = max(1, -(-max(plane.shape) // edge))
    is_small = plane.dtype.kind in "bu" and plane.dtype.itemsize <= 2
    if factor == 1:
        return plane.astype(np.uint16 if is_small else np.float32)
    rows, columns = (max(1, length // factor) for length in plane.shape)
    tall, wide = min(factor, plane.shape[0]), min(factor, plane.shape[1])
    whole = plane[: rows * tall, : columns * wide]
    kind = np.uint32 if is_small else np.float32
    lines = whole.reshape(rows, tall, columns * wide).sum(axis=1, dtype=kind)
    sums = lines.reshape(rows, columns, wide).sum(axis=2, dtype=np.uint64 if is_small else np.float32)
    means: NDArray[Any] = (sums // (tall * wide)).astype(np.uint16) if is_small else sums / np.float32(tall * wide)
    return means
