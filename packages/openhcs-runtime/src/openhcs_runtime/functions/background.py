"""Functions that subtract the background."""

import numpy as np

from openhcs_runtime.functions.coarse import GRID, block_minimum, block_quantile, slope, subtract_enlarged
from openhcs_runtime.functions.kernels import ball_opening, disk_opening, gaussian, opening
from openhcs_runtime.pipeline.decorators import Stack, per_plane

_BALL_PX = 12
"""The largest radius for which a ball is rolled at full resolution."""


@per_plane
def subtract_background(plane: Stack, *, radius_px: float = 50.0) -> Stack:
    """Subtract variations slower than ``radius_px`` from each plane; returns float32, at least 0.

    The background is a grey-scale opening on a coarse grid (Sternberg, Computer 16(1), 1983): the lower quartile of
    blocks of pixels, its minimum within ``radius_px``, smoothed.
    """
    image = plane.astype(np.float32)
    block = max(1, min(image.shape) // GRID)
    coarse = block_quantile(image, block, 0.25)
    reach = max(1, round(radius_px / block))
    tilt = slope(coarse)  # an opening cuts off the high end of a slope
    floor = gaussian(opening(coarse - tilt, 2 * reach + 1), reach / 2)
    subtract_enlarged(image, tilt + floor, block)
    return np.maximum(image, 0, out=image)


@per_plane
def subtract_constant(plane: Stack, *, value: float) -> Stack:
    """Subtract a constant, such as the offset of the camera, from every pixel; returns float32, at least 0."""
    image = plane.astype(np.float32)
    np.subtract(image, np.float32(value), out=image)
    return np.asarray(np.maximum(image, 0, out=image))


@per_plane
def subtract_gaussian(plane: Stack, *, sigma_px: float = 50.0) -> Stack:
    """Subtract a blurred copy of each plane from it; returns float32, at least 0.

    This is unsharp masking without the mean: large bright objects darken their surroundings.

    Args:
        plane: The plane (Y, X).
        sigma_px: Standard deviation of the Gaussian blur; should be several times the size of the objects.
    """
    image = plane.astype(np.float32)
    return np.asarray(np.maximum(image - gaussian(image, sigma_px), 0))


@per_plane
def subtract_tophat(plane: Stack, *, radius_px: int = 15) -> Stack:
    """Keep bright structures that fit into a disk of ``radius_px``: white top-hat of each plane, same dtype.

    Meyer, Contrast feature extraction, 1979; Serra, Image Analysis and Mathematical Morphology, 1982. The disk is
    decomposed into small, nearly round elements, so the time increases only linearly with the radius.
    """
    opened = disk_opening(plane, radius_px)
    return np.asarray(plane ^ opened if plane.dtype.kind == "b" else plane - opened)


@per_plane
def subtract_rolling_ball(plane: Stack, *, radius_px: float = 50.0) -> Stack:
    """Subtract the background reached by a ball of ``radius_px`` rolling below each plane; returns float32, at least 0.

    Grey-scale opening with a ball (Sternberg, Computer 16(1), 1983), which is as high in counts as it is wide in
    pixels. A ball of more than 12 pixels rolls below the minima of blocks of pixels: its surface has no finer detail.
    """
    image = plane.astype(np.float32)
    block = max(1, min(int(radius_px // _BALL_PX), min(image.shape) // 8))
    surface = ball_opening(block_minimum(image, block), radius_px, block)
    subtract_enlarged(image, surface, block)
    return np.maximum(image, 0, out=image)
