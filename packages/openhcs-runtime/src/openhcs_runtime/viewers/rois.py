"""Converts regions of interest for viewers: to shapes, and masks to a label plane."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.rois import Mask, NapariShapeType, Roi, to_napari
from openhcs_runtime.rois.labels import label_type
from zmqruntime import Shape
from zmqruntime.messages import ShapeKind

__all__ = ["mask_labels", "shapes_of"]

_KINDS = {
    NapariShapeType.POLYGON: ShapeKind.POLYGON,
    NapariShapeType.PATH: ShapeKind.POLYLINE,
    NapariShapeType.ELLIPSE: ShapeKind.ELLIPSE,
    NapariShapeType.RECTANGLE: ShapeKind.RECTANGLE,
    NapariShapeType.LINE: ShapeKind.LINE,
    NapariShapeType.POINTS: ShapeKind.POINTS,
}


def shapes_of(rois: Iterable[Roi]) -> list[Shape]:
    """Return all regions except masks as shapes, with their names and labels as properties."""
    return [_shape(roi) for roi in rois if not isinstance(roi, Mask)]


def mask_labels(rois: Iterable[Roi], shape: tuple[int, int]) -> NDArray[np.signedinteger[Any]] | None:
    """Return the masks as a label image of this shape (Y, X); None if there are no masks.

    Each mask has the label of its object, or else its position in the list, from 1; where masks overlap, the later
    one wins.
    """
    masks = [(place, roi) for place, roi in enumerate(rois, start=1) if isinstance(roi, Mask)]
    if not masks:
        return None
    labels = np.zeros(shape, label_type(max(mask.label for _, mask in masks)))
    for place, mask in masks:
        top, left = max(0, mask.top), max(0, mask.left)
        room = labels[top:, left:]
        seen = mask.pixels[top - mask.top :, left - mask.left :][: room.shape[0], : room.shape[1]]
        room[: seen.shape[0], : seen.shape[1]][seen] = mask.label or place
    return labels


def _shape(roi: Roi) -> Shape:
    drawn = to_napari(roi)
    properties: dict[str, str | int | float | bool] = {}
    if drawn.label:
        properties["label"] = drawn.label
    if drawn.name:
        properties["name"] = drawn.name
    return Shape(kind=_KINDS[drawn.shape_type], coordinates=drawn.data.tolist(), properties=properties)
