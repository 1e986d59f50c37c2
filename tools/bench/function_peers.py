"""What takes several calls of another library to do the job of one function of ours; images are uint16 (Y, X)."""

import functools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from cp_measure.bulk import get_core_measurements, get_correlation_measurements
from cp_measure.multimask.measureobjectneighbors import D_WITHIN, measureobjectneighbors
from laptrack import LapTrack
from numpy.typing import NDArray
from scipy import ndimage, sparse
from skimage import feature, filters, measure, morphology, segmentation

_FULL = 65535
_GRID = 32
cv2.setNumThreads(1)


def blurred(image: NDArray[np.float32], sigma: float) -> Any:
    """Blur with OpenCV, with a kernel as long as that of SciPy."""
    side = 2 * int(4 * sigma + 0.5) + 1
    return cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)


def without_background(plane: NDArray[np.uint16]) -> Any:
    """Subtract the opening of the means of blocks."""
    image = plane.astype(np.float32)
    block = max(1, len(plane) // _GRID)
    coarse = cv2.resize(image, (plane.shape[1] // block, len(plane) // block), interpolation=cv2.INTER_AREA)
    side = 2 * max(1, round(50 / block)) + 1
    floor = blurred(cv2.morphologyEx(coarse, cv2.MORPH_OPEN, np.ones((side, side), np.uint8)), side / 4)
    return np.maximum(image - cv2.resize(floor, image.shape[::-1]), 0)


def evenly_lit(plane: NDArray[np.uint16]) -> Any:
    """Divide by the blurred means of blocks."""
    image = plane.astype(np.float32)
    block = max(1, len(plane) // _GRID)
    coarse = cv2.resize(image, (plane.shape[1] // block, len(plane) // block), interpolation=cv2.INTER_AREA)
    light = blurred(coarse, 4)
    return cv2.divide(image, cv2.resize(light / light.mean(), image.shape[::-1]))


def stitched(tiles: NDArray[np.uint16], overlap: float) -> Any:
    """Stitch a grid of 2 x 2, weighted by the distance to the edges."""
    height, width = tiles.shape[1:]
    down, right = (np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)) for size in (height, width))
    weight = np.minimum.outer(down, right).astype(np.float32)
    step = round(height * (1 - overlap))
    total = np.zeros((height + step, width + step), np.float32)
    weights = np.zeros_like(total)
    for place, tile in enumerate(tiles):
        y, x = (step * part for part in divmod(place, 2))
        cv2.accumulateProduct(tile.astype(np.float32), weight, total[y : y + height, x : x + width])
        cv2.accumulate(weight, weights[y : y + height, x : x + width])
    return np.rint(cv2.divide(total, weights)).astype(np.uint16)


def quality(plane: NDArray[np.uint16]) -> Any:
    """Measure focus, spectrum, saturation and background, as CellProfiler's MeasureImageQuality does."""
    image = plane.astype(np.float64)
    power = np.abs(np.fft.fftshift(np.fft.fft2(image - image.mean()))) ** 2
    y, x = np.indices(plane.shape)
    radius = np.hypot(y - plane.shape[0] // 2, x - plane.shape[1] // 2).astype(int)
    sums = ndimage.sum_labels(power, radius, np.arange(1, len(plane) // 2))
    slope = np.polyfit(np.log(np.arange(1, len(plane) // 2)), np.log(sums), 1)[0]
    focus = ndimage.laplace(image).var() / image.mean() ** 2
    return slope, focus, np.percentile(image, 5), (plane == plane.max()).mean()


def reduced(stack: NDArray[np.uint16], operation: Callable[..., Any]) -> Any:
    """Reduce planes by an operation of two."""
    return functools.reduce(operation, stack)


def accumulated(stack: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Return the sum of planes."""
    total = np.zeros(stack.shape[1:])
    for plane in stack:
        cv2.accumulate(plane, total)
    return total


def spread(stack: NDArray[np.uint16]) -> Any:
    """Return the standard deviation of planes, by the sum of squares."""
    total, squares = np.zeros(stack.shape[1:]), np.zeros(stack.shape[1:])
    for plane in stack:
        cv2.accumulate(plane, total)
        cv2.accumulateSquare(plane, squares)
    return np.sqrt(np.maximum(squares / len(stack) - (total / len(stack)) ** 2, 0))


def sharpest(stack: NDArray[np.uint16]) -> Any:
    """Return each pixel from the plane with the strongest Laplacian."""
    bends = np.stack([blurred(np.abs(cv2.Laplacian(plane, cv2.CV_32F)), 2) for plane in stack])
    return np.take_along_axis(stack, bends.argmax(axis=0)[np.newaxis], axis=0)


def nuclei(plane: NDArray[np.uint16]) -> Any:
    """Find nuclei: smooth, Otsu, holes, distance, peaks, watershed."""
    smooth = filters.gaussian(plane, 1, preserve_range=True)
    mask = morphology.remove_small_objects(smooth > filters.threshold_otsu(smooth), max_size=100)
    return split(ndimage.binary_fill_holes(mask))


def split(mask: NDArray[np.bool_]) -> Any:
    """Split touching objects by the distance from their edges."""
    distance = filters.gaussian(ndimage.distance_transform_edt(mask), 2)
    places = feature.peak_local_max(distance, min_distance=6, labels=measure.label(mask))
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(places.T)] = np.arange(1, len(places) + 1)
    return segmentation.watershed(-distance, seeds, mask=mask)


def cells(plane: NDArray[np.uint16], marked: NDArray[np.int32]) -> Any:
    """Grow nuclei over an image of cells."""
    smooth = filters.gaussian(plane, 2, preserve_range=True)
    mask = (smooth > 0.6 * filters.threshold_otsu(smooth)) | (marked > 0)
    return segmentation.watershed(-smooth, marked, mask=mask)


def components(mask: NDArray[Any]) -> Any:
    """Number connected components."""
    return cv2.connectedComponents((mask > 0).view(np.uint8), connectivity=4)[1]


def large_enough(marked: NDArray[np.int32], area: int) -> Any:
    """Keep large objects."""
    areas = np.bincount(marked.ravel())
    areas[0] = area
    return np.where(areas[marked] >= area, marked, 0)


def contours(marked: NDArray[np.int32]) -> list[Any]:
    """Return the outline of each object."""
    boxes = enumerate(ndimage.find_objects(marked), start=1)
    parts = ((marked[box] == number).view(np.uint8) for number, box in boxes)
    return [cv2.findContours(part, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0] for part in parts]


def related(children: NDArray[np.int32], parents: NDArray[np.int32]) -> Any:
    """Return the parent with most pixels of each child."""
    both = np.flatnonzero((children > 0) & (parents > 0))
    pairs = (children.ravel()[both], parents.ravel()[both])
    return sparse.coo_array((np.ones(len(both)), pairs)).tocsr().argmax(axis=1)


def tracked(frames: NDArray[np.int32]) -> Any:
    """Follow centres."""
    tables = [measure.regionprops_table(frame, properties=("centroid",)) for frame in frames]
    centres = [np.column_stack([table["centroid-0"], table["centroid-1"]]) for table in tables]
    return LapTrack(cutoff=30.0**2, gap_closing_cutoff=False, splitting_cutoff=False).predict(centres)


def texture(plane: NDArray[np.uint16], marked: NDArray[np.int32]) -> dict[str, list[float]]:
    """Return the contrast and three other properties of each object."""
    angles = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
    low, high = int(plane[marked > 0].min()), int(plane[marked > 0].max())
    grey = np.clip((plane - float(low)) / (high - low) * 16, 0, 15).astype(np.uint8) + 1
    found: dict[str, list[float]] = {name: [] for name in ("contrast", "correlation", "homogeneity", "ASM")}
    for number, box in enumerate(ndimage.find_objects(marked), start=1):
        part = np.where(marked[box] == number, grey[box], 0)
        pairs = feature.graycomatrix(part, [3], angles, levels=17, symmetric=True)[1:, 1:]
        for name, values in found.items():
            values.append(float(feature.graycoprops(pairs, name).mean()))
    return found


def spots(plane: NDArray[np.uint16]) -> Any:
    """Find spots as maxima of the Laplacian of Gaussian, and label the pixels within their radius."""
    image = plane.astype(np.float64)
    response = -ndimage.gaussian_laplace(image, 5 / 8**0.5, mode="nearest")
    noise = 1.4826 * np.median(np.abs(response - np.median(response)))
    places = feature.peak_local_max(response, min_distance=2, threshold_abs=6 * noise)
    labels = np.zeros(plane.shape, np.int32)
    labels[tuple(places.T)] = np.arange(1, len(places) + 1)
    return segmentation.expand_labels(labels, 2.5)


def cp_measure(names: str, plane: NDArray[np.uint16], marked: NDArray[np.int32]) -> dict[str, Any]:
    """Measure groups of features, joined by "and"."""
    core = get_core_measurements()
    return {
        name: values for group in names.split(" and ") for name, values in core[group](marked, plane / _FULL).items()
    }


def neighbours(marked: NDArray[np.int32]) -> Any:
    """Measure neighbours within 5 pixels."""
    return measureobjectneighbors(marked, marked, D_WITHIN, 5)


def colocalisation(channels: NDArray[np.uint16], marked: NDArray[np.int32]) -> list[Any]:
    """Measure all coefficients of two channels."""
    one, other = channels / _FULL
    functions = get_correlation_measurements()
    found = [functions[name](one, other, marked) for name in ("pearson", "manders_fold", "rwc")]
    return [*found, functions["costes"](one, other, marked, scale_max=_FULL)]


def all_features(channels: NDArray[np.uint16], marked: NDArray[np.int32]) -> list[Any]:
    """Measure all groups of features of two channels."""
    core = get_core_measurements()
    of_shape = ("sizeshape", "feret", "zernike")
    found = [core[name](marked, channels[0] / _FULL) for name in of_shape]
    found += [core[name](marked, plane / _FULL) for plane in channels for name in core if name not in of_shape]
    return found + colocalisation(channels, marked)
