"""Estimation of the size of nuclei in an image, and of its noise and background."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions.coarse import block_quantile, enlarge, slope
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
    small = shrink(plane.astype(np.float32), block)
    contrast = contrast_of(small, 0.7, min(small.shape) / 3, noise_of(small, whole_counts=plane.dtype.kind in "iu"))
    if contrast is None:
        return None
    picture = np.arcsinh(np.maximum(contrast.above - 3 * contrast.noise, 0) / contrast.edge).astype(np.float32)
    sizes, changes = _granulometry(picture, block)
    if not changes or max(changes) <= 0:
        return None
    smooth = np.convolve(np.pad(changes, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    peak = _peak(smooth)
    around = slice(max(0, peak - 1), peak + 2)
    weights = smooth[around] - 0.5 * smooth[around].min()
    side = math.exp(float((weights * np.array(sizes)[around]).sum() / weights.sum()))
    return max(4.0, _PER_SIDE * side - _BLUR_PX)


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
    smooth = ndimage.gaussian_filter(image, sigma_px, mode="nearest")
    noise /= max(1.0, 2 * math.sqrt(math.pi) * sigma_px)
    above: Plane = smooth - _floor(image, radius_px)
    unit = max(4 * noise, 0.03 * float(np.quantile(above[::2, ::2], 0.99)), 1e-6 * float(np.abs(above).max()))
    if unit <= 0:
        return None
    slopes = ndimage.gaussian_gradient_magnitude(above, 1.0, mode="nearest")
    weights = edge_weights(above, slopes, unit)
    total = float(weights.sum())
    level = float((weights * np.arcsinh(above / unit)).sum()) / total if total > 0 else 0.0
    return Contrast(above, slopes, noise, unit * math.sinh(level)) if level > 0 else None


def edge_weights(above: Plane, slopes: Plane, unit: float) -> Plane:
    """Return the squared slopes of the inverse hyperbolic sine of counts / ``unit``, minus their general level."""
    squared = slopes * slopes / (above * above + unit * unit)
    weights: Plane = np.maximum(squared - _EDGE_FACTOR * float(np.median(squared[::2, ::2])), 0)
    return weights


def shrink(image: Plane, block: int) -> Plane:
    """Return the means of block x block squares; the far edges are repeated to fill the last squares."""
    if block == 1:
        return image
    rows, columns = (-size % block for size in image.shape)
    whole = np.pad(image, ((0, rows), (0, columns)), mode="edge")
    squares = whole.reshape(whole.shape[0] // block, block, whole.shape[1] // block, block)
    small: Plane = squares.mean((1, 3), dtype=np.float32)
    return small


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
        opened = [ndimage.grey_opening(picture, size=(side, side), mode="reflect") for side in sides]
        for number in range(len(sides) - 1):
            step = math.log(sides[number + 1] / sides[number])
            lost = np.maximum(opened[number] - opened[number + 1], 0)
            sizes.append(math.log(pixel * math.sqrt(sides[number] * sides[number + 1])))
            changes.append(float((lost * lost * lost).mean()) / step)
        picture, pixel, sides = shrink(picture, 2), 2 * pixel, _SIDES[1:]
    return sizes, changes


def _floor(image: Plane, radius_px: float) -> Plane:
    """Return the background: lower quartiles of blocks, opened over twice ``radius_px`` and smoothed."""
    block = max(1, min(min(image.shape) // 8, int(radius_px / 4)))
    coarse = block_quantile(image, block, 0.25)
    reach = max(1, round(radius_px / block))
    tilt = slope(coarse)
    opened = ndimage.grey_opening(coarse - tilt, size=2 * reach + 1, mode="nearest")
    return enlarge(tilt + ndimage.gaussian_filter(opened, reach / 2, mode="nearest"), image.shape, block)


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
    across = image[:, :-2] - 2 * image[:, 1:-1] + image[:, 2:]
    bends = np.abs(across[:-2] - 2 * across[1:-1] + across[2:])
    return max(least, float(np.median(bends[::2, ::2])) / (0.6745 * 6))
