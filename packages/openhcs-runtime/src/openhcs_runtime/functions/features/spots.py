"""Bright spots of a known size, as maxima of the Laplacian of Gaussian.

Lindeberg, Int. J. Computer Vision 30(2), 1998: a disk of diameter d has its largest response at a standard deviation of
d / (2 sqrt(2)). A place is refined by a parabola through the response on each axis.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions.features.regions import Floats

_MAD_TO_SD = 1.4826
_ROUNDING_SD = 1 / np.sqrt(12)
"""Standard deviation of what is lost by rounding to whole counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """The spots of one image, from the top to the bottom.

    Attributes:
        labels: Pixels within the radius of each spot, int32 (Y, X), numbered from 1.
        y: Row of each spot, finer than a pixel, (n,).
        x: Column of each spot, (n,).
        intensity: Brightness of the centre above the surroundings, (n,).
        background: Median of the surroundings, (n,).
        response: Response of the filter, (n,).
        snr: The response divided by the noise of the filtered image, (n,).
    """

    labels: NDArray[np.int32]
    y: Floats
    x: Floats
    intensity: Floats
    background: Floats
    response: Floats
    snr: Floats


def find_spots(plane: NDArray[Any], diameter_px: float, lowest_snr: float) -> Spots:
    """Return the spots of an image (Y, X).

    Args:
        plane: The image; pixels that are not finite count as the median.
        diameter_px: Diameter of a spot.
        lowest_snr: Response in units of the noise from which on a maximum is a spot.
    """
    known = np.isfinite(plane)
    image = np.where(known, plane, np.median(plane[known]) if known.any() else 0).astype(float)
    sigma = diameter_px / (2 * np.sqrt(2))
    response = -(sigma**2) * ndimage.gaussian_laplace(image, sigma, mode="nearest")
    noise = _noise(plane, response, sigma)
    rows, cols = _maxima(response, diameter_px / 2, lowest_snr * noise)
    heights = response[rows, cols]
    inner, outer = _surroundings(image, rows, cols, diameter_px)
    return Spots(
        _marked(image.shape, rows, cols, diameter_px / 2),
        rows + _refined(response, rows, cols, 0),
        cols + _refined(response, rows, cols, 1),
        inner - outer,
        outer,
        heights,
        heights / noise,
    )


def _noise(plane: NDArray[Any], response: Floats, sigma: float) -> float:
    """Return the robust standard deviation of the response, at least that of rounding."""
    spread = _MAD_TO_SD * float(np.median(np.abs(response - np.median(response))))
    size = 2 * int(4 * sigma + 0.5) + 1
    delta = np.zeros((size, size))
    delta[size // 2, size // 2] = 1
    gain = sigma**2 * float(np.sqrt((ndimage.gaussian_laplace(delta, sigma, mode="constant") ** 2).sum()))
    step = 1.0 if plane.dtype.kind in "ui" else float(np.spacing(np.float32(np.abs(response).max() + 1e-30)))
    return float(max(spread, step * _ROUNDING_SD * gain))


def _maxima(response: Floats, radius_px: float, lowest: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of maxima that are the highest within a radius, sorted."""
    from skimage.feature import peak_local_max  # noqa: PLC0415  loads slowly

    apart = max(1, int(radius_px))
    peaks = peak_local_max(response, min_distance=apart, threshold_abs=lowest, exclude_border=False)
    peaks = peaks[np.lexsort((peaks[:, 1], peaks[:, 0]))].astype(np.int64)
    return peaks[:, 0], peaks[:, 1]


def _refined(response: Floats, rows: NDArray[np.int64], cols: NDArray[np.int64], axis: int) -> Floats:
    """Return how far the vertex of a parabola through three responses is from the middle, at most half a pixel."""
    height, width = response.shape
    step = (1, 0) if axis == 0 else (0, 1)
    before = response[np.maximum(rows - step[0], 0), np.maximum(cols - step[1], 0)]
    after = response[np.minimum(rows + step[0], height - 1), np.minimum(cols + step[1], width - 1)]
    curve = before - 2 * response[rows, cols] + after
    shift = np.divide(before - after, 2 * curve, out=np.zeros(len(rows)), where=curve < 0)
    at_edge = (rows == 0) | (rows == height - 1) if axis == 0 else (cols == 0) | (cols == width - 1)
    return np.where(at_edge, 0.0, np.clip(shift, -0.5, 0.5))


def _surroundings(
    image: Floats, rows: NDArray[np.int64], cols: NDArray[np.int64], diameter_px: float
) -> tuple[Floats, Floats]:
    """Return the mean of each spot within half its radius, and the median of a ring from 1 to 2 radii around it."""
    reach = int(np.ceil(diameter_px))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(y, x)
    padded = np.pad(image, reach, constant_values=np.nan)
    inner, outer = np.empty(len(rows)), np.empty(len(rows))
    core, ring = distance <= diameter_px / 4, (distance > diameter_px / 2) & (distance <= diameter_px)
    for at, (row, col) in enumerate(zip(rows, cols, strict=True)):
        around = padded[row : row + 2 * reach + 1, col : col + 2 * reach + 1]
        inner[at] = np.nanmean(around[core])
        outer[at] = np.nanmedian(around[ring]) if np.isfinite(around[ring]).any() else np.nan
    return inner, outer


def _marked(
    shape: tuple[int, ...], rows: NDArray[np.int64], cols: NDArray[np.int64], radius_px: float
) -> NDArray[np.int32]:
    from skimage.segmentation import expand_labels  # noqa: PLC0415  loads slowly

    labels = np.zeros(shape, np.int32)
    labels[rows, cols] = np.arange(1, len(rows) + 1)
    return np.asarray(expand_labels(labels, radius_px), np.int32)
