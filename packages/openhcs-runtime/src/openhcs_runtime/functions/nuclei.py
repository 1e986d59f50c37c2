"""Segmentation of nuclei in unprocessed fluorescence images: of any size and brightness, over haze, touching."""

import math
import statistics

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from openhcs_runtime.functions.coarse import enlarge
from openhcs_runtime.functions.nuclei_size import (
    Contrast,
    Plane,
    contrast_of,
    diameter_of_nuclei,
    edge_weights,
    noise_of,
    shrink,
)
from openhcs_runtime.functions.nuclei_split import Labels, Mask, hull_area, join_pieces, rim_of, split_clumps
from openhcs_runtime.functions.small_masks import median_of, opened_square
from openhcs_runtime.functions.thresholds import ThresholdMethod, threshold
from openhcs_runtime.pipeline.decorators import InputKind, OutputKind, Stack, special_inputs, special_outputs

SPECK = 1 / 8
"""Objects smaller than this fraction of a typical nucleus are dropped."""
LARGEST = 8
"""Objects larger than this many typical nuclei are dropped: they are haze or dirt."""
_WORK_PX, _SMALL_PX = 20, 12
"""Images are shrunk if nuclei are larger than the first diameter, and enlarged if they are smaller than the second."""
_FLOOR_DIAMETERS = 2.5
"""The background varies over more than this many diameters."""
_SURE, _FAINT = 6.0, 4.0
"""Contrast of a nucleus, and of one of its pixels, in standard deviations of the noise."""
_FAINTEST = 0.06
"""Contrast of the faintest nucleus relative to that of a bright one (the upper quartile)."""
_EDGE_AT = 0.42
"""Level of the edge, from 0 for the background to 1 for the nucleus."""
_SHARP, _SHARP_AND_DIM = 1.5, 1.6
"""The smallest relative slope of an edge, in contrasts per diameter; haze is below it."""
_LEVELS = 8


@special_inputs(InputKind.PIXEL_SIZE_UM)
@special_outputs(OutputKind.LABELS, finds="nuclei")
def segment_nuclei(
    stack: Stack,
    *,
    diameter_px: float | None = None,
    diameter_um: float | None = None,
    method: ThresholdMethod | None = None,
    factor: float | None = None,
    pixel_size_um: float | None = None,
) -> tuple[Stack, Stack]:
    """Label the nuclei of each plane; the stack is passed on.

    The images should be unprocessed, as the background is estimated here. A local threshold at the level of the edges
    depends neither on a single bright cell nor on haze; touching nuclei are split by shape and brightness; then the
    edge of each nucleus is placed about half-way between its own brightness and that of its surroundings. Holes are
    filled. Objects are dropped if they are smaller than an eighth of a typical nucleus or larger than eight, have no
    sharp edge, don't stand out from the noise, or have less than 6 % of the contrast of the bright nuclei. An empty
    image has no nuclei.

    Each plane is processed separately: in a z stack, a nucleus is found again in each plane that shows it.

    Args:
        stack: The images (n, Y, X), of any numeric dtype, without NaN.
        diameter_px: Typical diameter of a nucleus in pixels [default: estimated from the images of the stack].
        diameter_um: The same in micrometres; needs the pixel size of the plate.
        method: Use an automatic threshold for the whole image instead of the local one.
        factor: Factor applied to the threshold [default: 1, or 0.6 with a method].
        pixel_size_um: Edge length of a pixel in micrometres, from the engine.

    Returns:
        The stack, and labels int32 (n, Y, X).

    Raises:
        ValueError: If both diameters are given, one is not positive, the pixel size is needed but unknown, or the stack
            has values that are not finite.
    """
    wanted = _diameter(diameter_px, diameter_um, pixel_size_um)
    if stack.dtype.kind == "f" and not np.isfinite(stack).all():
        raise ValueError("the images have values that are not finite (NaN or infinite): replace them first")
    if wanted is None:
        found = [size for size in map(diameter_of_nuclei, stack) if size is not None]
        if not found:
            return stack, np.zeros(stack.shape, dtype=np.int32)
        wanted = statistics.median(found)
    return stack, np.stack([_nuclei_of(plane, wanted, method, factor) for plane in stack])


def _diameter(in_pixels: float | None, in_um: float | None, pixel_size_um: float | None) -> float | None:
    """Return the requested diameter in pixels."""
    if in_pixels is not None and in_um is not None:
        raise ValueError("give diameter_px or diameter_um, not both")
    for name, value in (("diameter_px", in_pixels), ("diameter_um", in_um)):
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} is {value!r}: the diameter of a nucleus must be greater than 0")
    if in_um is None:
        return in_pixels
    if pixel_size_um is None:
        raise ValueError("the plate has no pixel size: give the diameter in pixels (diameter_px)")
    return in_um / pixel_size_um


def _nuclei_of(plane: Stack, diameter_px: float, method: ThresholdMethod | None, factor: float | None) -> Labels:
    """Return the labels of one plane, processed at a scale at which nuclei have a diameter of 13 to 30 pixels."""
    image = plane.astype(np.float32)
    whole = plane.dtype.kind in "iu"
    if diameter_px < _SMALL_PX:
        fine = ndimage.zoom(image, 2, order=3, mode="nearest", grid_mode=True)
        noise = 2 * noise_of(image, whole_counts=whole)  # like noise blurred by half as many pixels
        return _numbered(_labels(fine, 2 * diameter_px, noise, method, factor)[::2, ::2])
    block = max(1, round(diameter_px / _WORK_PX))
    small = shrink(image, block)
    noise = noise_of(small, whole_counts=whole and block == 1)
    labels = _labels(small, diameter_px / block, noise, method, factor)
    return _numbered(_enlarged(labels, plane.shape, block))


def _labels(
    image: Plane, diameter: float, noise: float, method: ThresholdMethod | None, factor: float | None
) -> Labels:
    contrast = contrast_of(image, max(0.7, 0.04 * diameter), _FLOOR_DIAMETERS * diameter, noise)
    if contrast is None:
        return np.zeros(image.shape, dtype=np.int32)
    usual = math.pi * diameter**2 / 4
    if method is None:
        mask = contrast.above > _local_level(contrast, diameter) * (1.0 if factor is None else factor)
    else:
        mask = threshold(contrast.above[np.newaxis], method=method, factor=0.6 if factor is None else factor)[0]
    mask &= contrast.above > _FAINT * contrast.noise
    mask = opened_square(_without_holes(mask, 0.4 * usual))
    smooth = ndimage.gaussian_filter(contrast.above, 0.12 * diameter)
    labels = _with_own_edges(split_clumps(mask, smooth, diameter), contrast, diameter)
    labels = join_pieces(labels, smooth, diameter)
    levels = _levels(labels, contrast.above)
    if not levels.any():
        return labels
    bright = float(np.quantile(levels[levels > 0], 0.75))
    labels = np.where((levels >= _FAINTEST * bright)[labels], labels, 0)
    return labels if method is not None else _with_dim_ones(labels, contrast, diameter, bright)


def _local_level(contrast: Contrast, diameter: float) -> Plane:
    """Return the threshold at each pixel: the level of edges within about a diameter, or of all if there are none."""
    picture = np.arcsinh(contrast.above / contrast.edge)
    weights = edge_weights(contrast.above, contrast.slopes, contrast.edge)
    total = float(weights.sum())
    if total <= 0:
        return np.full(picture.shape, contrast.edge, dtype=np.float32)
    everywhere = float((weights * picture).sum()) / total
    little = 0.01 * float((weights * weights).sum()) / total
    block = max(1, int(diameter // 6))
    above, below = (
        ndimage.gaussian_filter(shrink(part, block), diameter / block, mode="nearest")
        for part in (weights * picture, weights)
    )
    level = enlarge((above + little * everywhere) / (below + little), picture.shape, block)
    return np.asarray(contrast.edge * np.sinh(level), dtype=np.float32)


def _with_own_edges(labels: Labels, contrast: Contrast, diameter: float) -> Labels:
    """Redraw the edge of each nucleus from its own brightness and surroundings; drop objects that are not nuclei."""
    usual = math.pi * diameter**2 / 4
    large = np.bincount(labels.ravel()) >= 0.08 * usual
    large[0] = False
    cores = np.where(large[labels], labels, 0)
    near = ndimage.maximum_filter(cores > 0, size=2 * max(2, round(0.45 * diameter)) + 1)
    basins = watershed(-contrast.above, cores, mask=near)
    result = np.zeros_like(labels)
    for number, window in enumerate(ndimage.find_objects(basins), start=1):
        if window is None:
            continue
        mask = _own_mask(basins[window] == number, cores[window] == number, contrast.above[window], usual)
        if mask is None:
            continue
        nucleus, strength = mask
        rim = rim_of(nucleus)
        if not SPECK * usual <= nucleus.sum() <= LARGEST * usual or strength < _SURE * contrast.noise:
            continue
        if rim.any() and median_of(contrast.slopes[window][rim]) * diameter < _SHARP * strength:
            continue
        result[window][nucleus] = number
    return result


def _own_mask(basin: Mask, core: Mask, above: Plane, usual: float) -> tuple[Mask, float] | None:
    """Return the nucleus in its basin, and its contrast."""
    level = median_of(above[core])
    around = above[basin & ~core]
    background = min(float(np.quantile(around, 0.2)), 0.8 * level) if len(around) > 0.1 * usual else 0.0
    parts, count = ndimage.label(basin & (above > background + _EDGE_AT * (level - background)))
    if not count:
        return None
    main = 1 + int(np.argmax(np.bincount(parts[core], minlength=count + 1)[1:]))
    mask = np.pad(ndimage.binary_fill_holes(parts == main), 1, mode="edge")
    return opened_square(mask)[1:-1, 1:-1], level - background


def _with_dim_ones(labels: Labels, contrast: Contrast, diameter: float, bright: float) -> Labels:
    """Add nuclei that are too dim, compared with the others, for their edges to determine a threshold anywhere.

    Of the regions above several levels, the ones most similar to a nucleus are selected: sharp and convex (as in the
    tree of level sets of Matas et al., Image and Vision Computing 22(10), 2004).
    """
    lowest, highest = max(_SURE * contrast.noise, _FAINTEST * bright), 0.7 * bright
    taken = ndimage.binary_dilation(labels > 0, iterations=max(1, round(0.12 * diameter)))
    beside = ndimage.binary_dilation(taken, iterations=2)
    usual = math.pi * diameter**2 / 4
    found: list[tuple[float, tuple[slice, ...], Mask]] = []
    for level in np.geomspace(lowest, highest, _LEVELS) if lowest < highest else ():
        mask = opened_square((contrast.above > level) & ~taken)
        parts, _ = ndimage.label(mask)
        areas = np.bincount(parts.ravel())
        areas[0] = 0
        if not (areas >= 0.3 * usual).any():
            break
        windows = ndimage.find_objects(parts)
        for number in np.flatnonzero((areas >= 0.3 * usual) & (areas <= 2.5 * usual)):
            window = windows[number - 1]
            region = ndimage.binary_fill_holes(parts[window] == number)
            score = _look(region, contrast.above[window], contrast.slopes[window], beside[window], diameter)
            if score > 0:
                found.append((score, window, region))
    result, free = labels.copy(), int(labels.max())
    for _, window, region in sorted(found, key=lambda entry: -entry[0]):
        if not (result[window][region] > 0).any():
            free += 1
            result[window][region] = free
    return result


def _look(region: Mask, above: Plane, slopes: Plane, beside: Mask, diameter: float) -> float:
    """Return how similar a region is to a nucleus; 0 if it is not similar."""
    rim = rim_of(region)
    if rim.sum() < 5 or float(beside[rim].mean()) > 0.25:
        return 0.0
    solidity = min(1.0, float(region.sum()) / hull_area(np.argwhere(rim)))
    spread = np.linalg.eigvalsh(np.cov(np.argwhere(region).T))
    sharp = float(np.median(slopes[rim])) * diameter / float(np.median(above[region]))
    if solidity < 0.88 or spread[0] < 0.12 * spread[1] or sharp < _SHARP_AND_DIM:
        return 0.0
    return sharp * solidity**3


def _levels(labels: Labels, above: Plane) -> NDArray[np.float64]:
    """Return each object's median counts above the background, by number; 0 for the background and unused numbers."""
    levels = np.zeros(int(labels.max()) + 1)
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is not None:
            levels[number] = median_of(above[window][labels[window] == number])
    return levels


def _without_holes(mask: Mask, area: float) -> Mask:
    """Fill holes up to an area (pixels); larger ones are gaps in a ring of nuclei."""
    holes, _ = ndimage.label(~mask)
    small = np.bincount(holes.ravel()) < area
    small[0] = False
    for edge in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        small[edge] = False
    filled: Mask = mask | small[holes]
    return filled


def _enlarged(labels: Labels, shape: tuple[int, ...], block: int) -> Labels:
    """Enlarge labels of blocks of pixels to single pixels, with smooth outlines."""
    if block == 1:
        return labels
    wide = np.where(labels > 0, labels, ndimage.maximum_filter(labels, 3))
    large = np.repeat(np.repeat(wide, block, axis=0), block, axis=1)[: shape[0], : shape[1]]
    inside = enlarge((labels > 0).astype(np.float32), shape, block) > 0.5
    return np.where(inside, large, 0)


def _numbered(labels: Labels) -> Labels:
    """Renumber labels from 1 without gaps."""
    present = np.bincount(labels.ravel()) > 0
    present[0] = False
    numbers = np.zeros(len(present), dtype=np.int32)
    numbers[present] = np.arange(1, int(present.sum()) + 1)
    renumbered: Labels = numbers[labels]
    return renumbered
