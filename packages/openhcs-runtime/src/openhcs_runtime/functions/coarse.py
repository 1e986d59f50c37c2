"""Images on a coarse grid, for slow variations: quantiles of blocks, their slope, and interpolation to full size."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

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


def block_minimum(image: Stack, block: int) -> Stack:
    """Return the smallest value of each block x block square; the same as ``block_quantile`` with 0, but faster."""
    rows, columns = max(1, image.shape[0] // block), max(1, image.shape[1] // block)
    lines = image[: rows * block, : columns * block].reshape(rows, block, columns * block).min(axis=1)
    smallest: Stack = lines.reshape(rows, columns, block).min(axis=2)
    return smallest


def slope(image: Stack) -> Stack:
    """Fit a plane a*y + b*x, from the medians of differences between the halves of the image; 0 in the middle."""
    rows, columns = (size // 2 for size in image.shape)
    down = np.median(image[image.shape[0] - rows :] - image[:rows]) / (image.shape[0] - rows) if rows else 0.0
    right = np.median(image[:, -columns:] - image[:, :columns]) / (image.shape[1] - columns) if columns else 0.0
    y, x = (np.arange(size, dtype=np.float32) - (size - 1) / 2 for size in image.shape)
    plane: Stack = (down * y[:, np.newaxis] + right * x).astype(np.float32)
    return plane


def enlarge(coarse: Stack, shape: tuple[int, ...], block: int) -> Stack:
    """Interpolate linearly from block centres to every pixel; beyond the outer centres, the values stay the same."""
    fine = np.empty(shape, dtype=coarse.dtype)
    for rows, band in enlarged_rows(coarse, shape, block):
        fine[rows] = band
    return fine


def enlarged_rows(coarse: Stack, shape: tuple[int, ...], block: int) -> Iterator[tuple[slice, Stack]]:
    """Yield the result of ``enlarge`` in bands of rows, which stay in the cache; each band is valid until the next."""
    left, part = _between(coarse.shape[1], shape[1], block)
    right = np.minimum(left + 1, coarse.shape[1] - 1)
    wide = coarse[:, left] + (coarse[:, right] - coarse[:, left]) * part.astype(coarse.dtype)
    above, parts = _between(coarse.shape[0], shape[0], block)
    edges = np.flatnonzero(np.diff(above, prepend=-1, append=-1))
    buffer = np.empty((int(np.diff(edges).max(initial=0)), shape[1]), dtype=coarse.dtype)
    for start, stop in pairwise(edges.tolist()):
        upper, lower = wide[above[start]], wide[min(int(above[start]) + 1, len(wide) - 1)]
        band = buffer[: stop - start]
        np.multiply(parts[start:stop, np.newaxis].astype(coarse.dtype), lower - upper, out=band)
        yield slice(start, stop), np.add(band, upper, out=band)


def subtract_enlarged(image: Stack, coarse: Stack, block: int) -> Stack:
    """Subtract from an image, in place, what ``enlarge`` returns."""
    for rows, band in enlarged_rows(coarse, image.shape, block):
        image[rows] -= band
    return image


def _between(count: int, size: int, block: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the block centre before each pixel, and how far the pixel is on the way to the next one, from 0 to 1."""
    place = np.clip(2 * np.arange(size) + 1 - block, 0, 2 * block * (count - 1))
    before = np.minimum(place // (2 * block), max(0, count - 2))
    return before, (place - 2 * block * before) / (2 * block)
