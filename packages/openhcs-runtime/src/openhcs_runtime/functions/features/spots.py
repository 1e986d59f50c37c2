"""Bright spots of a known size, as maxima of the Laplacian of Gaussian.

Lindeberg, Int. J. Computer Vision 30(2), 1998: a disk of diameter d has its largest response at a standard deviation of
d / (2 sqrt(2)). A place is refined by a parabola through the response on each axis.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions.features.laplacian import laplacian_of_gaussian
from openhcs_runtime.functions.features.regions import Floats
from openhcs_runtime.functions.kernels import maximum

_MAD_TO_SD = 1.4826
_ROUNDING_SD = 1 / np.sqrt(12)
"""Standard deviation of what is lost by rounding to whole counts."""
_MOST_VALUES = 1 << 18
"""Values around spots that are in memory at the same time."""
_MARGIN_PX = 1e-6
"""What is added to a distance, so that rounding does not part spots that overlap."""


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
    image = _known(plane)
    sigma = diameter_px / (2 * np.sqrt(2))
    response = laplacian_of_gaussian(image, sigma)
    np.multiply(response, -(sigma**2), out=response)
    noise = _noise(plane, response, sigma)
    rows, cols = _maxima(response, diameter_px / 2, lowest_snr * noise)
    heights = response[rows, cols]
    inner, outer = _surroundings(image, rows, cols, diameter_px)
    return Spots(
        pixels_of(image.shape, rows, cols, diameter_px / 2),
        rows + _refined(response, rows, cols, 0),
        cols + _refined(response, rows, cols, 1),
        inner - outer,
        outer,
        heights,
        heights / noise,
    )


def _known(plane: NDArray[Any]) -> Floats:
    """Return the image with its median in place of what is not finite."""
    known = np.isfinite(plane)
    if known.all():
        return plane.astype(np.float64)
    return np.where(known, plane, np.median(plane[known]) if known.any() else 0).astype(np.float64)


def _noise(plane: NDArray[Any], response: Floats, sigma: float) -> float:
    """Return the robust standard deviation of the response, at least that of rounding."""
    apart = response - _median(response)
    spread = _MAD_TO_SD * _median(np.abs(apart, out=apart))
    size = 2 * int(4 * sigma + 0.5) + 1
    delta = np.zeros((size, size))
    delta[size // 2, size // 2] = 1
    gain = sigma**2 * float(np.sqrt((ndimage.gaussian_laplace(delta, sigma, mode="constant") ** 2).sum()))
    step = 1.0 if plane.dtype.kind in "ui" else float(np.spacing(np.float32(np.abs(response).max() + 1e-30)))
    return float(max(spread, step * _ROUNDING_SD * gain))


def _median(values: Floats) -> float:
    """Return the median of values without NaN; one partition in place of the two of ``numpy.median``."""
    middle = values.size // 2
    ordered = np.partition(values, middle, axis=None)
    lower = ordered[middle] if values.size % 2 else ordered[:middle].max()
    return float((lower + ordered[middle]) / 2)


def _maxima(response: Floats, radius_px: float, lowest: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of maxima that are the highest within a radius, sorted; of equal ones, the first."""
    apart = max(1, int(radius_px))
    rows, cols = np.nonzero((response > lowest) & (response == maximum(response, 2 * apart + 1)))
    if len(np.unique(response[rows, cols])) < len(rows):
        return _spaced_maxima(response, apart, lowest)
    return rows, cols


def _spaced_maxima(response: Floats, apart: int, lowest: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the maxima of which some have the same height, so that one has to make room for another."""
    from skimage.feature import peak_local_max  # noqa: PLC0415  loads slowly

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
    core = np.argwhere(distance <= diameter_px / 4)
    ring = np.argwhere((distance > diameter_px / 2) & (distance <= diameter_px))
    inner, outer = np.empty(len(rows)), np.empty(len(rows))
    most = max(1, _MOST_VALUES // max(len(ring), 1))
    for first in range(0, len(rows), most):
        part = slice(first, first + most)
        inner[part] = np.nanmean(_around(padded, rows[part], cols[part], core), axis=1)
        outer[part] = _medians(_around(padded, rows[part], cols[part], ring))
    return inner, outer


def _around(padded: Floats, rows: NDArray[np.int64], cols: NDArray[np.int64], places: NDArray[np.int64]) -> Floats:
    """Return the values at places around each spot, (n, places)."""
    values: Floats = padded[rows[:, np.newaxis] + places[:, 0], cols[:, np.newaxis] + places[:, 1]]
    return values


def _medians(values: Floats) -> Floats:
    """Return the median of each row without its NaN; NaN if there is nothing else."""
    count = (~np.isnan(values)).sum(axis=1)
    found = np.full(len(values), np.nan)
    some = np.flatnonzero(count)
    ordered = np.sort(values[some], axis=1)
    lower, upper = (np.take_along_axis(ordered, at[:, np.newaxis], axis=1)[:, 0] for at in _middles(count[some]))
    found[some] = (lower + upper) / 2
    return found


def _middles(count: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return (count - 1) // 2, count // 2


def pixels_of(
    shape: tuple[int, ...], rows: NDArray[np.int64], cols: NDArray[np.int64], radius_px: float
) -> NDArray[np.int32]:
    """Return the numbers of the spots in the pixels within their radius; that of the nearest where they overlap."""
    labels = np.zeros(shape, np.int32)
    groups = _overlapping(rows, cols, radius_px)
    sizes = np.bincount(groups)
    alone = np.flatnonzero(sizes[groups] == 1)
    _stamp(labels, rows[alone], cols[alone], alone + 1, radius_px)
    for group in np.flatnonzero(sizes > 1):
        together = np.flatnonzero(groups == group)
        _expand(labels, rows[together], cols[together], together + 1, radius_px)
    return labels


def _overlapping(rows: NDArray[np.int64], cols: NDArray[np.int64], radius_px: float) -> NDArray[np.integer[Any]]:
    """Return the number of the group of each spot; spots of different groups have no pixel in common."""
    from scipy.sparse import coo_array  # noqa: PLC0415  loads slowly
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415
    from scipy.spatial import cKDTree  # noqa: PLC0415

    if not len(rows):
        return rows
    pairs = cKDTree(np.column_stack([rows, cols])).query_pairs(2 * radius_px + _MARGIN_PX, output_type="ndarray")
    joined = coo_array((np.ones(len(pairs), bool), pairs.T), shape=(len(rows),) * 2)
    groups: NDArray[np.integer[Any]] = connected_components(joined, directed=False)[1]
    return groups


def _stamp(
    labels: NDArray[np.int32],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    numbers: NDArray[np.int64],
    radius_px: float,
) -> None:
    """Write the number of each spot into the pixels within its radius."""
    reach = int(radius_px)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    for down, over in np.argwhere(y**2 + x**2 <= radius_px**2) - reach:
        row, col = rows + down, cols + over
        inside = (row >= 0) & (row < labels.shape[0]) & (col >= 0) & (col < labels.shape[1])
        labels[row[inside], col[inside]] = numbers[inside]


def _expand(
    labels: NDArray[np.int32],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    numbers: NDArray[np.int64],
    radius_px: float,
) -> None:
    """Write the number of the nearest spot of a group into the pixels within its radius."""
    from skimage.segmentation import expand_labels  # noqa: PLC0415  loads slowly

    reach = int(radius_px)
    top, left = max(0, int(rows.min()) - reach), max(0, int(cols.min()) - reach)
    box = labels[top : int(rows.max()) + reach + 1, left : int(cols.max()) + reach + 1]
    seeds = np.zeros(box.shape, np.int32)
    seeds[rows - top, cols - left] = numbers
    np.copyto(box, expand_labels(seeds, radius_px), where=box == 0)
