"""Opening of TIFF files, on this machine or on the net."""

import io
import os

import tifffile

from openhcs_runtime.stores.path import AnyPath, StorePath, as_path

__all__ = ["open_tiff"]


def open_tiff(path: str | os.PathLike[str] | AnyPath) -> tifffile.TiffFile:
    """Open a file; one on the net is read as a whole.

    Raises:
        OSError: If it can't be read.
        TiffFileError: If it is not a TIFF.
    """
    place = as_path(path)
    return tifffile.TiffFile(io.BytesIO(place.read_bytes()) if isinstance(place, StorePath) else place)
