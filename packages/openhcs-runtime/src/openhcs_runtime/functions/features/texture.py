"""Texture of objects: the thirteen features of Haralick in four directions.

Haralick, Shanmugam & Dinstein, IEEE Trans. SMC 3(6):610-621, 1973, as CellProfiler's MeasureTexture has them (mahotas:
the variance of the differences is that of their frequencies, entropies are in bits): grey values are reduced to 256
levels of one scale for the whole image, pairs with a level of 0 are left out, and the co-occurrence is symmetric. It is
kept as a list of the pairs that occur, not as a matrix. Equal to cp_measure within 1e-6. Deliberately different: only
the directions without a pair are NaN, not all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.regions import Columns, Floats, Integers, Regions, divided

DIRECTIONS = {0: (0, 1), 45: (1, -1), 90: (1, 0), 135: (1, 1)}
"""The offset in rows and columns of each angle in degrees."""
_LEVELS = 256
_FEATURES = (
    "angular_second_moment",
    "contrast",
    "correlation",
    "variance",
    "inverse_difference_moment",
    "sum_average",
    "sum_variance",
    "sum_entropy",
    "entropy",
    "difference_variance",
    "difference_entropy",
    "info_measure_1",
    "info_measure_2",
)
_BITS = ("sum_entropy", "entropy", "difference_entropy")
_MOST_OBJECTS = 2048
"""Objects whose histograms are in memory at the same time."""


def texture(regions: Regions, grey: NDArray[np.uint8], distances_px: tuple[int, ...]) -> Columns:
    """Return the texture features of each object.

    Args:
        regions: The objects.
        grey: Grey levels (Y, X), as ``grey_levels`` returns them.
        distances_px: Distances between the pixels of a pair.
    """
    columns: Columns = {}
    for distance in distances_px:
        for angle, (down, over) in DIRECTIONS.items():
            pairs = _Pairs.of(regions, grey, down * distance, over * distance)
            table = np.vstack([_features(part) for part in pairs.parts()] or [np.empty((0, len(_FEATURES)))])
            for feature, values in zip(_FEATURES, table.T, strict=True):
                unit = "_bit" if feature in _BITS else ""
                columns[f"texture_{feature}_d{distance}_a{angle}{unit}"] = values
    return columns


def grey_levels(plane: NDArray[Any], largest: float) -> NDArray[np.uint8]:
    """Return the grey levels of an image: 0 is 0, ``largest`` is 255; a pixel that is not finite has 0."""
    if plane.dtype in (np.uint8, np.uint16):
        levels = _levels_of(np.arange(int(plane.max(initial=0)) + 1), largest)
        return np.asarray(levels[plane])
    return _levels_of(np.nan_to_num(plane / largest, nan=0.0, posinf=1.0, neginf=0.0), 1)


def _levels_of(values: NDArray[Any], largest: float) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values / largest * (_LEVELS - 1)), 0, _LEVELS - 1).astype(np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """How often two grey levels are neighbours in an object; the lower level is first.

    Attributes:
        count: Number of objects.
        owner: Object, low, high: what occurs, sorted by object; (k,).
        pairs: How often, (k,).
        highest: The highest level of each object, (count,).
    """

    count: int
    owner: Integers
    low: Integers
    high: Integers
    pairs: Integers
    highest: Integers

    @classmethod
    def of(cls, regions: Regions, grey: NDArray[np.uint8], down: int, over: int) -> "_Pairs":
        y, x = regions.rows + down, regions.cols + over
        inside = np.flatnonzero((y < grey.shape[0]) & (x >= 0) & (x < grey.shape[1]))
        here = regions.flat[inside]
        there = here + (down * grey.shape[1] + over)
        labels, levels = regions.labels.ravel(), grey.ravel()
        one, other = levels[here], levels[there]
        kept = (labels[here] == labels[there]) & (one > 0) & (other > 0)
        one, other = one[kept], other[kept]
        keys = (regions.owner[inside[kept]] * _LEVELS + np.minimum(one, other)) * _LEVELS + np.maximum(one, other)
        if len(regions) * _LEVELS**2 < 2**31:
            keys = keys.astype(np.int32)  # of which sorting takes half as long
        unique, pairs = np.unique(keys, return_counts=True)
        rest, high = np.divmod(unique.astype(np.int64), _LEVELS)
        highest = np.maximum.reduceat(levels[regions.flat], regions.segments.starts).astype(np.int64)
        return cls(len(regions), *np.divmod(rest, _LEVELS), high, pairs, highest)

    def parts(self) -> Iterator["_Pairs"]:
        """Yield the same for some of the objects at a time."""
        for first in range(0, self.count, _MOST_OBJECTS):
            last = min(self.count, first + _MOST_OBJECTS)
            part = slice(*np.searchsorted(self.owner, (first, last)))
            highest = self.highest[first:last]
            yield _Pairs(
                last - first, self.owner[part] - first, self.low[part], self.high[part], self.pairs[part], highest
            )

    def histogram(self, bins: Integers, size: int, chances: Floats) -> Floats:
        """Return the sum of chances by object and bin, (count, size)."""
        flat = np.bincount(self.owner * size + bins, weights=chances, minlength=self.count * size)
        return flat.astype(np.float64, copy=False).reshape(self.count, size)

    def sums(self, values: Floats) -> Floats:
        """Return the sums of values by object, (count,)."""
        return np.bincount(self.owner, weights=values, minlength=self.count).astype(np.float64, copy=False)


def _features(pairs: _Pairs) -> Floats:
    """Return the features in their order, (count, 13)."""
    totals = pairs.sums(pairs.pairs.astype(float))
    chances = pairs.pairs / totals[pairs.owner]  # of both orders together
    alike = pairs.low == pairs.high
    single = np.where(alike, chances, chances / 2)  # of one order
    level, double = np.arange(_LEVELS, dtype=float), np.arange(2 * _LEVELS, dtype=float)
    marginal = pairs.histogram(pairs.low, _LEVELS, chances / 2) + pairs.histogram(pairs.high, _LEVELS, chances / 2)
    sums = pairs.histogram(pairs.low + pairs.high, 2 * _LEVELS, chances)
    differences = pairs.histogram(pairs.high - pairs.low, _LEVELS, chances)
    mean = marginal @ level
    variance = np.maximum(marginal @ level**2 - mean**2, 0)
    product = pairs.sums(chances * pairs.low * pairs.high)
    sum_mean = sums @ double
    entropy = -pairs.sums(chances * np.log2(single))
    marginal_entropy = _entropy(marginal)
    size = pairs.highest + 1.0
    table = np.column_stack(
        [
            pairs.sums(chances * single),
            differences @ level**2,
            np.where(variance > 0, divided(product - mean**2, variance), 1.0),
            variance,
            pairs.sums(chances / (1 + (pairs.high - pairs.low) ** 2)),
            sum_mean,
            sums @ double**2 - sum_mean**2,
            _entropy(sums),
            entropy,
            (differences**2).sum(axis=1) / size - (differences.sum(axis=1) / size) ** 2,
            _entropy(differences),
            np.where(
                marginal_entropy > 0,
                divided(entropy - 2 * marginal_entropy, marginal_entropy),
                entropy - 2 * marginal_entropy,
            ),
            np.sqrt(np.maximum(0, 1 - np.exp(-2 * (2 * marginal_entropy - entropy)))),
        ]
    )
    return np.where(totals[:, np.newaxis] > 0, table, np.nan)


def _entropy(chances: Floats) -> Floats:
    return np.asarray(-(chances * np.log2(np.where(chances > 0, chances, 1))).sum(axis=1))
