"""Plates of any supported format behind one small interface."""

import gc
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_runtime.exceptions import PlateError, printable
from openhcs_runtime.plates.base import ImageRef, Plate, PlateFormat, PlateProblem, ProblemKind, StagePosition
from openhcs_runtime.plates.discovery import open_found
from openhcs_runtime.plates.pattern import NamePattern, open_pattern
from openhcs_runtime.plates.read import read_image

if TYPE_CHECKING:
    from openhcs_runtime.plates.synthetic.make import make_plate

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


def open_plate(path: str | os.PathLike[str], *, pattern: str | NamePattern | None = None) -> Plate:
    """Open the plate in a folder without reading any pixels.

    Args:
        path: The plate folder.
        pattern: A regular expression for TIFF file names, see ``NamePattern``. Detects the format by default.

    Returns:
        The plate, with its images, problems and metadata.

    Raises:
        PlateError: If the folder does not exist or has no images of a supported format, or the pattern is invalid.
    """
    names = NamePattern(pattern) if isinstance(pattern, str) else pattern
    folder = Path(path).expanduser()
    if not folder.exists():
        raise PlateError(f"no such plate: {folder} (name the folder that holds the images)")
    if not folder.is_dir():
        raise PlateError(f"{folder} is a file, not a plate (name the folder that holds the images)")
    if (shown := printable(str(folder.resolve()))) != str(folder.resolve()):
        raise PlateError(f"the name of {shown} is not valid UTF-8: rename the folder")
    collecting = gc.isenabled()
    gc.disable()  # a listing makes no garbage, and scanning it repeatedly takes a quarter of the time
    try:
        folder = folder.resolve()
        if names is not None:
            return open_pattern(folder, names)
        return open_found(folder)
    except OSError as error:
        raise PlateError(f"{folder} can't be read: {error.strerror or error}") from error
    finally:
        if collecting:
            gc.enable()


def __getattr__(name: str) -> object:
    if name != "make_plate":  # synthetic plates need scipy, opening a plate does not
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = importlib.import_module(f"{__name__}.synthetic.make").make_plate
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
