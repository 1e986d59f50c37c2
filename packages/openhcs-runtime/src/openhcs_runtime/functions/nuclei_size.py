"""Estimation of the size of nuclei in an image, and of its noise and background."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.coarse import block_quantile, slope, subtract_enlarged
from openhcs_runtime.functions.kernels import gaussian, gradient, opening
from openhcs_runtime.functions.kernels.groups import quantile_of
from openhcs_runtime.pipeline.decorators import Stack

Plane = NDArray[np.float32]

_SIDES = (3, 4, 6, 8)
"""Edge lengths (pixels) of the squares in one octave of the granulometry."""
_LARGEST_PX = 700
"""Images with longer edges are analysed at half their size; nuclei below 6 pixels then appear as 6."""
_PER_SIDE, _BLUR_PX = 1.16, 1.0
"""Diameter relative to the edge length with the largest change, calibrated with discs of known size."""
_STEP_OF_A_COUNT = 0.29
"""Standard deviation of rounding to whole counts."""
_NEARLY = 0.7
_EDGE_FACTOR = 6.0
"""Squared slopes this many times above their median belong to edges."""
_EDGE_BITS, _DIAMETER_STEPS = 16, 64
"""Significant bits of the level of the edges, and steps of the diameter per pixel: both come from sums of many numbers,
and are rounded so that the order of additions, which depends on the processor, does not show."""


@dataclass(frozen=True, slots=True)
class Edges:
    """The pixels at edges, and their weights.

    Attributes:
        pixels: Indices in the flat image, increasing.
        weights: Squared slopes of the inverse hyperbolic sine of counts, minus their general level; greater than 0.
    """

    pixels: NDArray[np.intp]
    weights: Plane


@dataclass(frozen=True, slots=True)
class Contrast:
    """An image without its background.

    Attributes:
        above: Counts above the background, smoothed, float32 (Y, X).
        noise: Standard deviation of its noise, in counts.
        slopes: Its slope, in counts per pixel.
        edge: The level, in counts, at which its edges are steepest.
    """

    above: Plane
    slopes: Plane
    noise: float
    edge: float


def diameter_of_nuclei(plane: Stack) -> float | None:
    """Return the typical diameter of the nuclei in an image, in pixels.

    This is a granulometry: how much openings with squares of increasing size change the image (Matheron, 1975; Maragos,
    IEEE Trans. PAMI 11(7), 1989). Changes are cubed, so that objects that vanish at once count much more than gradual
    changes, such as haze, or small ones, such as texture. Counts are compressed above the level of the edges, so that
    the result depends neither on a single bright cell nor on the background.

    Args:
        plane: The image (Y, X), of any numeric dtype.

    Returns:
        The diameter of a disc with the typical area, at least 4 pixels; None if the image has no edges at all.
    """
    block = 2 if max(plane.shape) > _LARGEST_PX else 1
    small = shrink(plane, block)
    contrast = contrast_of(small, 0.7, min(small.shape) / 3, noise_of(small, whole_counts=plane.dtype.kind in "iu"))
    if contrast is None:
        return None
    picture = np.zeros_like(contrast.above)
    bright = contrast.above > 3 * contrast.noise
    picture[bright] = compressed(contrast.above[bright] - np.float32(3 * contrast.noise), contrast.edge)
    sizes, changes = _granulometry(picture, block)
    if not changes or max(changes) <= 0:
        return None
    smooth = np.convolve(np.pad(changes, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    peak = _peak(smooth)
    around = slice(max(0, peak - 1), peak + 2)
    weights = smooth[around] - 0.5 * smooth[around].min()
    side = math.exp(float((weights * np.array(sizes)[around]).sum() / weights.sum()))
    return max(4.0, round((_PER_SIDE * side - _BLUR_PX) * _DIAMETER_STEPS) / _DIAMETER_STEPS)


def contrast_of(image: Plane, sigma_px: float, radius_px: float, noise: float) -> Contrast | None:
    """Smooth an image and subtract its background.

    The level of the edges is the mean of the image weighted with its squared slope (Kittler, Illingworth & Foglein,
    Computer Vision, Graphics, and Image Processing 30(2), 1985), of compressed counts.

    Args:
        image: The image (Y, X).
        sigma_px: Standard deviation of the smoothing.
        radius_px: Anything that varies more slowly is background.
        noise: Standard deviation of the noise of a pixel in ``image``.

    Returns:
        The image above its background; None if it has no edges.
    """
    above = _without_floor(gaussian(image, sigma_px), image, radius_px)
    noise /= max(1.0, 2 * math.sqrt(math.pi) * sigma_px)
    largest = max(float(above.max()), -float(above.min()))
    unit = max(4 * noise, 0.03 * quantile_of(above[::2, ::2].ravel(), 0.99), 1e-6 * largest)
    if unit <= 0:
        return None
    slopes = gradient(above, 1.0)
    level = edge_level(above, edges_of(above, slopes, unit), unit)
    return Contrast(above, slopes, noise, unit * math.sinh(level)) if level > 0 else None


def edges_of(above: Plane, slopes: Plane, unit: float) -> Edges:
    """Return the pixels whose slope is steep in relation to the counts above ``unit``."""
    squared = above * above
    np.add(squared, np.float32(unit * unit), out=squared)
    np.divide(slopes, squared, out=squared)
    np.multiply(squared, slopes, out=squared)
    general = np.float32(_EDGE_FACTOR * quantile_of(squared[::2, ::2].ravel(), 0.5))
    pixels = np.flatnonzero(squared > general)
    return Edges(pixels, squared.ravel()[pixels] - general)


def edge_level(above: Plane, edges: Edges, unit: float) -> float:
    """Return the mean of the compressed counts at edges; 0 if there are none."""
    total = float(edges.weights.sum(dtype=np.float64))
    if not total:
        return 0.0
    picture = compressed(above.ravel()[edges.pixels], unit)
    return _rounded(float((edges.weights * picture).sum(dtype=np.float64)) / total)


def compressed(values: Plane, unit: float) -> Plane:
    """Return the inverse hyperbolic sine of counts / ``unit``: proportional below the unit, logarithmic above."""
    return np.arcsinh(values.astype(np.float64) / unit).astype(np.float32)


def shrink(image: Stack, block: int) -> Plane:
    """Return the means of block x block squares; the far edges are repeated to fill the last squares."""
    image = image.astype(np.float32, copy=False)
    if block == 1:
        return image
    rows, columns = (-size % block for size in image.shape)
    if rows or columns:
        image = np.pad(image, ((0, rows), (0, columns)), mode="edge")
    lines = image[::block].copy()
    for step in range(1, block):
        lines += image[step::block]
    small: Plane = lines[:, ::block].copy()
    for step in range(1, block):
        small += lines[:, step::block]
    return np.divide(small, block * block, out=small)


def _peak(changes: NDArray[np.float64]) -> int:
    """Return the highest peak, or one at a smaller size that is nearly as high: larger sizes are clumps or haze."""
    walled = np.pad(changes, 1, constant_values=-1.0)
    peaks = np.flatnonzero((walled[1:-1] >= walled[:-2]) & (walled[1:-1] > walled[2:]))
    return int(next(place for place in peaks if changes[place] >= _NEARLY * changes.max()))


def _granulometry(picture: Plane, pixel: int) -> tuple[list[float], list[float]]:
    """Return logarithms of sizes (pixels of the original image), and how much vanishes at each per logarithmic step."""
    sizes: list[float] = []
    changes: list[float] = []
    sides: tuple[int, ...] = _SIDES
    while min(picture.shape) >= 3 * sides[-1]:
        opened = [opening(picture, side) for side in sides]
        for number in range(len(sides) - 1):
            step = math.log(sides[number + 1] / sides[number])
            lost = np.maximum(opened[number] - opened[number + 1], 0)
            sizes.append(math.log(pixel * math.sqrt(sides[number] * sides[number + 1])))
            changes.append(float((lost * lost * lost).mean(dtype=np.float64)) / step)
        picture, pixel, sides = shrink(picture, 2), 2 * pixel, _SIDES[1:]
    return sizes, changes


def _without_floor(smooth: Plane, image: Plane, radius_px: float) -> Plane:
    """Subtract the background in place: lower quartiles of blocks, opened over twice ``radius_px`` and smoothed."""
    block = max(1, min(min(image.shape) // 8, int(radius_px / 4)))
    coarse = block_quantile(image, block, 0.25)
    reach = max(1, round(radius_px / block))
    tilt = slope(coarse)
    opened = opening(coarse - tilt, 2 * reach + 1)
    return subtract_enlarged(smooth, tilt + gaussian(opened, reach / 2), block)


def noise_of(image: Plane, *, whole_counts: bool) -> float:
    """Return the standard deviation of white noise, from the median of second differences.

    After Immerkaer, CVIU 64(2), 1996.

    Args:
        image: The image (Y, X).
        whole_counts: Whether its values are rounded to integers.
    """
    least = _STEP_OF_A_COUNT if whole_counts else 0.0
    if min(image.shape) < 3:
        return least
    across = image[:, :-2:2] - 2 * image[:, 1:-1:2] + image[:, 2::2]
    bends = np.abs(across[:-2:2] - 2 * across[1:-1:2] + across[2::2])
    return max(least, quantile_of(bends.ravel(), 0.5) / (0.6745 * 6))


def _rounded(value: float) -> float:
    """Return a number with fewer bits."""
    part, exponent = math.frexp(value)
    return math.ldexp(round(math.ldexp(part, _EDGE_BITS)), exponent - _EDGE_BITS)
