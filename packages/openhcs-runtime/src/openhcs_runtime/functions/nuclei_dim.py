"""Nuclei that are much dimmer than the others in an image."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels import components, fill_holes, opening
from openhcs_runtime.functions.kernels.groups import grouped, quantile_of
from openhcs_runtime.functions.kernels.hull import hull_of
from openhcs_runtime.functions.nuclei_size import Contrast
from openhcs_runtime.functions.nuclei_split import Labels
from openhcs_runtime.functions.small_masks import Mask, dilated_cross, rim_of

_SHARP = 1.6
"""The smallest relative slope of an edge, in contrasts per diameter."""
_CONVEX, _ROUND = 0.88, 0.12
"""The smallest solidity, and the smallest ratio of the variances along both axes."""
_SMALLEST, _LARGEST = 0.3, 2.5
"""Areas relative to a typical nucleus."""
_LEVELS = 8
_MOST_BESIDE = 0.25
"""The largest part of the edge that may be next to a nucleus."""


@dataclass(frozen=True, slots=True)
class _Region:
    """A region above a level: how similar it is to a nucleus, and indices of its pixels in the flat image."""

    score: float
    pixels: NDArray[np.intp]


def with_dim_ones(labels: Labels, contrast: Contrast, diameter_px: float, lowest: float, highest: float) -> Labels:
    """Add nuclei that are too dim, compared with the others, for their edges to determine a threshold anywhere.

    Of the regions above several levels, the ones most similar to a nucleus are selected: sharp and convex (as in the
    tree of level sets of Matas et al., Image and Vision Computing 22(10), 2004).

    Args:
        labels: The nuclei found.
        contrast: The image.
        diameter_px: Typical diameter of a nucleus.
        lowest: The lowest level, in counts above the background.
        highest: The highest one.
    """
    taken = dilated_cross(labels > 0, max(1, round(0.12 * diameter_px)))
    beside = dilated_cross(taken, 2)
    found: list[_Region] = []
    for level in np.geomspace(lowest, highest, _LEVELS).tolist() if lowest < highest else ():
        regions, count = components(opening((contrast.above > level) & ~taken, 3, empty_beyond=True))
        sizes = np.bincount(regions.ravel()[np.flatnonzero(regions != 0)], minlength=count + 1)
        usual = math.pi * diameter_px**2 / 4
        if not (sizes >= _SMALLEST * usual).any():
            break
        chosen = (sizes >= _SMALLEST * usual) & (sizes <= _LARGEST * usual)
        found += _similar(np.where(chosen[regions], regions, 0), contrast, beside, diameter_px)
    result, free = labels.copy(), int(labels.max())
    for region in sorted(found, key=lambda entry: -entry.score):
        if not result.ravel()[region.pixels].any():
            free += 1
            result.ravel()[region.pixels] = free
    return result


def _similar(regions: Labels, contrast: Contrast, beside: Mask, diameter_px: float) -> Iterator[_Region]:
    """Yield the regions that are similar to a nucleus, with their holes filled."""
    pixels = np.flatnonzero(regions != 0)
    groups = grouped(regions.ravel()[pixels], int(regions.max(initial=0)) + 1)
    width = regions.shape[1]
    for number in np.flatnonzero(groups.sizes).tolist():
        y, x = np.divmod(pixels[groups.of(number)], width)
        rows, columns = slice(max(0, y[0] - 1), y[-1] + 2), slice(max(0, x.min() - 1), x.max() + 2)
        window = fill_holes(regions[rows, columns] == number)
        score = _look(window, (rows, columns), contrast, beside, diameter_px)
        if score > 0:
            down, right = np.nonzero(window)
            yield _Region(score, (down + rows.start) * width + right + columns.start)


def _look(region: Mask, window: tuple[slice, slice], contrast: Contrast, beside: Mask, diameter_px: float) -> float:
    """Return how similar a region is to a nucleus; 0 if it is not similar."""
    rim = rim_of(region)
    edge = int(rim.sum())
    if edge < 5 or int(beside[window][rim].sum()) > _MOST_BESIDE * edge:
        return 0.0
    pixels = np.flatnonzero(region)
    solidity = min(1.0, len(pixels) / hull_of(*np.divmod(pixels, region.shape[1])).area)
    level = quantile_of(contrast.above[window][region], 0.5)
    sharp = quantile_of(contrast.slopes[window][rim], 0.5) * diameter_px / level
    if solidity < _CONVEX or not _is_round(pixels, region.shape[1]) or sharp < _SHARP:
        return 0.0
    return sharp * solidity**3


def _is_round(pixels: NDArray[np.intp], width: int) -> bool:
    """Return whether the smaller variance along the axes of a region is not much below the larger one."""
    y, x = (part - part[0] for part in np.divmod(pixels, width))
    count, down, right = len(pixels), int(y.sum()), int(x.sum())
    down_down, right_right = count * int((y * y).sum()) - down**2, count * int((x * x).sum()) - right**2
    down_right = count * int((y * x).sum()) - down * right
    middle = (down_down + right_right) / 2
    apart = math.sqrt(((down_down - right_right) / 2) ** 2 + down_right**2)
    return middle - apart >= _ROUND * (middle + apart)
