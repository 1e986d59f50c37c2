"""Conversion of ROIs under the module name of earlier documents."""

from openhcs_runtime.rois import NapariShapeType, from_imagej, from_napari, to_imagej, to_napari

__all__ = ["NapariShapeType", "from_imagej", "from_napari", "to_imagej", "to_napari"]
