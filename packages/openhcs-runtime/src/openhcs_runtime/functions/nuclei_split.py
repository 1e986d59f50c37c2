"""Splitting of clumps of nuclei: they are cut into too many pieces, then pieces that belong together are joined."""

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels import Border, components, distance, gaussian, maximum
from openhcs_runtime.functions.kernels.groups import grouped
from openhcs_runtime.functions.kernels.hull import Hull, hulls_of, joint_hull
from openhcs_runtime.functions.kernels.watershed import watershed
from openhcs_runtime.functions.nuclei_size import Plane

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
    """A region: area (pixels), brightness, convex hull, and version to detect outdated joins."""

    area: float
    level: float
    hull: Hull
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
    depth = gaussian(distance(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1], 0.06 * diameter_px, Border.REFLECT)
    brightest = maximum(bright, int(diameter_px) | 1)
    pixels = np.flatnonzero(mask)
    values = np.minimum(depth.ravel()[pixels] / np.float32(diameter_px / 2), np.float32(1.3))
    values += np.float32(0.5) * bright.ravel()[pixels] / np.maximum(brightest.ravel()[pixels], np.float32(1e-6))
    height = np.full(mask.shape, -1, dtype=np.float32)
    height.ravel()[pixels] = values
    highest = maximum(height, 2 * round(0.18 * diameter_px) + 1)
    seeds, _ = components((height == highest) & mask, corners=True)
    return join_pieces(watershed(-height, seeds, mask), bright, diameter_px)


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
    joined: Labels = parent[labels] if len(parent) > np.unique(parent).size else labels
    return joined


def _likeness(one: _Piece, other: _Piece, border: _Border, usual: float) -> float:
    """Return a score above 0 for pieces of one nucleus; each criterion contributes 1 for strong evidence."""
    darker, brighter = sorted((one.level, other.level))
    smaller, both = min(one.area, other.area), one.area + other.area
    solidity = both / joint_hull(one.hull, other.hull).area
    neck = border.pairs / _SHARED_SIDES / math.sqrt(4 * smaller / math.pi)
    valley = border.brightness / border.pairs / max(darker, 1e-9)
    step = math.log(brighter / darker) if darker > 0 else 3.0
    score = (solidity - _CONVEX) / 0.04 + (neck - _NECK) / 0.2
    score -= max(0.0, _VALLEY - valley) / 0.1 + 3.0 * math.log(both / usual) + max(0.0, step - _STEP) / 0.25
    return score + 1.5 * (smaller < _SPECK * usual)


def _pieces(labels: Labels, bright: Plane) -> dict[int, _Piece]:
    """Return the regions that touch another one."""
    pixels = np.flatnonzero(labels != 0)
    numbers = labels.ravel()[pixels]
    borders = _borders(labels, bright, pixels)
    if not borders:
        return {}
    touching = np.zeros(int(numbers.max()) + 1, dtype=bool)
    touching[list({number for pair in borders for number in pair})] = True
    pixels = pixels[touching[numbers]]
    groups = grouped(labels.ravel()[pixels], len(touching))
    levels = groups.quantiles(bright.ravel()[pixels], 0.6)
    used = np.flatnonzero(touching)
    hulls = hulls_of(*np.divmod(pixels[groups.order], labels.shape[1]), np.append(groups.starts[used], len(pixels)))
    pieces = {
        int(number): _Piece(float(groups.sizes[number]), float(levels[number]), hull)
        for number, hull in zip(used, hulls, strict=True)
    }
    for (one, other), border in borders.items():
        pieces[one].borders[other] = pieces[other].borders[one] = border
    return pieces


def _borders(labels: Labels, bright: Plane, pixels: NDArray[np.intp]) -> dict[tuple[int, int], _Border]:
    """Return the border of each pair of neighbours, the smaller number first.

    Args:
        labels: The regions.
        bright: The smoothed image.
        pixels: Indices of the pixels of all regions in the flat image.
    """
    height, width = labels.shape
    flat, light = labels.ravel(), bright.ravel()
    column = pixels % width
    keys, lights = [], []
    for down, right in _HALF_OF_NEIGHBOURS:
        inside = pixels < (height - down) * width
        if right:
            inside &= (column + right >= 0) & (column + right < width)
        here = pixels[inside]
        there = here + down * width + right
        other = flat[there]
        apart = (other != flat[here]) & (other > 0)
        here, there, other = here[apart], there[apart], other[apart].astype(np.int64)
        one = flat[here].astype(np.int64)
        keys.append(np.minimum(one, other) << 32 | np.maximum(one, other))
        lights.append(np.minimum(light[here], light[there]))
    pairs, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    sums = np.bincount(inverse, np.concatenate(lights), len(pairs)).tolist()
    counts = np.bincount(inverse, minlength=len(pairs)).tolist()
    return {
        (key >> 32, key & 0xFFFFFFFF): _Border(total, number)
        for key, total, number in zip(pairs.tolist(), sums, counts, strict=True)
    }


def _join(pieces: dict[int, _Piece], one: int, other: int) -> None:
    """Merge a piece into another one."""
    kept, gone = pieces[one], pieces.pop(other)
    area = kept.area + gone.area
    kept.level = (kept.level * kept.area + gone.level * gone.area) / area
    kept.area = area
    kept.hull = joint_hull(kept.hull, gone.hull)
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
