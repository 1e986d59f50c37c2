"""Functions that give better images: projection, background, uneven light, noise."""

import numpy as np
from scipy import ndimage

from openhcs_runtime.pipeline.declare import Stack, per_plane, reduces

_GRID = 32
"""Blocks per edge on which the background is estimated."""


@reduces
def max_projection(stack: Stack) -> Stack:
    """The brightest value of each pixel over the stack: (n, Y, X) to (1, Y, X), same type."""
    projection: Stack = stack.max(axis=0, keepdims=True)
    return projection


@per_plane
def subtract_background(plane: Stack, *, radius_px: float = 50.0) -> Stack:
    """Take away what varies more slowly than `radius_px`, from each plane; float32, not below 0.

    The background is the lower quartile of blocks of pixels, the lowest of its neighbourhood of `radius_px`,
    smoothed: a grey-scale opening on a coarse grid (Sternberg, Computer 16(1), 1983).
    """
    image = plane.astype(np.float32)
    block = max(1, min(image.shape) // _GRID)
    coarse = _block_quantile(image, block, 0.25)
    reach = max(1, round(radius_px / block))
    slope = _slope(coarse)  # an opening cuts the high end of a slope off
    floor = ndimage.grey_opening(coarse - slope, size=2 * reach + 1, mode="nearest")
    smooth = slope + ndimage.gaussian_filter(floor, reach / 2, mode="nearest")
    background = _enlarge(smooth, image.shape, block)
    np.subtract(image, background, out=image)
    return np.maximum(image, 0, out=image)


@per_plane
def correct_illumination(plane: Stack, *, smoothness: float = 0.25, offset: float = 0.0) -> Stack:
    """Divide each plane by its own smooth illumination, estimated from the background; float32, mean light kept.

    plane: at least a third of it background. smoothness: scale of the illumination as a part of the image's edge.
    offset: counts of the camera without light. Retrospective correction by low-pass filtering
    (Likar et al., J. Microscopy 197(3), 2000).
    """
    image = plane.astype(np.float32) - np.float32(offset)
    block = max(1, min(image.shape) // _GRID)
    coarse = _block_quantile(image, block, 0.25)
    reach = max(1, round(min(coarse.shape) * smoothness / 2))
    low = ndimage.percentile_filter(coarse, 30, size=reach, mode="nearest")
    light = ndimage.gaussian_filter(low, reach, mode="nearest")
    light = np.maximum(light, np.float32(1e-3) * max(float(light.max()), 1e-6))
    return image / _enlarge(light / light.mean(), image.shape, block)


@per_plane
def denoise(plane: Stack, *, sigma_px: float = 1.0) -> Stack:
    """Smooth each plane with a Gaussian of `sigma_px`; float32."""
    return ndimage.gaussian_filter(plane.astype(np.float32, copy=False), sigma_px, mode="nearest")


def _block_quantile(image: Stack, block: int, quantile: float) -> Stack:
    """The quantile of each block x block square; what is left over at the far edges belongs to the last squares."""
    rows, columns = max(1, image.shape[0] // block), max(1, image.shape[1] // block)
    squares = image[: rows * block, : columns * block].reshape(rows, block, columns, block)
    flat = squares.transpose(0, 2, 1, 3).reshape(rows, columns, block * block)
    rank = int(quantile * (block * block - 1))
    return np.partition(flat, rank, axis=2)[:, :, rank]


def _slope(image: Stack) -> Stack:
    """The plane a*y + b*x through the image, from the medians of differences between its halves; 0 in the middle."""
    rows, columns = (size // 2 for size in image.shape)
    down = np.median(image[image.shape[0] - rows :] - image[:rows]) / max(1, image.shape[0] - rows)
    right = np.median(image[:, image.shape[1] - columns :] - image[:, :columns]) / max(1, image.shape[1] - columns)
    y, x = (np.arange(size, dtype=np.float32) - (size - 1) / 2 for size in image.shape)
    plane: Stack = (down * y[:, np.newaxis] + right * x).astype(np.float32)
    return plane


def _enlarge(coarse: Stack, shape: tuple[int, ...], block: int) -> Stack:
    """Linear interpolation of block centres to every pixel."""
    matrix = np.array([1 / block, 1 / block])
    offset = np.array([(0.5 - block / 2) / block] * 2)
    return ndimage.affine_transform(coarse, matrix, offset, output_shape=shape, order=1, mode="nearest")
