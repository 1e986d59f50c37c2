"""Plates of any known format behind one small interface."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, Plate, PlateFormat, PlateProblem, ProblemKind
from openhcs_runtime.plates.imagexpress import open_imagexpress
from openhcs_runtime.plates.synthetic import make_plate
from openhcs_runtime.plates.tiff import read_plane

__all__ = [
    "ImageRef",
    "Plate",
    "PlateFormat",
    "PlateProblem",
    "ProblemKind",
    "make_plate",
    "open_plate",
    "read_image",
]


def open_plate(path: str | os.PathLike[str]) -> Plate:
    """Find out what the plate folder `path` holds; no pixel is read.

    Raises PlateError when there is no such folder, or no image of a known format in it.
    """
    folder = Path(path).expanduser()
    if not folder.exists():
        raise PlateError(f"no such plate: {folder} (name the folder that holds the images)")
    if not folder.is_dir():
        raise PlateError(f"{folder} is a file, not a plate (name the folder that holds the images)")
    try:
        return open_imagexpress(folder.resolve())
    except OSError as error:
        raise PlateError(f"{folder} can't be read: {error.strerror or error}") from error


def read_image(plate_format: PlateFormat, image: ImageRef) -> NDArray[np.generic]:
    """The pixels of one image as a 2D array (Y, X) of the type they are stored in.

    Needs no plate object, so a worker process can call it with what its plan says.
    Raises ImageError with the file's name.
    """
    match plate_format:
        case PlateFormat.IMAGEXPRESS:
            return read_plane(image.path)
