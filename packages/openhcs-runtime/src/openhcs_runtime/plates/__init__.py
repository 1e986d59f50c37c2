"""Plates of any supported format behind one small interface."""

import gc
import importlib
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_runtime.exceptions import PlateError, storable
from openhcs_runtime.plates.base import ImageRef, Plate, PlateProblem, ProblemKind, StagePosition, stray
from openhcs_runtime.plates.bioio.plate import Bioio, list_scenes
from openhcs_runtime.plates.bioio.reader import is_read_by_bioio
from openhcs_runtime.plates.discovery import FoundPlate, find_in, open_as, open_found
from openhcs_runtime.plates.folder import Folder, Tell, ignore
from openhcs_runtime.plates.folder_plate import FolderPlate, list_plate
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.formats import format_named
from openhcs_runtime.plates.image_files import ImageFiles, ImageHeader, ImageNotes
from openhcs_runtime.plates.pages import PageOrder
from openhcs_runtime.plates.pattern import NamePattern, Pattern, find_by_pattern
from openhcs_runtime.plates.proposal import propose_for
from openhcs_runtime.plates.read import read_image
from openhcs_runtime.plates.tiff.files import image_of, tiff_files
from openhcs_runtime.stores.path import AnyPath, StorePath, as_path

if TYPE_CHECKING:
    from openhcs_runtime.plates.synthetic.make import make_plate

AUTO_PATTERN = "auto"
"""Instead of a pattern: propose one from the names."""

__all__ = [
    "AUTO_PATTERN",
    "Fit",
    "Folder",
    "FoundPlate",
    "ImageFiles",
    "ImageHeader",
    "ImageNotes",
    "ImageRef",
    "Listing",
    "Metadata",
    "NamePattern",
    "Plate",
    "PlateFormat",
    "PlateProblem",
    "ProblemKind",
    "StagePosition",
    "find_plates",
    "format_named",
    "image_of",
    "make_plate",
    "open_plate",
    "read_image",
    "stray",
    "tiff_files",
]


def open_plate(
    path: str | os.PathLike[str] | StorePath,
    *,
    pattern: str | NamePattern | None = None,
    format: str | None = None,
    pages: str | None = None,
    tell: Tell = ignore,
) -> Plate:
    """Open the plate in a folder without reading any pixels.

    Args:
        path: The plate folder, or its URL: ``s3://``, ``gs://`` or ``https://``; a file if bioio reads it.
        pattern: A regular expression for TIFF file names, see ``NamePattern``; "auto" proposes one from the names, and
            the plate's problems have a note with it.
        format: Name of the format, such as ``"opera_phenix"``, if it is not to be detected.
        pages: What the pages of TIFF files are that don't describe them: "z", "channel", "time", or several axes from
            the slowest to the fastest, with lengths: in "C2Z", all planes of the first channel come first.
        tell: Called now and then with the numbers of files that have been listed and looked at since the last call.

    Returns:
        The plate, with its images, problems and metadata.

    Raises:
        PlateError: If the folder does not exist or has no images of a supported format, if two formats fit it equally
            well, or if an argument is invalid.
    """
    names, order = read_arguments(pattern, format, pages)
    folder = _checked(as_path(path if isinstance(path, StorePath) else os.path.expanduser(path)), format)
    if isinstance(folder, Path) and folder.is_file():
        format = Bioio.name
    collecting = gc.isenabled()
    gc.disable()  # a listing makes no garbage, and scanning it repeatedly takes a quarter of the time
    try:
        if names is not None and format == Bioio.name:
            if not isinstance(names, NamePattern):
                raise PlateError("a pattern can't be proposed for scenes: write one")
            return list_plate(folder, Bioio(), list_scenes(folder, names))
        if names is not None:
            return _open_by_pattern(folder, names, order)
        return open_as(folder, format, order, tell) if format else open_found(folder, order, tell)
    except OSError as error:
        raise _unreadable(folder, error) from error
    finally:
        if collecting:
            gc.enable()


def find_plates(path: str | os.PathLike[str] | StorePath) -> tuple[FoundPlate, ...]:
    """Return the plates in a folder, without opening them.

    That is the folder itself if it looks like a plate. Otherwise it is all folders that do on the level below it or, if
    there are none, on the next one. Results of runs are left out, and at most 500 folders are examined.

    Args:
        path: The folder, or its URL.

    Raises:
        PlateError: If it does not exist or can't be read.
    """
    folder = _checked(as_path(path if isinstance(path, StorePath) else os.path.expanduser(path)), None)
    if isinstance(folder, Path) and folder.is_file():
        return (FoundPlate(folder, Bioio.name),)
    try:
        return find_in(folder)
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: AnyPath, error: OSError) -> PlateError:
    where = f" ({error.filename})" if error.filename and error.filename != str(folder) else ""
    return PlateError(f"{folder} can't be read: {error.strerror or error}{where}")


def read_arguments(
    pattern: str | NamePattern | None, format: str | None, pages: str | None
) -> tuple[str | NamePattern | None, PageOrder | None]:
    """Return pattern and pages as :func:`open_plate` uses them.

    Raises:
        PlateError: If one of the three is invalid, or if they exclude each other.
    """
    if pattern is not None and format not in (None, Pattern.name, Bioio.name):
        raise PlateError(f"a pattern and the format {format!r} exclude each other: give one of them")
    order = PageOrder.parse(pages) if pages else None
    if format is not None:
        format_named(format)
    return NamePattern(pattern) if isinstance(pattern, str) and pattern != AUTO_PATTERN else pattern, order


def _checked(folder: AnyPath, plate_format: str | None) -> AnyPath:
    """Return an absolute path; raise PlateError unless it is a folder, or a file that bioio is to read."""
    if isinstance(folder, StorePath):
        return folder
    if not folder.exists():
        raise PlateError(f"no such plate: {folder} (name the folder that holds the images)")
    if not folder.is_dir() and plate_format != Bioio.name and not is_read_by_bioio(folder.name):
        raise PlateError(f"{folder} is a file, not a plate (name the folder that holds the images)")
    if (shown := storable(str(folder.resolve()))) != str(folder.resolve()):
        raise PlateError(f"the name of {shown} is not valid UTF-8: rename the folder")
    return folder.resolve()


def _open_by_pattern(folder: AnyPath, pattern: str | NamePattern, order: PageOrder | None) -> FolderPlate:
    if isinstance(pattern, NamePattern):
        return list_plate(folder, Pattern(), find_by_pattern(folder, pattern), order)
    proposal = propose_for(folder)
    plate = list_plate(folder, Pattern(), find_by_pattern(folder, proposal.pattern), order)
    text = f"proposed: --pattern {shlex.quote(str(proposal.pattern))}; {proposal.describe()}"
    return replace(plate, problems=(PlateProblem(ProblemKind.NOTE, text), *plate.problems))


def __getattr__(name: str) -> object:
    if name != "make_plate":  # synthetic plates need scipy, opening a plate does not
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = importlib.import_module(f"{__name__}.synthetic.make").make_plate
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
