"""Images on a coarse grid, for slow variations: quantiles of blocks, their slope, and interpolation to full size."""

import numpy as np
from scipy import ndimage

from openhcs_runtime.pipeline.decorators import Stack

GRID = 32
"""Number of blocks per edge for the estimation of a background."""


def block_quantile(image: Stack, block: int, quantile: float) -> Stack:
    """Return the quantile of each block x block square; the remainder at the far edges belongs to the last squares."""
    rows, columns = max(1, image.shape[0] // block), max(1, image.shape[1] // block)
    squares = image[: rows * block, : columns * block].reshape(rows, block, columns, block)
    flat = squares.transpose(0, 2, 1, 3).reshape(rows, columns, block * block)
    rank = int(quantile * (block * block - 1))
    return np.partition(flat, rank, axis=2)[:, :, rank]


def slope(image: Stack) -> Stack:
    """Fit a plane a*y + b*x, from the medians of differences between the halves of the image; 0 in the middle."""
    rows, columns = (size // 2 for size in image.shape)
    down = np.median(image[image.shape[0] - rows :] - image[:rows]) / (image.shape[0] - rows) if rows else 0.0
    right = np.median(image[:, -columns:] - image[:, :columns]) / (image.shape[1] - columns) if columns else 0.0
    y, x = (np.arange(size, dtype=np.float32) - (size - 1) / 2 for size in image.shape)
    plane: Stack = (down * y[:, np.newaxis] + right * x).astype(np.float32)
    return plane


def enlarge(coarse: Stack, shape: tuple[int, ...], block: int) -> Stack:
    """Interpolate linearly from block centres to every pixel."""
    matrix = np.array([1 / block, 1 / block])
    offset = np.array([(0.5 - block / 2) / block] * 2)
    return ndimage.affine_transform(coarse, matrix, offset, output_shape=shape, order=1, mode="nearest")
