"""The formats of made plates; a module of its own, so that help can name them without loading image libraries."""

from enum import StrEnum

__all__ = ["MadeFormat"]


class MadeFormat(StrEnum):
    """The formats that a made plate can have."""

    IMAGEXPRESS = "imagexpress"
    OPERA_PHENIX = "opera_phenix"
    OME_ZARR = "ome_zarr"
    YOKOGAWA_CV = "yokogawa_cv"
    YOKOGAWA_CQ1 = "yokogawa_cq1"
    IN_CELL = "in_cell"
    SCANR = "scanr"
    CELLOMICS = "cellomics"
