"""Regions of interest: typed shapes, and conversion to and from label images, napari layers and ImageJ files."""

from openhcs_runtime.rois.imagej import from_imagej, read_imagej, to_imagej, write_imagej
from openhcs_runtime.rois.labels import labels_to_rois, rois_to_labels
from openhcs_runtime.rois.napari import NapariShape, NapariShapeType, from_napari, to_napari
from openhcs_runtime.rois.shapes import Ellipse, Mask, Points, Polygon, Polyline, Roi, RoiError

__all__ = [
    "Ellipse",
    "Mask",
    "NapariShape",
    "NapariShapeType",
    "Points",
    "Polygon",
    "Polyline",
    "Roi",
    "RoiError",
    "from_imagej",
    "from_napari",
    "labels_to_rois",
    "read_imagej",
    "rois_to_labels",
    "to_imagej",
    "to_napari",
    "write_imagej",
]


def __dir__() -> list[str]:
    return sorted(__all__)
