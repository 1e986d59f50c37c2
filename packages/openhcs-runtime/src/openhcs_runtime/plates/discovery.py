"""Detection of the plates in a folder, and the explanation if there is none."""

from dataclasses import dataclass, replace

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, ProblemKind
from openhcs_runtime.plates.bioio.plate import Bioio
from openhcs_runtime.plates.folder import Folder, Tell, ignore
from openhcs_runtime.plates.folder_plate import FolderPlate, list_plate
from openhcs_runtime.plates.format import Fit, PlateFormat
from openhcs_runtime.plates.formats import all_formats, format_named
from openhcs_runtime.plates.pages import PageOrder
from openhcs_runtime.plates.unknown import names_in, no_format_found
from openhcs_runtime.stores.path import AnyPath, StorePath, path_below

__all__ = ["FoundPlate", "find_in", "open_as", "open_found"]

_ZARR = "ome_zarr"
_DEEPEST = 2
_MOST_FOLDERS = 500
_NAMED = 4

_FORMATS = "'openhcs-runtime info --formats' lists the formats that can be read"

_FOREIGN = {
    ".flex": "an Opera or Operetta before Harmony",
    ".aivia": "Aivia",
}


@dataclass(frozen=True, slots=True)
class FoundPlate:
    """A folder that looks like a plate.

    Attributes:
        path: The folder.
        format: Name of its format; empty if it looks like several, and has to be opened with one of them.
    """

    path: AnyPath
    format: str


def open_as(folder: AnyPath, name: str, pages: PageOrder | None = None, tell: Tell = ignore) -> FolderPlate:
    """Open a folder as a plate of the named format, whether or not it is recognized.

    Raises:
        PlateError: If the format is not installed, or finds no images.
        OSError: If the folder can't be listed.
    """
    opened, plate_format = Folder(folder, tell), format_named(name)
    if name == _ZARR and plate_format.fits(opened) is Fit.NONE:
        raise PlateError(f"{folder} is not a zarr group (name the folder of an OME-Zarr plate, or another format)")
    return _open(opened, plate_format, pages)


def open_found(path: AnyPath, pages: PageOrder | None = None, tell: Tell = ignore) -> FolderPlate:
    """Open the plate in a folder, or the only plate up to two levels below it.

    Raises:
        PlateError: If there is no plate, or more than one.
        OSError: If the folder can't be listed.
    """
    folder, formats = Folder(path, tell), all_formats()
    if found := _format_of(folder, formats):
        return _open(folder, found, pages)
    formats_below = _formats_below(folder, formats)
    below = _plates_below(folder, formats_below)
    if len(below) == 1:
        (inner,) = below
        inner_format = _format_of(inner, formats_below)
        assert inner_format is not None
        plate = _open(inner, inner_format, pages)
        note = PlateProblem(ProblemKind.NOTE, f"the images are in {inner.path}")
        return replace(plate, path=path, problems=(note, *plate.problems))
    if below:
        names = ", ".join(path_below(inner.path, path) for inner in below[:_NAMED])
        more = f" and {len(below) - _NAMED} more" if len(below) > _NAMED else ""
        what = f"{path} holds several folders that look like a plate"
        raise PlateError(f"{what}: name one of {names}{more}; info, run and compile take them all")
    raise PlateError(_nothing_found(folder, formats))


def find_in(path: AnyPath) -> tuple[FoundPlate, ...]:
    """Return the folder itself if it looks like a plate, else the folders on the nearest level below that do.

    Raises:
        PlateError: If a format can't be loaded.
        OSError: If the folder can't be listed.
    """
    folder, formats = Folder(path), all_formats()
    if found := _best_formats(folder, formats):
        return (_found_plate(folder, found),)
    formats = _formats_below(folder, formats)
    return tuple(_found_plate(below, _best_formats(below, formats)) for below in _plates_below(folder, formats))


def _found_plate(folder: Folder, found: list[PlateFormat]) -> FoundPlate:
    return FoundPlate(folder.path, found[0].name if len(found) == 1 else "")


def _open(folder: Folder, plate_format: PlateFormat, pages: PageOrder | None) -> FolderPlate:
    return list_plate(folder.path, plate_format, plate_format.find(folder), pages)


def _format_of(folder: Folder, formats: tuple[PlateFormat, ...]) -> PlateFormat | None:
    """Return the format that a folder fits best; None if it fits none.

    Raises:
        PlateError: If it fits two equally well.
    """
    found = _best_formats(folder, formats)
    if len(found) > 1:
        names = " and ".join(f"{one.title} ({one.name})" for one in found)
        raise PlateError(f"{folder.path} looks like a plate of {names}: choose one with --format")
    return found[0] if found else None


def _best_formats(folder: Folder, formats: tuple[PlateFormat, ...]) -> list[PlateFormat]:
    """Return the formats that a folder fits best, usually one or none."""
    fits = [(one.fits(folder), one) for one in formats]
    best = max((fit for fit, _ in fits), default=Fit.NONE)
    return [one for fit, one in fits if fit is best and best is not Fit.NONE]


def _formats_below(folder: Folder, formats: tuple[PlateFormat, ...]) -> tuple[PlateFormat, ...]:
    """Return the formats that a plate below a folder may have.

    TIFF files whose names are not known are the plate, not an overview by another program in a folder below them.
    """
    return tuple(one for one in formats if not folder.images or one.name != Bioio.name)


def _plates_below(folder: Folder, formats: tuple[PlateFormat, ...]) -> list[Folder]:
    """Return the folders on the nearest level below that look like plates, without results of runs."""
    level, looked_at = [folder], 0
    for _ in range(_DEEPEST):
        level = [below for one in level for below in _folders(one)]
        found = [below for below in level[: _MOST_FOLDERS - looked_at] if _best_formats(below, formats)]
        looked_at += len(level)
        if found or looked_at >= _MOST_FOLDERS:
            return found
    return []


def _folders(folder: Folder) -> list[Folder]:
    try:
        names = folder.folders
    except OSError:
        return []
    return [folder.below(name) for name in names if not name.endswith("_results")]


def _nothing_found(folder: Folder, formats: tuple[PlateFormat, ...]) -> str:
    maker = next((maker for ending, maker in _FOREIGN.items() if folder.named(ending)), "")
    if maker:
        with_pattern = (
            "; its TIFF files can be read with --pattern, or pattern= in PipelineConfig" if folder.images else ""
        )
        return f"{folder.path} looks like a measurement of {maker}, a format that can't be read{with_pattern}"
    if names := names_in(folder):
        return no_format_found(folder, names, formats)
    if isinstance(folder.path, StorePath) and not folder.path.lists_folders:
        return (
            f"no images at {folder.path}: give the address of an OME-Zarr plate, or of TIFF files on a server that "
            f"lists its folders (a server may also hide what it does not allow you to read); {_FORMATS}"
        )
    return f"no images in {folder.path}: give the folder of a plate, or of TIFF files; {_FORMATS}"
