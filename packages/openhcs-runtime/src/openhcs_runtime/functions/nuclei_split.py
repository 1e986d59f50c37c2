"""Splitting of clumps of nuclei: they are cut into too many pieces, then pieces that belong together are joined."""

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from skimage.segmentation import watershed

from openhcs_runtime.functions.nuclei_size import Plane
from openhcs_runtime.functions.small_masks import depths, eroded_cross

Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]

_CONVEX, _NECK, _VALLEY, _STEP = 0.93, 1.05, 0.82, 0.45
"""Values at which one nucleus is as likely as two: solidity of both together; width of their border over the smaller
diameter; brightness at the border over that of the darker one; logarithm of the ratio of their brightness."""
_SHARED_SIDES = 3
"""How often a pixel of a straight border is counted among the pairs with its eight neighbours."""
_SPECK = 0.12
_HALF_OF_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Offsets (y, x) from a pixel to half of its eight neighbours; the pairs with the others are the same pairs."""


@dataclass(slots=True)
class _Piece:
    """A region: area (pixels), brightness, points with the same convex hull, and version to detect outdated joins."""

    area: float
    level: float
    points: NDArray[np.intp]
    version: int = 0
    borders: dict[int, "_Border"] = field(default_factory=dict)


@dataclass(slots=True)
class _Border:
    """The sum of the brightness along a border, and the number of pixel pairs in it."""

    brightness: float
    pairs: int


def split_clumps(mask: Mask, bright: Plane, diameter_px: float) -> Labels:
    """Label the nuclei of a mask, splitting those that touch; ``bright`` is the smoothed image.

    Watershed (Meyer & Beucher, J. Vis. Commun. Image Represent. 1(1), 1990) on the sum of the distance from the edge
    and the brightness, each relative to that of a nucleus, followed by ``join_pieces``.
    """
    distance = depths(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1].astype(np.float32)
    depth = np.minimum(ndimage.gaussian_filter(distance, 0.06 * diameter_px) / (diameter_px / 2), 1.3)
    brightest = ndimage.maximum_filter(bright, int(diameter_px) | 1)
    height = np.where(mask, depth + 0.5 * bright / np.maximum(brightest, 1e-6), -1)
    highest = ndimage.maximum_filter(height, size=2 * round(0.18 * diameter_px) + 1)
    seeds, _ = ndimage.label((height == highest) & mask, structure=np.ones((3, 3)))
    return join_pieces(watershed(-height, seeds, mask=mask).astype(np.int32), bright, diameter_px)


def join_pieces(labels: Labels, bright: Plane, diameter_px: float) -> Labels:
    """Join neighbours that form one nucleus: convex, with the size of a nucleus, and without a valley between them.

    The most certain pairs are joined first (region merging after Lin et al., Cytometry A 56(1), 2003).
    """
    pieces = _pieces(labels, bright)
    usual = math.pi * diameter_px**2 / 4
    joins: list[tuple[float, int, int, int, int]] = []

    def consider(one: int, other: int) -> None:
        one, other = min(one, other), max(one, other)
        score = _likeness(pieces[one], pieces[other], pieces[one].borders[other], usual)
        if score > 0:
            heapq.heappush(joins, (-score, one, other, pieces[one].version, pieces[other].version))

    for number, piece in pieces.items():
        for other in piece.borders:
            if number < other:
                consider(number, other)
    parent = np.arange(int(labels.max()) + 1, dtype=np.int32)
    while joins:
        _, one, other, version, other_version = heapq.heappop(joins)
        if other not in pieces or one not in pieces:
            continue
        if (pieces[one].version, pieces[other].version) != (version, other_version):
            continue
        _join(pieces, one, other)
        parent[parent == other] = one
        for neighbour in pieces[one].borders:
            consider(one, neighbour)
    joined: Labels = parent[labels]
    return joined


def hull_area(points: NDArray[np.intp]) -> float:
    """Return the number of pixels in the convex hull of pixels."""
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):  # in a line, or too few
        return float(max(1, len(points)))
    return max(1.0, float(hull.volume + hull.area / 2 + 1))


def rim_of(mask: Mask) -> Mask:
    """Return the pixels at the edge of a mask; the border of the image is not an edge."""
    rim: Mask = mask & ~eroded_cross(mask, beyond=True)
    return rim


def _likeness(one: _Piece, other: _Piece, border: _Border, usual: float) -> float:
    """Return a score above 0 for pieces of one nucleus; each criterion contributes 1 for strong evidence."""
    darker, brighter = sorted((one.level, other.level))
    smaller, both = min(one.area, other.area), one.area + other.area
    solidity = both / hull_area(np.concatenate([one.points, other.points]))
    neck = border.pairs / _SHARED_SIDES / math.sqrt(4 * smaller / math.pi)
    valley = border.brightness / border.pairs / max(darker, 1e-9)
    step = math.log(brighter / darker) if darker > 0 else 3.0
    score = (solidity - _CONVEX) / 0.04 + (neck - _NECK) / 0.2
    score -= max(0.0, _VALLEY - valley) / 0.1 + 3.0 * math.log(both / usual) + max(0.0, step - _STEP) / 0.25
    return score + 1.5 * (smaller < _SPECK * usual)


def _pieces(labels: Labels, bright: Plane) -> dict[int, _Piece]:
    """Return the regions that touch another one."""
    borders = _borders(labels, bright)
    areas = np.bincount(labels.ravel())
    slices = ndimage.find_objects(labels)
    pieces = {}
    for number in sorted({number for pair in borders for number in pair}):
        window = slices[number - 1]
        mask = labels[window] == number
        points = np.argwhere(mask & ~eroded_cross(mask, beyond=False)) + np.array([window[0].start, window[1].start])
        pieces[number] = _Piece(float(areas[number]), float(np.quantile(bright[window][mask], 0.6)), points)
    for (one, other), border in borders.items():
        pieces[one].borders[other] = pieces[other].borders[one] = border
    return pieces


def _borders(labels: Labels, bright: Plane) -> dict[tuple[int, int], _Border]:
    """Return the border of each pair of neighbours, the smaller number first."""
    count = int(labels.max()) + 1
    rows, columns = np.nonzero(labels)
    values = labels[rows, columns]
    sums: dict[int, float] = {}
    pairs: dict[int, int] = {}
    for down, right in _HALF_OF_NEIGHBOURS:
        inside = (rows + down < labels.shape[0]) & (columns + right >= 0) & (columns + right < labels.shape[1])
        y, x, one = rows[inside], columns[inside], values[inside]
        other = labels[y + down, x + right]
        where = (one != other) & (other > 0)
        y, x, one, other = y[where], x[where], one[where], other[where]
        low, high = np.minimum(one, other).astype(np.int64), np.maximum(one, other)
        keys, inverse = np.unique(low * count + high, return_inverse=True)
        light = np.bincount(inverse, np.minimum(bright[y, x], bright[y + down, x + right]), len(keys))
        times = np.bincount(inverse, minlength=len(keys))
        for key, total, number in zip(keys.tolist(), light.tolist(), times.tolist(), strict=True):
            sums[key] = sums.get(key, 0.0) + total
            pairs[key] = pairs.get(key, 0) + number
    return {divmod(key, count): _Border(sums[key], pairs[key]) for key in sorted(sums)}


def _join(pieces: dict[int, _Piece], one: int, other: int) -> None:
    """Merge a piece into another one."""
    kept, gone = pieces[one], pieces.pop(other)
    area = kept.area + gone.area
    kept.level = (kept.level * kept.area + gone.level * gone.area) / area
    kept.area = area
    kept.points = np.concatenate([kept.points, gone.points])
    kept.version += 1
    del kept.borders[other]
    for number, border in gone.borders.items():
        if number == one:
            continue
        neighbour = pieces[number]
        del neighbour.borders[other]
        before = kept.borders.get(number)
        if before is not None:
            border = _Border(before.brightness + border.brightness, before.pairs + border.pairs)
        kept.borders[number] = neighbour.borders[one] = border
