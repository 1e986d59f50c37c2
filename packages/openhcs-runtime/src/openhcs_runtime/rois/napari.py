"""Conversion of regions of interest to and from the data of napari layers; napari itself is not required.

A shape in a napari Shapes layer has a ``shape_type`` and vertices (n, 2) as y, x; points are rows of a Points layer. In
both, integer coordinates are pixel centres, as in the regions, so nothing is shifted. Names and labels are kept next to
the data, for the ``features`` of the layer.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openhcs_runtime.choices import alternatives
from openhcs_runtime.rois.shapes import Ellipse, Mask, Points, Polygon, Polyline, Roi, RoiError, pairs


class NapariShapeType(StrEnum):
    """The values of ``shape_type``, and ``points`` for a Points layer."""

    POLYGON = "polygon"
    PATH = "path"
    ELLIPSE = "ellipse"
    RECTANGLE = "rectangle"
    LINE = "line"
    POINTS = "points"


@dataclass(frozen=True, slots=True, eq=False)
class NapariShape:
    """One shape; data is (n, 2) float64 as y, x. Ellipses and rectangles have the four corners of their box."""

    shape_type: NapariShapeType
    data: NDArray[np.float64]
    label: int = 0
    name: str = ""


def to_napari(roi: Roi) -> NapariShape:
    """Convert a region to a napari shape.

    Raises:
        RoiError: For a mask, which belongs in a Labels layer.
    """
    match roi:
        case Polygon():
            kind, data = NapariShapeType.POLYGON, roi.array
        case Polyline():
            kind, data = (NapariShapeType.LINE if len(roi.vertices) == 2 else NapariShapeType.PATH), roi.array
        case Points():
            kind, data = NapariShapeType.POINTS, roi.array
        case Ellipse():
            first, second = roi.directions
            corners = np.array([-first - second, first - second, first + second, second - first])
            kind, data = NapariShapeType.ELLIPSE, corners + roi.center
        case Mask():
            raise RoiError("a mask is not a napari shape: show it as labels (rois_to_labels)")
    return NapariShape(kind, data, roi.label, roi.name)


def from_napari(shape_type: NapariShapeType | str, data: ArrayLike, *, label: int = 0, name: str = "") -> Roi:
    """Convert the data of one shape, or of a Points layer, to a region; a rectangle becomes a polygon.

    Args:
        shape_type: The type of the shape.
        data: Vertices (n, 2) as y, x. An ellipse touches the middle of each side of its box, even if the box is a
            parallelogram (after a transform of the layer).
        label: Number of the object in its label image; 0 if there is none.
        name: Name of the region.

    Raises:
        RoiError: If the type is unknown, or the data has more than two dimensions.
    """
    points = np.asarray(data, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2:
        raise RoiError(f"napari data must be (n, 2) as y, x, not {points.shape}: take the last two columns of a plane")
    if shape_type not in set(NapariShapeType):
        raise RoiError(f"unknown napari shape type {shape_type!r}; choose {alternatives(NapariShapeType)}")
    match NapariShapeType(shape_type):
        case NapariShapeType.ELLIPSE:
            return _ellipse(points, label, name)
        case NapariShapeType.POLYGON | NapariShapeType.RECTANGLE:
            return Polygon(pairs(points), label=label, name=name)
        case NapariShapeType.PATH | NapariShapeType.LINE:
            return Polyline(pairs(points), label=label, name=name)
        case NapariShapeType.POINTS:
            return Points(pairs(points), label=label, name=name)


def _ellipse(corners: NDArray[np.float64], label: int, name: str) -> Ellipse:
    if len(corners) != 4:
        raise RoiError(f"a napari ellipse has the four corners of its box, not {len(corners)} points")
    sides = np.array([corners[1] - corners[0], corners[3] - corners[0]]) / 2
    _, lengths, directions = np.linalg.svd(sides)
    y, x = directions[0]
    center_y, center_x = corners.mean(axis=0).tolist()
    angle = float(np.degrees(np.arctan2(y, x)))
    return Ellipse((center_y, center_x), (float(lengths[0]), float(lengths[1])), angle, label=label, name=name)
