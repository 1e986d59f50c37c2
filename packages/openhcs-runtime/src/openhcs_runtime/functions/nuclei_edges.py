"""The edge of each nucleus, from its own brightness and that of its surroundings."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels import components
from openhcs_runtime.functions.kernels.groups import Groups, grouped
from openhcs_runtime.functions.kernels.packing import apart
from openhcs_runtime.functions.nuclei_size import Contrast, Plane
from openhcs_runtime.functions.nuclei_split import Labels
from openhcs_runtime.functions.small_masks import Mask, fill_label_holes, grown, narrow, opened_labels, rim_of

SPECK = 1 / 8
"""Objects smaller than this fraction of a typical nucleus are dropped."""
LARGEST = 8
"""Objects larger than this many typical nuclei are dropped: they are haze or dirt."""
SURE = 6.0
"""Contrast of a nucleus, in standard deviations of the noise."""
_EDGE_AT = 0.42
"""Level of the edge, from 0 for the background to 1 for the nucleus."""
_SHARP = 1.5
"""The smallest relative slope of an edge, in contrasts per diameter; haze is below it."""
_CORE = 0.08
"""The smallest part of a typical nucleus that has surroundings of its own."""

_Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Basins:
    """The surroundings of each object.

    Attributes:
        pixels: Indices of their pixels in the flat image, increasing.
        numbers: The object of each pixel.
        core: Whether each pixel belongs to the object itself.
        values: Counts above the background.
        count: The largest number.
    """

    pixels: NDArray[np.intp]
    numbers: NDArray[np.integer]
    core: Mask
    values: Plane
    count: int

    def groups(self, chosen: Mask) -> Groups:
        """Return the chosen pixels by object."""
        return grouped(self.numbers[chosen], self.count + 1)


def with_own_edges(labels: Labels, contrast: Contrast, diameter_px: float) -> Labels:
    """Redraw the edge of each nucleus from its own brightness and surroundings; drop objects that are not nuclei."""
    usual = math.pi * diameter_px**2 / 4
    basins = _basins_of(labels, contrast.above, diameter_px)
    if not len(basins.pixels):
        return np.zeros_like(labels)
    levels, backgrounds = _levels_of(basins, usual)
    limits = (backgrounds + _EDGE_AT * (levels - backgrounds)).astype(np.float32)
    parts = _main_parts(basins, basins.values > limits[basins.numbers], labels.shape)
    nuclei = opened_labels(fill_label_holes(narrow(parts)))
    kept = _are_nuclei(nuclei, levels - backgrounds, contrast, diameter_px)
    return np.where(kept, np.arange(len(kept), dtype=np.int32), 0)[nuclei]


def _basins_of(labels: Labels, above: Plane, diameter_px: float) -> _Basins:
    """Return the pixels around each object, up to half-way to the next one."""
    large = np.bincount(labels[labels > 0], minlength=1) >= _CORE * math.pi * diameter_px**2 / 4
    large[0] = False
    cores = np.where(large, np.arange(len(large), dtype=np.int32), 0)[labels]
    basins = grown(cores, max(2, round(0.45 * diameter_px)))
    pixels = np.flatnonzero(basins != 0)
    return _Basins(
        pixels, basins.ravel()[pixels], cores.ravel()[pixels] > 0, above.ravel()[pixels], int(labels.max(initial=0))
    )


def _levels_of(basins: _Basins, usual: float) -> tuple[_Values, _Values]:
    """Return the brightness of each object and of its background."""
    levels = basins.groups(basins.core).quantiles(basins.values[basins.core], 0.5)
    around = basins.groups(~basins.core)
    backgrounds = np.minimum(around.quantiles(basins.values[~basins.core], 0.2), 0.8 * levels)
    return levels, np.where(around.sizes > 0.1 * usual, backgrounds, 0.0)


def _main_parts(basins: _Basins, bright: Mask, shape: tuple[int, ...]) -> Labels:
    """Return labels of the bright pixels of each object that are connected to most of it.

    Of equal parts, the one that starts first, row by row, is taken.
    """
    packed = apart(basins.pixels[bright], basins.numbers[bright], shape[1])
    canvas, count = components(packed.spread(np.ones(len(packed.places), dtype=bool)))
    parts = packed.gather(canvas)
    owners = np.zeros(count + 1, dtype=np.int64)
    owners[parts] = basins.numbers[bright]
    shared = np.bincount(parts[basins.core[bright]], minlength=count + 1)
    best = np.full(basins.count + 1, -1, dtype=np.int64)
    order = np.lexsort((-np.arange(count + 1), shared))
    best[owners[order]] = order  # the last that is written remains
    main = parts == best[basins.numbers[bright]]
    labels = np.zeros(shape, dtype=np.int32)
    labels.ravel()[basins.pixels[bright][main]] = basins.numbers[bright][main]
    return labels


def _are_nuclei(nuclei: NDArray[np.integer], strengths: _Values, contrast: Contrast, diameter_px: float) -> Mask:
    """Return, by number, whether objects have the size, the brightness and the sharp edge of a nucleus."""
    usual, count = math.pi * diameter_px**2 / 4, len(strengths)
    areas = np.bincount(nuclei[nuclei > 0], minlength=count)
    kept = (areas >= SPECK * usual) & (areas <= LARGEST * usual) & (strengths >= SURE * contrast.noise)
    kept[0] = False
    rim = np.flatnonzero(rim_of(nuclei))
    edges = grouped(nuclei.ravel()[rim], count)
    slopes = edges.quantiles(contrast.slopes.ravel()[rim], 0.5)
    has_edge = edges.sizes > 0
    kept &= ~has_edge | (slopes * diameter_px >= _SHARP * strengths)
    return kept
