"""Turns the maps that a network predicts (foreground, boundary, distance) into labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from openhcs_runtime.rois.label_numbers import consecutive

__all__ = ["MapRule", "labels_from_maps"]

Map = NDArray[np.float32]
_ALL_NEIGHBOURS = np.ones((3, 3))


@dataclass(frozen=True, slots=True)
class MapRule:
    """How objects are found in maps.

    Attributes:
        threshold: Pixels are foreground above it; also the level of the other maps that separates objects.
        foreground: Channel of the foreground.
        boundary: Channel of the boundaries between objects; None if there is none.
        distance: Channel of the distance to the edge, highest in the middle of an object; None if there is none.
        min_area_px: Smaller objects are dropped.
    """

    threshold: float = 0.5
    foreground: int = 0
    boundary: int | None = None
    distance: int | None = None
    min_area_px: float = 0


def labels_from_maps(maps: Map, rule: MapRule) -> NDArray[np.int32]:
    """Return the labels (Y, X) for maps (K, Y, X).

    The seeds are the connected parts of the foreground without its boundaries, or of what is far enough from the edge.
    They grow in the foreground until they meet; foreground that no seed reaches is dropped.
    """
    mask = maps[rule.foreground] > rule.threshold
    inside = mask
    if rule.boundary is not None:
        inside = inside & (maps[rule.boundary] <= rule.threshold)
    if rule.distance is not None:
        inside = inside & (maps[rule.distance] > rule.threshold)
    seeds, _ = ndimage.label(inside, structure=_ALL_NEIGHBOURS)
    labels = seeds if inside is mask else watershed(-_height(maps, rule), seeds, mask=mask)
    areas = np.bincount(labels.ravel())
    kept = areas >= rule.min_area_px
    kept[0] = False
    numbered: NDArray[np.int32] = consecutive(np.where(kept[labels], labels, 0))[1].astype(np.int32)
    return numbered


def _height(maps: Map, rule: MapRule) -> Map:
    """Return a map that is high in the middle of objects and low where two of them touch."""
    height: Map = maps[rule.foreground] if rule.distance is None else maps[rule.distance]
    return height if rule.boundary is None else height - maps[rule.boundary]
