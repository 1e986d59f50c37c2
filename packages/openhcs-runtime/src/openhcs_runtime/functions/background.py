"""Functions that take the background away."""

import numpy as np
from scipy import ndimage

from openhcs_runtime.functions.coarse import GRID, block_quantile, enlarge, slope
from openhcs_runtime.pipeline.decorators import Stack, per_plane

_BALL_PX = 12
"""Radius up to which a ball is rolled at full size."""


@per_plane
def subtract_background(plane: Stack, *, radius_px: float = 50.0) -> Stack:
    """Take away what varies more slowly than `radius_px`, from each plane; float32, not below 0.

    The background is the lower quartile of blocks of pixels, the lowest of its neighbourhood of `radius_px`,
    smoothed: a grey-scale opening on a coarse grid (Sternberg, Computer 16(1), 1983).
    """
    image = plane.astype(np.float32)
    block = max(1, min(image.shape) // GRID)
    coarse = block_quantile(image, block, 0.25)
    reach = max(1, round(radius_px / block))
    tilt = slope(coarse)  # an opening cuts the high end of a slope off
    floor = ndimage.grey_opening(coarse - tilt, size=2 * reach + 1, mode="nearest")
    smooth = tilt + ndimage.gaussian_filter(floor, reach / 2, mode="nearest")
    background = enlarge(smooth, image.shape, block)
    np.subtract(image, background, out=image)
    return np.maximum(image, 0, out=image)


@per_plane
def subtract_constant(plane: Stack, *, value: float) -> Stack:
    """Take the same number of counts from every pixel, such as the offset of the camera; float32, not below 0."""
    return np.asarray(np.maximum(plane.astype(np.float32) - np.float32(value), 0))


@per_plane
def subtract_gaussian(plane: Stack, *, sigma_px: float = 50.0) -> Stack:
    """Take each plane blurred by a Gaussian of `sigma_px` from it; float32, not below 0.

    Unsharp masking without its mean: large bright objects darken what is around them. `sigma_px`: several times the
    size of the objects.
    """
    image = plane.astype(np.float32)
    return np.maximum(image - ndimage.gaussian_filter(image, sigma_px, mode="nearest"), 0)


@per_plane
def subtract_tophat(plane: Stack, *, radius_px: int = 15) -> Stack:
    """Keep what is bright and fits into a disk of `radius_px`: white top-hat of each plane, same type.

    Meyer, Contrast feature extraction, 1979; Serra, Image Analysis and Mathematical Morphology, 1982. The disk is made
    of small steps, nearly round, so the time grows only in proportion to the radius.
    """
    from skimage.morphology import disk, white_tophat  # noqa: PLC0415  loads slowly

    return np.asarray(white_tophat(plane, disk(radius_px, decomposition="sequence")))


@per_plane
def subtract_rolling_ball(plane: Stack, *, radius_px: float = 50.0) -> Stack:
    """Take away what a ball of `radius_px` reaches that rolls below each plane; float32, not below 0.

    Grey-scale opening with a ball (Sternberg, Computer 16(1), 1983), which is as high in counts as it is wide in
    pixels. A ball above 12 pixels rolls below the darkest values of blocks of pixels: its surface has no finer detail.
    """
    image = plane.astype(np.float32)
    block = max(1, min(int(radius_px // _BALL_PX), min(image.shape) // 8))
    coarse = block_quantile(image, block, 0.0)
    reach = max(1, int(radius_px / block))
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    height = radius_px**2 - (y**2 + x**2) * float(block) ** 2
    ball = np.sqrt(np.maximum(height, 0))
    surface = ndimage.grey_opening(coarse, footprint=height >= 0, structure=ball, mode="nearest")
    return np.asarray(np.maximum(image - enlarge(surface, image.shape, block), 0))
