"""Reads one plane of a zarr array; apart from what lists plates, since the zarr library takes long to load."""

import os
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from openhcs_runtime.exceptions import ImageError


def read_zarr_plane(path: str | os.PathLike[str], index: tuple[int, ...]) -> NDArray[np.generic]:
    """The plane (Y, X) at `index`, one number for each axis before the last two, of the array in folder `path`.

    A chunk that is not there has the array's fill value, as zarr says; no chunk at all, with none written, is the same.
    Raises ImageError, naming well, field and level, when the array is missing or damaged, or this is no plane of it.
    """
    name = "/".join(os.fspath(path).replace(os.sep, "/").split("/")[-4:])
    try:
        array = zarr.open_array(store=os.fspath(path), mode="r")
        where: tuple[Any, ...] = (*index, slice(None), slice(None))
        plane = np.asarray(array[where]) if len(index) == array.ndim - 2 else None
    except FileNotFoundError:
        raise ImageError(f"image {name} is gone: {path}", os.fspath(path)) from None
    except OSError as error:
        raise ImageError(f"image {name} can't be read: {error.strerror or error}", os.fspath(path)) from error
    except Exception as error:  # a damaged chunk makes a codec raise almost anything
        raise ImageError(f"image {name} is damaged or no zarr array: {error}", os.fspath(path)) from error
    if plane is None or plane.ndim != 2:
        raise ImageError(f"image {name} has no plane {index}", os.fspath(path))
    return plane


def zarr_header(path: str | os.PathLike[str]) -> tuple[tuple[int, int], np.dtype[np.generic]]:
    """Size (Y, X) and type of the planes of an array. Raises ImageError."""
    try:
        array = zarr.open_array(store=os.fspath(path), mode="r")
        return (int(array.shape[-2]), int(array.shape[-1])), np.dtype(array.dtype)
    except Exception as error:  # damaged metadata can make the library raise almost anything
        raise ImageError(f"array {path} has no header that can be read: {error}", os.fspath(path)) from error
