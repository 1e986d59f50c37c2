"""Conversion of ROIs under its earlier module name."""

from openhcs_runtime.rois import NapariShapeType, from_imagej, from_napari, to_imagej, to_napari

__all__ = ["NapariShapeType", "from_imagej", "from_napari", "to_imagej", "to_napari"]
