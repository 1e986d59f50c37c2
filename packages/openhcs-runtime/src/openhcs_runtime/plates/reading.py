"""Reads one image of any plate format; what worker processes call for every plane."""

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.plates.base import ImageRef, PlateFormat
from openhcs_runtime.plates.tiff import read_plane


def read_image(plate_format: PlateFormat, image: ImageRef) -> NDArray[np.generic]:
    """The pixels of one image as a 2D array (Y, X) of the type they are stored in.

    Needs no plate object, so a worker process can call it with what its plan says.
    Raises ImageError with the file's name.
    """
    match plate_format:
        case PlateFormat.IMAGEXPRESS | PlateFormat.OPERA_PHENIX | PlateFormat.PATTERN:
            return read_plane(image.path)
        case PlateFormat.OME_ZARR:
            from openhcs_runtime.plates.zarr_planes import read_zarr_plane  # noqa: PLC0415  zarr loads slowly

            return read_zarr_plane(image.path, image.index)
