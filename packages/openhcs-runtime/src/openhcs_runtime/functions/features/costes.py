"""Manders' coefficients above the automatic threshold of Costes, for pairs of channels in objects.

Costes et al., Biophysical Journal 86:3993-4003, 2004, by the bisection of CellProfiler ("faster"): the threshold of the
first channel is the lowest of a grid at which the pixels below have no negative correlation; that of the second is on
the line of the orthogonal regression. Equal to cp_measure within 1e-9 for the same order of channels, except where
rounding decides about a step of the grid. Deliberately different: an object with a pixel that is not finite, negative
or above the scale is NaN.

The pixels below a threshold of an object with a rising line are the first ones in one order, so that each step of the
bisection is a look-up in cumulated sums.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.regions import Columns, Floats, Integers, Segments, divided

_FEWEST = 3
_MOST_STEPS = 256


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """The line of the orthogonal regression of each object, second = slope x first + offset."""

    slope: Floats
    offset: Floats


def costes(segments: Segments, one: Floats, other: Floats, *, scale: int, first: str, second: str) -> Columns:
    """Return Manders' coefficients above the threshold of each object.

    Args:
        segments: The object of each pixel.
        one: Pixels of the first channel, from 0 to 1, (m,).
        other: Pixels of the second channel, from 0 to 1, (m,).
        scale: Steps of the grid from 0 to 1.
        first: Name of the first channel.
        second: Name of the second channel.
    """
    line = _lines(segments, one, other)
    threshold = _thresholds(segments, one, other, line, scale)
    low_one, low_other = threshold[segments.owner], (line.slope * threshold + line.offset)[segments.owner]
    with np.errstate(invalid="ignore"):
        both = (one > low_one) & (other > low_other)
        columns = {}
        for name, values, low in ((f"{first}_{second}", one, low_one), (f"{second}_{first}", other, low_other)):
            whole = segments.sums(np.where(values >= low, values, 0))
            part = segments.sums(np.where(both, values, 0))
            columns[f"manders_costes_{name}"] = np.where(np.isnan(threshold) | (whole <= 0), np.nan, part)
            columns[f"manders_costes_{name}"] = divided(columns[f"manders_costes_{name}"], whole)
    missing = np.isnan(columns[f"manders_costes_{first}_{second}"] + columns[f"manders_costes_{second}_{first}"])
    return {name: np.where(missing, np.nan, values) for name, values in columns.items()}


def _lines(segments: Segments, one: Floats, other: Floats) -> _Line:
    """Return the regression of the pixels that are not 0 in both channels; NaN where it is undefined."""
    valid = np.isfinite(one) & np.isfinite(other) & (one >= 0) & (other >= 0) & (one <= 1) & (other <= 1)
    some = (one > 0) | (other > 0)
    part = Segments.of(segments.owner[some], len(segments.areas))
    x, y = one[some], other[some]
    x_mean, y_mean = part.means(x), part.means(y)
    dx, dy = x - x_mean[part.owner], y - y_mean[part.owner]
    free = np.maximum(part.areas - 1, 1)
    xx, yy, xy = part.sums(dx * dx) / free, part.sums(dy * dy) / free, part.sums(dx * dy) / free
    defined = (segments.sums(valid) == segments.areas) & (part.areas >= _FEWEST)
    defined &= (part.highest(x) > part.lowest(x)) & (part.highest(y) > part.lowest(y))
    defined &= np.abs(xy) > 8 * np.finfo(float).eps * np.maximum(xx, yy)
    with np.errstate(invalid="ignore"):
        slope = divided(yy - xx + np.sqrt((yy - xx) ** 2 + 4 * xy * xy), 2 * xy)
    slope = np.where(defined, slope, np.nan)
    return _Line(slope, y_mean - slope * x_mean)


def _thresholds(segments: Segments, one: Floats, other: Floats, line: _Line, scale: int) -> Floats:
    """Return the threshold of the first channel for each object; NaN if there is none."""
    rising = line.slope > 0
    found = np.full(len(segments.areas), np.nan)
    chosen = np.flatnonzero(rising)
    if len(chosen):
        found[chosen] = _bisected(_Sorted.of(segments, one, other, line, chosen), len(chosen), scale)
    for place in np.flatnonzero(line.slope < 0):
        mine = slice(segments.starts[place], segments.starts[place] + segments.areas[place])
        below = _Falling(one[mine], other[mine], float(line.slope[place]), float(line.offset[place]))
        if below.has_threshold(scale):
            found[place] = _bisected(below, 1, scale)[0]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Sorted:
    """The pixels of objects with rising lines, in the order in which a growing threshold takes them in.

    Attributes:
        keys: Threshold above which each pixel is below, sorted within each object.
        starts: First pixel of each object, (k,).
        areas: Number of pixels of each object, (k,).
        sums: Cumulated sums of x, y, xx, yy, xy, with a 0 in front; (5, m + 1).
        varied: Number of pixels from which on both channels have different values, (k,).
    """

    keys: Floats
    starts: Integers
    areas: Integers
    sums: Floats
    varied: Integers

    @classmethod
    def of(cls, segments: Segments, one: Floats, other: Floats, line: _Line, chosen: Integers) -> "_Sorted":
        place = np.full(len(segments.areas), -1, np.int64)
        place[chosen] = np.arange(len(chosen))
        owner = place[segments.owner]
        kept = owner >= 0
        part = Segments.of(owner[kept], len(chosen))
        x, y = one[kept], other[kept]
        keys = np.minimum(x, (y - line.offset[chosen][part.owner]) / line.slope[chosen][part.owner])
        order = part.order_of(keys)
        x, y = x[order], y[order]
        varied = np.maximum(_first_difference(part, x), _first_difference(part, y)) + 1
        dx, dy = x - part.means(x)[part.owner], y - part.means(y)[part.owner]
        sums = np.zeros((5, len(x) + 1))
        np.cumsum(np.stack([dx, dy, dx * dx, dy * dy, dx * dy]), axis=1, out=sums[:, 1:])
        return cls(keys[order], part.starts, part.areas, sums, varied)

    def correlations(self, threshold: Floats, chosen: Integers) -> Floats:
        """Return the correlation of the pixels below the threshold of each chosen object; NaN if undefined."""
        starts = self.starts[chosen]
        pixels = _counted_below(self.keys, starts, self.areas[chosen], threshold)
        x, y, xx, yy, xy = self.sums[:, starts + pixels] - self.sums[:, starts]
        count = np.maximum(pixels, 1)
        covariance = xy - x * y / count
        spread = np.sqrt(np.maximum(xx - x * x / count, 0)) * np.sqrt(np.maximum(yy - y * y / count, 0))
        defined = (pixels >= _FEWEST) & (pixels >= self.varied[chosen]) & (spread > 0)
        return np.where(defined, divided(covariance, spread), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class _Falling:
    """The pixels of one object with a falling line; such objects seldom have a threshold."""

    one: Floats
    other: Floats
    slope: float
    offset: float

    def has_threshold(self, scale: int) -> bool:
        """Return whether the bisection can find one: not if all pixels are below its first and have a negative one."""
        lowest = _middle(np.ones(1), np.full(1, float(scale)))[0] / scale
        return bool(self.one.max() >= lowest or not self._correlation(np.ones(len(self.one), bool)) < 0)

    def correlations(self, threshold: Floats, chosen: Integers) -> Floats:
        """Return the correlation of the pixels below the threshold of each chosen object; NaN if undefined."""
        lines = zip(threshold, self.slope * threshold + self.offset, strict=True)
        return np.array([self._correlation((self.one < low) | (self.other < line)) for low, line in lines], float)

    def _correlation(self, below: NDArray[np.bool_]) -> float:
        x, y = self.one[below], self.other[below]
        if len(x) < _FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
            return float("nan")
        return float(np.corrcoef(x, y)[0, 1])


def _bisected(below: _Sorted | _Falling, count: int, scale: int) -> Floats:
    """Return the thresholds that the bisection finds for objects."""
    left, right = np.ones(count), np.full(count, float(scale))
    middle, last, valid = _middle(left, right), np.zeros(count), np.full(count, np.nan)
    for _ in range(_MOST_STEPS):
        active = np.flatnonzero(middle != last)
        if not len(active):
            break
        correlation = below.correlations(middle[active] / scale, active)
        fine = correlation >= 0
        left[active[~fine]] = middle[active[~fine]] - 1
        right[active[fine]] = middle[active[fine]] + 1
        valid[active[fine]] = middle[active[fine]]
        last[active] = middle[active]
        middle[active] = _middle(left[active], right[active])
    valid[middle != last] = np.nan
    found = (valid - 1) / scale
    some = np.flatnonzero(~np.isnan(found))
    found[some[np.isnan(below.correlations(found[some], some))]] = np.nan
    return found


def _middle(left: Floats, right: Floats) -> Floats:
    return np.asarray((right - left) // np.where(right - left > 6, 6 / 5, 2.0) + left)


def _first_difference(segments: Segments, values: Floats) -> Integers:
    """Return the index within each object of the first value that is not its first; its area if there is none."""
    differs = np.flatnonzero(values != values[segments.starts[segments.owner]])
    owners, first = np.unique(segments.owner[differs], return_index=True)
    found = segments.areas.copy()
    found[owners] = differs[first] - segments.starts[owners]
    return found


def _counted_below(keys: Floats, starts: Integers, areas: Integers, limits: Floats) -> Integers:
    """Return how many of the sorted keys of each object are below its limit: a binary search in all at once."""
    low, high = np.zeros_like(areas), areas.copy()
    while (low < high).any():
        middle = (low + high) // 2
        less = np.zeros(len(low), bool)
        open_ = low < high
        less[open_] = keys[starts[open_] + middle[open_]] < limits[open_]
        low = np.where(open_ & less, middle + 1, low)
        high = np.where(open_ & ~less, middle, high)
    return low
