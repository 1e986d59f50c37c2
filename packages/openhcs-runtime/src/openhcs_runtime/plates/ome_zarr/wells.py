"""The wells of an OME-Zarr plate and where their images are; an image or a well on its own is a plate of one well."""

from itertools import count, takewhile

import msgspec

from openhcs_runtime.components import well_name, well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, ProblemKind
from openhcs_runtime.plates.ome_zarr.metadata import FieldEntry, OmeMetadata, Plate, Well, WellEntry, read_group
from openhcs_runtime.plates.ome_zarr.read_ahead import read_ahead
from openhcs_runtime.stores.path import AnyPath, StorePath, path_below

__all__ = ["UNREADABLE", "unreadable", "wells_of"]

UNREADABLE = (OSError, msgspec.MsgspecError, UnicodeDecodeError)
"""The errors of metadata that can't be read."""


def wells_of(folder: AnyPath, problems: list[PlateProblem]) -> tuple[dict[str, AnyPath], dict[str, Well | None]]:
    """Return the folder of each well, and its images; None for a well whose metadata can't be read."""
    metadata = _metadata(folder)
    if metadata.plate is not None:
        if isinstance(folder, StorePath) and not folder.is_archive:
            read_ahead(folder, metadata.plate)
        places = {_well_name(entry, metadata.plate): folder / entry.path for entry in metadata.plate.wells}
        return places, {well: _well_metadata(path, well, problems) for well, path in places.items()}
    if metadata.well is not None:
        row, column = folder.parent.name, folder.name
        return _one_well(folder, metadata.well, problems, "one well of a plate", f"{row}{column}")
    if metadata.multiscales:
        return _one_well(folder, Well((FieldEntry(""),)), problems, "one image")
    if series := _series(folder, metadata):
        return _one_well(folder, Well(tuple(map(FieldEntry, series))), problems, "a collection of images")
    raise PlateError(f"{folder} is a zarr group, but not an OME-Zarr plate or image (name the plate's folder)")


def _one_well(
    folder: AnyPath, well: Well, problems: list[PlateProblem], what: str, name: str = ""
) -> tuple[dict[str, AnyPath], dict[str, Well | None]]:
    """Return a plate of one well, and report that it is one."""
    try:
        called = well_name(*well_position(name))
    except ValueError:
        called = well_name(0, 0)
    text = f"{folder} is {what}: it is read as a plate with the well {called}"
    problems.append(PlateProblem(ProblemKind.NOTE, text))
    return {called: folder}, {called: well}


def _series(folder: AnyPath, metadata: OmeMetadata) -> list[str]:
    """Return the images of a collection as bioformats2raw writes it: as listed, or numbered from 0."""
    if metadata.collection is None:
        return []
    try:
        listed = read_group(folder / "OME").series
    except UNREADABLE:
        listed = ()
    return list(listed) or list(takewhile(lambda name: _is_group(folder / name), map(str, count())))


def _is_group(folder: AnyPath) -> bool:
    return (folder / "zarr.json").is_file() or (folder / ".zattrs").is_file()


def _metadata(folder: AnyPath) -> OmeMetadata:
    try:
        return read_group(folder)
    except FileNotFoundError:
        return OmeMetadata()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PlateError(f"zarr.json or .zattrs in {folder} does not describe an OME-Zarr plate: {error}") from error


def _well_name(entry: WellEntry, plate: Plate) -> str:
    """Return the well name from the names of row and column if they form one such as B06, or from their numbers."""
    numbers = entry.row_index, entry.column_index
    if ".." in entry.path.split("/"):
        raise PlateError(
            f"well {entry.path} of the OME-Zarr plate is outside of the plate: correct the plate's metadata"
        )
    _check_numbers(entry, plate)
    try:
        if numbers[0] is None or numbers[1] is None:
            return well_name(*well_position(entry.path.replace("/", "")))
        return well_name(*well_position(plate.rows[numbers[0]].name + plate.columns[numbers[1]].name))
    except (ValueError, IndexError) as error:
        if numbers[0] is None or numbers[1] is None:
            raise PlateError(f"well {entry.path} of the OME-Zarr plate: {error}") from error
    try:
        return well_name(numbers[0], numbers[1])
    except ValueError as error:
        raise PlateError(f"well {entry.path} of the OME-Zarr plate: {error}") from error


def _check_numbers(entry: WellEntry, plate: Plate) -> None:
    """Raise PlateError if the numbers of a well contradict its path."""
    parts = entry.path.strip("/").split("/")
    rows, columns = [row.name for row in plate.rows], [column.name for column in plate.columns]
    if len(parts) != 2 or parts[0] not in rows or parts[1] not in columns or entry.row_index is None:
        return
    if (entry.row_index, entry.column_index) != (rows.index(parts[0]), columns.index(parts[1])):
        raise PlateError(
            f"well {entry.path} of the OME-Zarr plate has the row index {entry.row_index} and the column index "
            f"{entry.column_index}, which are those of another well: correct the plate's metadata"
        )


def _well_metadata(folder: AnyPath, well: str, problems: list[PlateProblem]) -> Well | None:
    """Return the images of a well; None, and a problem, if its metadata can't be read."""
    try:
        return read_group(folder).well or Well(())
    except FileNotFoundError:
        where = path_below(folder, folder.parent.parent)
        text = f"no images of well {well}, which the plate lists: there is no {where}"
        problems.append(PlateProblem(ProblemKind.GAP, text))
        return Well(())  # it was not taken or not copied
    except UNREADABLE as error:
        problems.append(unreadable(f"well {well}", path_below(folder, folder.parent.parent), well, error))
        return None


def unreadable(what: str, path: str, well: str, error: Exception) -> PlateProblem:
    """Return the problem to report for metadata that can't be read."""
    reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    return PlateProblem(ProblemKind.METADATA, f"{what} can't be opened ({path}): {reason}", well)
