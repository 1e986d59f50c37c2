"""Segmentation of nuclei in unprocessed fluorescence images: of any size and brightness, over haze, touching."""

import math
import statistics

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.coarse import enlarge, enlarged_rows
from openhcs_runtime.functions.kernels import fill_holes, gaussian, maximum, opening
from openhcs_runtime.functions.kernels.groups import grouped, quantile_of
from openhcs_runtime.functions.nuclei_dim import with_dim_ones
from openhcs_runtime.functions.nuclei_edges import SURE, with_own_edges
from openhcs_runtime.functions.nuclei_size import (
    Contrast,
    Plane,
    compressed,
    contrast_of,
    diameter_of_nuclei,
    edges_of,
    noise_of,
    shrink,
)
from openhcs_runtime.functions.nuclei_split import Labels, Mask, join_pieces, split_clumps
from openhcs_runtime.functions.thresholds import ThresholdMethod, threshold
from openhcs_runtime.pipeline.decorators import InputKind, OutputKind, Stack, special_inputs, special_outputs

_WORK_PX, _SMALL_PX = 20, 12
"""Images are shrunk if nuclei are larger than the first diameter, and enlarged if they are smaller than the second."""
_FLOOR_DIAMETERS = 2.5
"""The background varies over more than this many diameters."""
_FAINT = 4.0
"""Contrast of a pixel of a nucleus, in standard deviations of the noise."""
_BLOCKS_PER_DIAMETER = 4
"""How finely the local threshold is computed."""
_FAINTEST = 0.06
"""Contrast of the faintest nucleus relative to that of a bright one (the upper quartile)."""


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
    image = plane.astype(np.float32, copy=False)
    whole = plane.dtype.kind in "iu"
    if diameter_px < _SMALL_PX:
        from scipy import ndimage  # noqa: PLC0415  loads slowly

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
        mask = _above_local_level(contrast, diameter, 1.0 if factor is None else factor)
    else:
        mask = threshold(contrast.above[np.newaxis], method=method, factor=0.6 if factor is None else factor)[0]
        mask &= contrast.above > _FAINT * contrast.noise
    mask = opening(fill_holes(mask, 0.4 * usual), 3, empty_beyond=True)
    smooth = gaussian(contrast.above, 0.12 * diameter)
    labels = with_own_edges(split_clumps(mask, smooth, diameter), contrast, diameter)
    labels = join_pieces(labels, smooth, diameter)
    levels = _levels(labels, contrast.above)
    if not levels.any():
        return labels
    bright = quantile_of(levels[levels > 0], 0.75)
    labels = np.where(levels >= _FAINTEST * bright, np.arange(len(levels), dtype=np.int32), 0)[labels]
    if method is not None:
        return labels
    return with_dim_ones(labels, contrast, diameter, max(SURE * contrast.noise, _FAINTEST * bright), 0.7 * bright)


def _above_local_level(contrast: Contrast, diameter: float, factor: float) -> Mask:
    """Return the pixels above the noise and ``factor`` times the level of the edges within about a diameter."""
    faint = np.float32(_FAINT * contrast.noise)
    block = max(1, int(diameter // _BLOCKS_PER_DIAMETER))
    level = _local_level(contrast, diameter, block)
    if level is None:
        return contrast.above > max(faint, np.float32(factor * contrast.edge))
    mask = np.empty(contrast.above.shape, dtype=bool)
    for rows, band in enlarged_rows(np.float32(factor) * level, mask.shape, block):
        np.greater(contrast.above[rows], np.maximum(band, faint, out=band), out=mask[rows])
    return mask


def _local_level(contrast: Contrast, diameter: float, block: int) -> Plane | None:
    """Return the level of the edges near each block, or that of all where there are none; None without any edge."""
    edges = edges_of(contrast.above, contrast.slopes, contrast.edge)
    if not len(edges.pixels):
        return None
    height, width = contrast.above.shape
    shape = -(-height // block), -(-width // block)
    y, x = np.divmod(edges.pixels, width)
    blocks = y // block * shape[1] + x // block
    picture = edges.weights * compressed(contrast.above.ravel()[edges.pixels], contrast.edge)
    above, below = (
        gaussian(np.bincount(blocks, part, shape[0] * shape[1]).reshape(shape) / block**2, diameter / block)
        for part in (picture, edges.weights)
    )
    total = float(edges.weights.sum(dtype=np.float64))
    everywhere = float(picture.sum(dtype=np.float64)) / total
    little = 0.01 * float((edges.weights * edges.weights).sum(dtype=np.float64)) / total
    level = (above + little * everywhere) / (below + little)
    return np.asarray(contrast.edge * np.sinh(level.astype(np.float64)), dtype=np.float32)


def _levels(labels: Labels, above: Plane) -> NDArray[np.float64]:
    """Return each object's median counts above the background, by number; 0 for the background and unused numbers."""
    pixels = np.flatnonzero(labels != 0)
    groups = grouped(labels.ravel()[pixels], int(labels.max()) + 1)
    return groups.quantiles(above.ravel()[pixels], 0.5)


def _enlarged(labels: Labels, shape: tuple[int, ...], block: int) -> Labels:
    """Enlarge labels of blocks of pixels to single pixels, with smooth outlines."""
    if block == 1:
        return labels
    wide = np.where(labels > 0, labels, maximum(labels, 3))
    large = np.repeat(np.repeat(wide, block, axis=0), block, axis=1)[: shape[0], : shape[1]]
    inside = enlarge((labels > 0).astype(np.float32), shape, block) > 0.5
    return np.where(inside, large, 0)


def _numbered(labels: Labels) -> Labels:
    """Renumber labels from 1 without gaps."""
    present = np.bincount(labels[labels > 0], minlength=1) > 0
    if present[1:].all():
        return labels
    numbers = np.zeros(len(present), dtype=np.int32)
    numbers[present] = np.arange(1, int(present.sum()) + 1)
    renumbered: Labels = numbers[labels]
    return renumbered
