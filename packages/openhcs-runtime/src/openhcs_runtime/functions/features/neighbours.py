"""Neighbours of objects: how many are near, which touch, how far the closest are.

CellProfiler's MeasureObjectNeighbors: two objects touch if a pixel of one is next to a pixel of the other in a row or
column; distances of the closest are between centres. Equal to cp_measure within 1e-9. Deliberately different:
cp_measure gives the object itself as the closest, and 0 where there is no neighbour; here that is missing. Of objects
at the same distance the one with the lower label is the closest.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions.features.regions import Columns, Floats, Integers, Regions

_TIES = 8
"""Neighbours that are looked at, to put those at the same distance into the order of their labels."""
_SQUARE = np.ones((3, 3), bool)


def neighbours(regions: Regions, distance_px: float) -> Columns:
    """Return the neighbours of each object.

    Args:
        regions: The objects.
        distance_px: Largest distance between pixels of neighbours.
    """
    near, touching, percent = _counts(regions, distance_px)
    return {
        "neighbour_count": near,
        "touching_count": touching,
        "touching_percent": percent,
        **_closest(regions),
    }


def _counts(regions: Regions, distance_px: float) -> tuple[Integers, Integers, Floats]:
    """Return for each object how many others are near and touch, and which percentage of its edge touches."""
    labels = regions.labels
    margin = int(np.ceil(min(max(distance_px, 1), max(labels.shape))))
    edge = _edges(labels)
    near, touching = np.zeros(len(regions), np.int64), np.zeros(len(regions), np.int64)
    percent = np.zeros(len(regions))
    for place, (top, left, bottom, right) in enumerate(zip(*regions.corners(), strict=True)):
        box = np.s_[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]
        part = labels[box]
        mine = part == place + 1
        distance = ndimage.distance_transform_edt(~mine)
        others = (part > 0) & ~mine
        near[place] = len(np.unique(part[others & (distance <= distance_px)]))
        touching[place] = len(np.unique(part[others & (distance <= 1)]))
        outline = edge[box] & mine
        percent[place] = 100 * (outline & ndimage.binary_dilation(others, _SQUARE)).sum() / outline.sum()
    return near, touching, percent


def _edges(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return the pixels at the border of the image, or with one of eight neighbours that is not of their object."""
    padded = np.pad(labels, 1, constant_values=-1)
    height, width = labels.shape
    edge = np.zeros(labels.shape, bool)
    for down in range(3):
        for over in range(3):
            edge |= padded[down : down + height, over : over + width] != labels
    return edge


def _closest(regions: Regions) -> Columns:
    centres = np.column_stack([regions.segments.means(regions.rows), regions.segments.means(regions.cols)])
    distance, index = _nearest(centres)
    some = np.isfinite(distance)
    labels = np.where(some, regions.numbers[np.where(some, index, 0)].astype(float), np.nan)
    return {
        "neighbour_first_label": _whole_or_none(labels[:, 0]),
        "neighbour_second_label": _whole_or_none(labels[:, 1]),
        "neighbour_first_px": np.where(some[:, 0], distance[:, 0], np.nan),
        "neighbour_second_px": np.where(some[:, 1], distance[:, 1], np.nan),
        "neighbour_angle_deg": _angles(centres, index, some[:, 0] & some[:, 1]),
    }


def _nearest(centres: Floats) -> tuple[Floats, Integers]:
    """Return distances and indices of the two nearest other centres, (n, 2); inf where there is none."""
    from scipy.spatial import cKDTree  # noqa: PLC0415  loads slowly

    count = len(centres)
    distance, index = cKDTree(centres).query(centres, k=list(range(1, _TIES + 1)))
    distance = np.where(index == np.arange(count)[:, np.newaxis], np.inf, distance)
    order = np.lexsort((index, np.round(distance, 9)), axis=1)[:, :2]
    return np.take_along_axis(distance, order, axis=1), np.take_along_axis(index, order, axis=1)


def _angles(centres: Floats, index: Integers, both: NDArray[np.bool_]) -> Floats:
    """Return the angle between the directions to the two nearest, in degrees; NaN where they are not defined."""
    one, other = (centres[np.where(both, index[:, place], 0)] - centres for place in (0, 1))
    lengths = np.hypot(*one.T) * np.hypot(*other.T)
    defined = both & (lengths > 0)
    cosine = (one * other).sum(axis=1) / np.where(defined, lengths, 1)
    return np.where(defined, np.degrees(np.arccos(np.clip(cosine, -1, 1))), np.nan)


def _whole_or_none(values: Floats) -> NDArray[np.generic]:
    found = np.array([None if np.isnan(value) else int(value) for value in values], dtype=object)
    return found
