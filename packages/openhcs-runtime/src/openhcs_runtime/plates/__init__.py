"""Plates of any known format behind one small interface."""

import gc
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, Plate, PlateFormat, PlateProblem, ProblemKind, StagePosition
from openhcs_runtime.plates.imagexpress import open_imagexpress
from openhcs_runtime.plates.listing import FolderPlate
from openhcs_runtime.plates.ome_zarr import looks_like_ome_zarr, open_ome_zarr
from openhcs_runtime.plates.opera_phenix import looks_like_phenix, open_opera_phenix
from openhcs_runtime.plates.pattern import NamePattern, open_pattern
from openhcs_runtime.plates.reading import read_image

if TYPE_CHECKING:
    from openhcs_runtime.plates.synthetic import make_plate

__all__ = [
    "ImageRef",
    "NamePattern",
    "Plate",
    "PlateFormat",
    "PlateProblem",
    "ProblemKind",
    "StagePosition",
    "make_plate",
    "open_plate",
    "read_image",
]

_FORMATS: tuple[tuple[Callable[[Path], bool], Callable[[Path], FolderPlate]], ...] = (
    (looks_like_ome_zarr, open_ome_zarr),
    (looks_like_phenix, open_opera_phenix),
)
"""What tells a format and opens it, in the order in which they are asked; ImageXpress is what is left."""


def open_plate(path: str | os.PathLike[str], *, pattern: str | NamePattern | None = None) -> Plate:
    """Find out what the plate folder `path` holds; no pixel is read.

    pattern: a regular expression for the names of TIFF files (see `NamePattern`); without it the format is found out.
    Raises PlateError when there is no such folder, no image of a known format in it, or the pattern is none.
    """
    names = NamePattern(pattern) if isinstance(pattern, str) else pattern
    folder = Path(path).expanduser()
    if not folder.exists():
        raise PlateError(f"no such plate: {folder} (name the folder that holds the images)")
    if not folder.is_dir():
        raise PlateError(f"{folder} is a file, not a plate (name the folder that holds the images)")
    collecting = gc.isenabled()
    gc.disable()  # nothing of a listing is garbage, and to look through it again and again costs a quarter of the time
    try:
        folder = folder.resolve()
        if names is not None:
            return open_pattern(folder, names)
        return next((opened for looks_like, opened in _FORMATS if looks_like(folder)), open_imagexpress)(folder)
    except OSError as error:
        raise PlateError(f"{folder} can't be read: {error.strerror or error}") from error
    finally:
        if collecting:
            gc.enable()


def __getattr__(name: str) -> object:
    if name != "make_plate":  # made plates need scipy, which opening one does not
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = importlib.import_module(f"{__name__}.synthetic").make_plate
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
