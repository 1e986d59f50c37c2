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
    BIOTEK_GEN5 = "biotek_gen5"
    COLUMBUS = "columbus"
    INCUCYTE = "incucyte"
    LEICA_MATRIX_SCREENER = "leica_matrix_screener"
    MICRO_MANAGER = "micro_manager"
    NIKON_JOBS = "nikon_jobs"
    SBS_NAMES = "sbs_names"
    SQUID = "squid"
