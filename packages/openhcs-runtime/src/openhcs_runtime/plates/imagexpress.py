"""ImageXpress-style folders: one TIFF per plane, its components in the file name.

Layout (MetaXpress "TIFF export"): the images lie in `TimePoint_<t>` folders or directly in the plate folder, z planes
either in `ZStep_<z>` folders below that or as `_z<z>` in the name:

    <prefix>_<well>[_s<site>][_w<channel>][_z<z>].tif

Some exports put a UUID right after the channel (`_w1A52B1177-9DC7-4534-9623-9DCA396EFA00.tif`) or, in brackets, at the
end (`_s1_[A52B...].tif`), leave `_s` out for a single site, and `_w` for a single channel. `ZStep_0` is a projection
that the microscope's program made: it is left out where a channel has real planes. Files with `_thumb` in the name are
thumbnails. A .HTD file in the folder says what the plate was to have (see `openhcs_runtime.plates.htd`).
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from openhcs_runtime.components import ImageKey, well_name, well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateFormat, PlateProblem, ProblemKind
from openhcs_runtime.plates.htd import find_htd, read_htd
from openhcs_runtime.plates.listing import FolderPlate, Metadata, list_plate
from openhcs_runtime.plates.tiff_files import image_of, is_tiff, tiff_files

_UUID = r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"
_NAME = re.compile(
    r"(?:.*?_)??(?P<well>[A-Z]{1,2}\d\d)(?:_s(?P<site>\d+))?(?:_w(?P<channel>\d+?))?(?:_z(?P<z>\d+))?"
    rf"(?:{_UUID}|_?\[{_UUID}\])?",
    re.IGNORECASE,
)
_TIMEPOINT = re.compile(r"TimePoint_(\d+)", re.IGNORECASE)
_ZSTEP = re.compile(r"ZStep_(\d+)", re.IGNORECASE)


def open_imagexpress(folder: Path) -> FolderPlate:
    """List the images of `folder`.

    Raises PlateError when it holds none, OSError when it can't be listed.
    """
    found = [_parse(*file) for file in _files(folder)]
    problems = [entry for entry in found if isinstance(entry, PlateProblem)]
    images, unnamed = _sort_out([entry for entry in found if not isinstance(entry, PlateProblem)])
    if not images:
        raise PlateError(_nothing_found(folder, len(problems)))
    metadata, unread = _metadata(folder)
    return list_plate(folder, PlateFormat.IMAGEXPRESS, images, [*problems, *unnamed, *unread], metadata)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """One image file and which components its name spells out."""

    image: ImageRef
    names_channel: bool
    from_zstep_0: bool


def _metadata(folder: Path) -> tuple[Metadata, list[PlateProblem]]:
    path = find_htd(folder)
    if path is None:
        return Metadata(), []
    try:
        return read_htd(path).metadata(path.name), []
    except (ValueError, OSError) as error:
        message = f"{path.name} can't be understood: {error}; what is missing is guessed from the images"
        return Metadata(), [PlateProblem(ProblemKind.METADATA, message)]


def _files(folder: Path) -> Iterator[tuple[os.DirEntry[str], int | None, int | None]]:
    """Every TIFF file with the time point and z index of the folders it lies in (None: none of its own)."""
    own = _TIMEPOINT.fullmatch(folder.name)
    timepoint_folders = False
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if (match := _TIMEPOINT.fullmatch(entry.name)) and entry.is_dir():
            timepoint_folders = True
            yield from _files_of_timepoint(entry.path, int(match[1]))
    if not timepoint_folders:
        yield from _files_of_timepoint(str(folder), int(own[1]) if own else None)
    else:
        yield from ((entry, None, None) for entry in listed if is_tiff(entry))


def _files_of_timepoint(
    folder: str, timepoint: int | None
) -> Iterator[tuple[os.DirEntry[str], int | None, int | None]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if (match := _ZSTEP.fullmatch(entry.name)) and entry.is_dir():
                yield from ((plane, timepoint, int(match[1])) for plane in tiff_files(entry.path))
            elif is_tiff(entry):
                yield entry, timepoint, None


def _parse(entry: os.DirEntry[str], timepoint: int | None, z_step: int | None) -> _Parsed | PlateProblem:
    match = _NAME.fullmatch(os.path.splitext(entry.name)[0])
    try:
        row, column = well_position(match["well"]) if match else (-1, -1)
    except ValueError:
        match = None
    if match is None:
        return PlateProblem(ProblemKind.STRAY_FILE, f"{entry.name} is no image of the plate: its name has no well")
    key = ImageKey(
        well=well_name(row, column),
        site=int(match["site"] or 1),
        channel=int(match["channel"] or 1),
        z_index=int(match["z"]) if match["z"] else 1 if z_step is None else z_step,
        timepoint=1 if timepoint is None else timepoint,
    )
    return _Parsed(
        image_of(entry, key),
        names_channel=match["channel"] is not None,
        from_zstep_0=z_step == 0 and not match["z"],
    )


def _sort_out(parsed: list[_Parsed]) -> tuple[list[ImageRef], list[PlateProblem]]:
    """The images, and the files left out since their names say less than the others'."""
    problems, images = [], []
    channels_named = any(entry.names_channel for entry in parsed)
    with_planes = {entry.image.key.channel for entry in parsed if not entry.from_zstep_0}
    for entry in parsed:
        image = entry.image
        if entry.from_zstep_0 and image.key.channel in with_planes:
            continue
        if channels_named and not entry.names_channel:
            message = f"{os.path.basename(image.path)} names no channel while other images do"
            problems.append(PlateProblem(ProblemKind.STRAY_FILE, message))
        elif entry.from_zstep_0:
            images.append(replace(image, key=replace(image.key, z_index=1)))
        else:
            images.append(image)
    return images, problems


def _nothing_found(folder: Path, strays: int) -> str:
    nested = next((path.parent for path in sorted(folder.glob("*/TimePoint_*"))[:1]), None)
    if nested is not None:
        return f"no images in {folder}, but {nested.name} in it looks like a plate: name {nested}"
    if strays:
        return (
            f"no images of a plate in {folder}: none of its {strays} TIFF files is named "
            "<prefix>_<well>_s<site>_w<channel>.tif (other names need --pattern, or pattern= in PipelineConfig)"
        )
    return f"no images in {folder}: name the folder of an ImageXpress, Opera Phenix or OME-Zarr plate, or of TIFF files"
