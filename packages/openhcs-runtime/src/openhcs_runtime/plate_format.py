"""The formats of plates; a module of its own, so that help can name them without loading image libraries."""

from enum import StrEnum

__all__ = ["MadeFormat", "PlateFormat"]


class PlateFormat(StrEnum):
    """The formats that can be read."""

    IMAGEXPRESS = "imagexpress"
    OPERA_PHENIX = "opera_phenix"
    PATTERN = "pattern"
    """TIFF files whose names a user's regular expression explains."""
    OME_ZARR = "ome_zarr"


class MadeFormat(StrEnum):
    """The formats that a made plate can have."""

    IMAGEXPRESS = PlateFormat.IMAGEXPRESS.value
    OPERA_PHENIX = PlateFormat.OPERA_PHENIX.value
    OME_ZARR = PlateFormat.OME_ZARR.value
