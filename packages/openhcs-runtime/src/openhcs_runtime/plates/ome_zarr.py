"""OME-Zarr HCS plates, version 0.4 (zarr 2) and 0.5 (zarr 3): https://ngff.openmicroscopy.org/0.5/ and /0.4/.

Only JSON is read here. The planes of level 0 are the images: channel, z and time point count from 1 along the axes c, z
and t; a field whose path is a number counts from 1 too (path "0" is site 1), else its place in the well's list does.
"""

import os
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import msgspec

from openhcs_runtime.components import ImageKey, well_name, well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateFormat, PlateProblem, ProblemKind, StagePosition
from openhcs_runtime.plates.listing import FolderPlate, Metadata, list_plate
from openhcs_runtime.plates.ome_zarr_schema import (
    UNITS_UM,
    ArrayLayout,
    Multiscale,
    OmeMetadata,
    Plate,
    WellEntry,
    read_array,
    read_group,
)

_PLANE = ["y", "x"]
_MOST_CHUNKS = 16
"""Of a plane in more chunks than these only some are asked whether they have changed."""


def looks_like_ome_zarr(folder: Path) -> bool:
    """Whether it is a zarr group."""
    return any((folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zattrs"))


def open_ome_zarr(folder: Path) -> FolderPlate:
    """List the images of the plate `folder`. A field that can't be understood is a problem of the plate.

    Raises PlateError when it is no OME-Zarr plate or has no images, OSError when it can't be read.
    """
    plate = _plate_metadata(folder)
    fields: list[_Field] = []
    problems: list[PlateProblem] = []
    for entry in plate.wells:
        well = _well_name(entry, plate)
        for site, path in _sites(folder / entry.path, well, problems):
            try:
                fields.append(_open_field(path, well, site))
            except _UNREADABLE as error:
                problems.append(_unreadable(f"site {site} of well {well}", path.relative_to(folder), well, error))
    if not fields:
        first = f": {problems[0].message}" if problems else ""
        raise PlateError(f"no images in the OME-Zarr plate {folder}{first}")
    metadata = Metadata(
        channel_names=next((field.channel_names for field in fields if field.channel_names), {}),
        positions={(field.well, field.site): field.position for field in fields if field.position},
        pixel_size_um=next((field.pixel_size_um for field in fields if field.pixel_size_um), None),
    )
    return list_plate(
        folder, PlateFormat.OME_ZARR, (image for field in fields for image in field.images), problems, metadata
    )


@dataclass(frozen=True, slots=True)
class _Field:
    """One site of a well."""

    well: str
    site: int
    images: tuple[ImageRef, ...]
    channel_names: dict[int, str]
    pixel_size_um: float | None
    position: StagePosition | None


_UNREADABLE = (OSError, msgspec.MsgspecError, UnicodeDecodeError)


def _unreadable(what: str, path: Path, well: str, error: Exception) -> PlateProblem:
    reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    return PlateProblem(ProblemKind.METADATA, f"{what} can't be opened ({path.as_posix()}): {reason}", well)


def _plate_metadata(folder: Path) -> Plate:
    try:
        metadata = read_group(folder)
    except FileNotFoundError:
        metadata = OmeMetadata()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PlateError(
            f"zarr.json or .zattrs of {folder} is not that of an OME-Zarr plate of version 0.4 or 0.5: {error}"
        ) from error
    if metadata.plate is None:
        kind = "an OME-Zarr image" if metadata.multiscales else "one well" if metadata.well else "a zarr group"
        raise PlateError(f"{folder} is {kind}, not an OME-Zarr plate of version 0.4 or 0.5 (name the plate's folder)")
    return metadata.plate


def _well_name(entry: WellEntry, plate: Plate) -> str:
    """By the names of row and column where they make a well such as B06, else by their numbers."""
    try:
        return well_name(*well_position(plate.rows[entry.row_index].name + plate.columns[entry.column_index].name))
    except (ValueError, IndexError):
        pass
    try:
        return well_name(entry.row_index, entry.column_index)
    except ValueError as error:
        raise PlateError(f"well {entry.path} of the OME-Zarr plate: {error}") from error


def _sites(folder: Path, well: str, problems: list[PlateProblem]) -> list[tuple[int, Path]]:
    """Number and folder of each field of a well."""
    try:
        metadata = read_group(folder).well
    except _UNREADABLE as error:
        problems.append(_unreadable(f"well {well}", Path(*folder.parts[-2:]), well, error))
        return []
    paths = [image.path for image in metadata.images] if metadata else []
    if all(map(str.isdecimal, paths)):
        return [(int(path) + 1, folder / path) for path in paths]
    return [(number, folder / path) for number, path in enumerate(paths, start=1)]


def _open_field(folder: Path, well: str, site: int) -> _Field:
    """Raises one of `_UNREADABLE`."""
    metadata = read_group(folder)
    if not metadata.multiscales or not metadata.multiscales[0].datasets:
        raise msgspec.ValidationError("it has no multiscales")
    multiscale = metadata.multiscales[0]
    names = [axis.name for axis in multiscale.axes]
    if names[-2:] != _PLANE or len(set(names)) != len(names) or not {"t", "c", "z", *_PLANE}.issuperset(names):
        raise msgspec.ValidationError(f"its axes are {', '.join(names)}, not some of t, c, z and then y, x")
    path = folder / multiscale.datasets[0].path
    layout = read_array(path)
    if len(layout.shape) != len(names):
        raise msgspec.ValidationError(f"its array has {len(layout.shape)} axes, not {len(names)}")
    channels = metadata.omero.channels if metadata.omero else ()
    return _Field(
        well,
        site,
        tuple(_images(str(path), layout, names, well, site)),
        {number: str(channel.label) for number, channel in enumerate(channels, start=1) if channel.label is not None},
        _pixel_size_um(multiscale),
        _position(multiscale),
    )


def _images(path: str, layout: ArrayLayout, names: list[str], well: str, site: int) -> list[ImageRef]:
    images = []
    for index in product(*map(range, layout.shape[:-2])):
        at = {name: place + 1 for name, place in zip(names, index, strict=False)}
        key = ImageKey(well, site, at.get("c", 1), at.get("z", 1), at.get("t", 1))
        size, newest = 0, 0
        for chunk in layout.chunk_files(index, _MOST_CHUNKS):
            try:
                stat = os.stat(f"{path}/{chunk}")
            except FileNotFoundError:
                continue  # a chunk in which every pixel has the fill value is not written
            size, newest = size + stat.st_size, max(newest, stat.st_mtime_ns)
        images.append(ImageRef(key, path, size, newest, index))
    return images


def _factor(multiscale: Multiscale) -> float | None:
    """Micrometres in a unit of x; None where no unit is given: its numbers may be pixels."""
    return UNITS_UM.get(multiscale.axes[-1].unit or "")


def _pixel_size_um(multiscale: Multiscale) -> float | None:
    factor, size = _factor(multiscale), multiscale.scale()[-1]
    return round(size * factor, 6) if factor and size > 0 else None


def _position(multiscale: Multiscale) -> StagePosition | None:
    factor, offset = _factor(multiscale), multiscale.translation()
    return StagePosition(offset[-2] * factor, offset[-1] * factor) if factor and offset else None
