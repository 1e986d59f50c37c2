"""Radial distribution of brightness: shares of rings from the centre to the edge of an object.

CellProfiler's MeasureObjectIntensityDistribution: the centre is the pixel farthest from the edge, the distance from it
is the length of the shortest path within the object with steps to eight neighbours, and rings have equal shares of the
way to the edge. Equal to cp_measure within 1e-9. Deliberately different: the mean share and the variation of a ring
without pixels are NaN, not 0, as is everything of an object that fills the image, which has no edge.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions.features.regions import Columns, Floats, Integers, Regions, divided

_WEDGES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Rings:
    """The ring and the wedge of each pixel of objects.

    Attributes:
        regions: The objects.
        count: Number of rings of an object.
        ring: Object index x rings + ring, of the pixels within reach of the centre.
        wedge: Which eighth of the ring the pixel is in.
        reached: Indices of these pixels.
        has_edge: Whether objects have an edge, (n,).
    """

    regions: Regions
    count: int
    ring: Integers
    wedge: Integers
    reached: Integers
    has_edge: NDArray[np.bool_]

    @classmethod
    def of(cls, regions: Regions, count: int = 4) -> "Rings":
        """Return the rings of objects."""
        to_edge = _distance_to_edge(regions)
        has_edge = regions.areas < regions.labels.size
        centres = regions.segments.first_of_highest(to_edge)
        from_centre = _distance_from(regions, centres)
        reached = np.flatnonzero(np.isfinite(from_centre) & has_edge[regions.owner])
        owner, near = regions.owner[reached], from_centre[reached]
        ring = (near / (near + to_edge[reached] + 0.001) * count).astype(np.int64)
        down = regions.rows[reached] - regions.rows[centres][owner]
        over = regions.cols[reached] - regions.cols[centres][owner]
        wedge = (down > 0) + 2 * (over > 0) + 4 * (np.abs(down) > np.abs(over))
        return cls(regions, count, owner * count + ring, wedge.astype(np.int64), reached, has_edge)

    def measure(self, plane: NDArray[Any]) -> Columns:
        """Return the radial distribution of each object in an image (Y, X)."""
        values = self.regions.values(plane)[self.reached]
        shape = (len(self.regions), self.count)
        sums, pixels = self._sums(values, 1).reshape(shape), self._sums(None, 1).reshape(shape)
        totals, whole = sums.sum(axis=1, keepdims=True), pixels.sum(axis=1, keepdims=True)
        fraction = divided(sums, np.broadcast_to(totals, shape))
        share = divided(pixels, np.broadcast_to(whole, shape))
        mean = np.where(share > 0, fraction / (share + np.finfo(float).eps), np.nan)
        variation = self._variation(values)
        groups = (("radial_fraction", fraction), ("radial_mean_fraction", mean), ("radial_cv", variation))
        return {
            f"{name}_{ring + 1}of{self.count}": table[:, ring] for name, table in groups for ring in range(self.count)
        }

    def _variation(self, values: Floats) -> Floats:
        """Return the coefficient of variation of the means of the wedges, (n, rings)."""
        shape = (len(self.regions), self.count, _WEDGES)
        means = divided(self._sums(values, _WEDGES), self._sums(None, _WEDGES)).reshape(shape)
        some = ~np.isnan(means)
        wedges = some.sum(axis=2)
        centre = divided(np.where(some, means, 0).sum(axis=2), wedges)
        squares = np.where(some, (means - centre[..., np.newaxis]) ** 2, 0).sum(axis=2)
        return divided(np.sqrt(divided(squares, wedges)), centre)

    def _sums(self, values: Floats | None, wedges: int) -> NDArray[Any]:
        """Return the sum of values, or the number of pixels, by object, ring and wedge."""
        bins = self.ring if wedges == 1 else self.ring * wedges + self.wedge
        return np.bincount(bins, weights=values, minlength=len(self.regions) * self.count * wedges)


def _distance_to_edge(regions: Regions) -> Floats:
    """Return the distance of each pixel to the nearest pixel of the image outside of its object, (m,)."""
    distance = np.zeros(regions.labels.shape)
    for place, corners in enumerate(zip(*regions.corners(), strict=True), start=1):
        top, left, bottom, right = (int(corner) for corner in corners)
        box = np.s_[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1]
        inside = regions.labels[box] == place
        distance[box][inside] = ndimage.distance_transform_edt(inside)[inside]
    return np.asarray(distance.ravel()[regions.flat])


def _distance_from(regions: Regions, sources: Integers) -> Floats:
    """Return the length of the shortest path within the object from one pixel of each object, (m,); inf if none."""
    from scipy.sparse import coo_array  # noqa: PLC0415  loads slowly
    from scipy.sparse.csgraph import dijkstra  # noqa: PLC0415

    labels = regions.labels
    index = np.zeros(labels.shape, np.int32)
    index.ravel()[regions.flat] = np.arange(len(regions.flat), dtype=np.int32)
    one, other, length = [], [], []
    for down, over in ((0, 1), (1, 0), (1, 1), (1, -1)):
        first, second = _neighbours(labels.shape, down, over)
        joined = (labels[first] == labels[second]) & (labels[first] > 0)
        one.append(index[first][joined])
        other.append(index[second][joined])
        length.append(np.full(len(one[-1]), np.hypot(down, over)))
    edges = (np.concatenate(length), (np.concatenate(one), np.concatenate(other)))
    graph = coo_array(edges, shape=(len(regions.flat),) * 2).tocsr()
    found: Floats = dijkstra(graph, directed=False, indices=sources, min_only=True)
    return found


def _neighbours(shape: tuple[int, ...], down: int, over: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the slices of an image, and of their neighbours at an offset; ``down`` is not negative."""
    height, width = shape
    left, right = max(0, -over), min(width, width - over)
    return (
        (slice(0, max(0, height - down)), slice(left, max(left, right))),
        (slice(down, max(height, down)), slice(left + over, max(left, right) + over)),
    )
