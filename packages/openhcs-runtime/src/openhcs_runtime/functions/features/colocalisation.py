"""Colocalisation of pairs of channels in objects: correlation, overlap, Manders, rank-weighted.

As CellProfiler's MeasureColocalization: Pearson's correlation and the slope of the regression; Manders' coefficients,
overlap and k1, k2 (Manders, Verbeek & Aten, J. Microscopy 169:375-382, 1993) and the rank-weighted coefficients
(Singan et al., BMC Bioinformatics 12:407, 2011) of pixels above 15 % of the maximum of the object. Those with Costes'
threshold are in ``costes``. Equal to cp_measure within 1e-9. Deliberately different: values of an object with a pixel
that is not finite are NaN, as are coefficients of a channel that is 0 or less in all pixels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.regions import Columns, Floats, Integers, Regions, Segments, divided

_THRESHOLD = 0.15
"""Share of the maximum of an object from which on a pixel counts."""


@dataclass(frozen=True, slots=True, eq=False)
class ChannelPixels:
    """The pixels of one channel in objects, with what all of its pairs need.

    Attributes:
        segments: The object of each pixel.
        values: The values, (m,).
        centred: The values minus the mean of their object, (m,).
        squares: The sum of squares of the centred values, (n,).
        bright: Which pixels are above the threshold of their object, (m,).
        bright_sums: Their sums, (n,).
        ranks: Rank of each pixel in its object, from 0; equal values have the same; (m,).
    """

    segments: Segments
    values: Floats
    centred: Floats
    squares: Floats
    bright: NDArray[np.bool_]
    bright_sums: Floats
    ranks: Integers

    @classmethod
    def of(cls, regions: Regions, plane: NDArray[Any]) -> "ChannelPixels":
        """Return the pixels of an image (Y, X)."""
        segments, values = regions.segments, regions.values(plane)
        finite = np.isfinite(values)
        values = np.where(regions.where_all(finite)[segments.owner], values, np.nan)
        centred = values - segments.means(values)[segments.owner]
        bright = values >= (segments.highest(values) * _THRESHOLD)[segments.owner]
        return cls(
            segments,
            values,
            centred,
            segments.sums(centred**2),
            bright,
            segments.sums(np.where(bright, values, 0)),
            _ranks(segments, values),
        )


def colocalisation(one: ChannelPixels, other: ChannelPixels, first: str, second: str) -> Columns:
    """Return the colocalisation of two channels in each object.

    Args:
        one: The pixels of the first channel.
        other: The pixels of the second channel.
        first: Name of the first channel.
        second: Name of the second channel.
    """
    segments, pair, back = one.segments, f"{first}_{second}", f"{second}_{first}"
    product = segments.sums(one.centred * other.centred)
    both = one.bright & other.bright
    a, b = np.where(both, one.values, 0), np.where(both, other.values, 0)
    aa, bb, ab = segments.sums(a * a), segments.sums(b * b), segments.sums(a * b)
    weight = _rank_weights(one, other)
    values = {
        f"pearson_{pair}": divided(product, np.sqrt(one.squares) * np.sqrt(other.squares)),
        f"slope_{pair}": divided(product, one.squares),
        f"slope_{back}": divided(product, other.squares),
        f"overlap_{pair}": _shared(ab, np.sqrt(aa * bb), both, segments),
        f"overlap_k_{pair}": _shared(ab, aa, both, segments),
        f"overlap_k_{back}": _shared(ab, bb, both, segments),
        f"manders_{pair}": _share(segments.sums(a), one.bright_sums),
        f"manders_{back}": _share(segments.sums(b), other.bright_sums),
        f"rwc_{pair}": _share(segments.sums(a * weight), one.bright_sums),
        f"rwc_{back}": _share(segments.sums(b * weight), other.bright_sums),
    }
    known = ~np.isnan(one.squares) & ~np.isnan(other.squares)
    return {name: np.where(known, part, np.nan) for name, part in values.items()}


def _share(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, divided(part, whole), np.nan)


def _shared(part: Floats, whole: Floats, both: NDArray[np.bool_], segments: Segments) -> Floats:
    """Return a quotient that is 0 where no pixel is bright in both channels."""
    return np.where(segments.sums(both) > 0, divided(part, whole), 0.0)


def _ranks(segments: Segments, values: Floats) -> Integers:
    order = segments.order_of(values)
    ordered = values[order]
    steps = np.zeros(len(ordered), np.int64)
    steps[1:] = ordered[1:] != ordered[:-1]
    steps[segments.starts[segments.areas > 0]] = 0
    total = np.cumsum(steps)
    ranks = np.empty(len(ordered), np.int64)
    ranks[order] = total - total[segments.starts[segments.owner]]
    return ranks


def _rank_weights(one: ChannelPixels, other: ChannelPixels) -> Floats:
    """Return the weight of each pixel, 1 if its ranks are the same, (m,)."""
    segments = one.segments
    most = segments.highest(np.maximum(one.ranks, other.ranks).astype(float)) + 1
    return np.asarray(1 - np.abs(one.ranks - other.ranks) / most[segments.owner])
