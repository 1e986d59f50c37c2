"""ImageXpress-style folders: one TIFF per plane, its components in the file name.

Layout (MetaXpress): the images lie in `TimePoint_<t>` folders or directly in the plate folder, z planes either in
`ZStep_<z>` folders below that or as `_z<z>` in the name:

    <prefix>_<well>[_s<site>][_w<channel>][_z<z>].tif

Some exports put a UUID right after the channel (`_w1A52B1177-9DC7-4534-9623-9DCA396EFA00.tif`) or, in brackets, at the
end (`_s1_[A52B...].tif`), leave `_s` out for a single site, and `_w` for a single channel. Files with `_thumb` at the
end are thumbnails. A .HTD file in the folder says what the plate was to have (see `imagexpress.htd`).

Images in `ZStep_0`, and those that lie beside the folders `ZStep_1`, `ZStep_2` ..., are projections that the program of
the microscope made. They are left out where a channel has planes, and are the images of a channel that has none. Some
exports repeat a channel of a single plane in every `ZStep` folder: it is one plane (`imagexpress.repeats`).
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openhcs_runtime.components import ImageKey, well_name, well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateFormat, PlateProblem, ProblemKind, stray
from openhcs_runtime.plates.folder_plate import FolderPlate, Metadata, list_plate
from openhcs_runtime.plates.imagexpress.htd import find_htd, read_htd
from openhcs_runtime.plates.imagexpress.repeats import without_repeats
from openhcs_runtime.plates.tiff.files import image_of, is_tiff, stem_of, tiff_files
from openhcs_runtime.plates.tiff.metadata import tiff_notes

_UUID = r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"
_NAME = re.compile(
    r"(?:.*?_)??(?P<well>[A-Z]{1,2}\d{1,2})(?:_s(?P<site>\d+))?(?:_w(?P<channel>\d+?))?(?:_z(?P<z>\d+))?"
    rf"(?:{_UUID}|_?\[{_UUID}\])?",
    re.IGNORECASE,
)
_TIMEPOINT = re.compile(r"TimePoint_(\d+)", re.IGNORECASE)
_ZSTEP = re.compile(r"ZStep_(\d+)", re.IGNORECASE)


def looks_like_imagexpress(folder: Path) -> bool:
    """Whether images with the name of a well lie in a folder, or in those of time points and planes in it."""
    return any(_well_of(name) for name in _names(folder))


def open_imagexpress(folder: Path) -> FolderPlate:
    """List the images of `folder`.

    Raises PlateError when it holds none, OSError when it can't be listed.
    """
    found = [_parse(file) for file in _files(folder)]
    problems = [entry for entry in found if isinstance(entry, PlateProblem)]
    parsed, projections, unnamed = _sort_out([entry for entry in found if not isinstance(entry, PlateProblem)])
    if not parsed:
        strays = f": none of its {len(problems)} TIFF files is named <prefix>_<well>_s<site>_w<channel>.tif"
        raise PlateError(f"no images of a plate in {folder}{strays if problems else ''}")
    metadata, unread = _metadata(folder)
    images, repeated = without_repeats(
        [entry.image for entry in parsed], {entry.image.path for entry in parsed if entry.in_zstep}
    )
    metadata = replace(metadata, z_step_um=_stated_step(projections))
    return list_plate(folder, PlateFormat.IMAGEXPRESS, images, [*problems, *unnamed, *repeated, *unread], metadata)


@dataclass(frozen=True, slots=True)
class _File:
    """A TIFF file with the time point and z index of the folders it lies in (None: none of its own).

    is_projection: whether its place says so. is_loose: whether it lies beside the folders of time points.
    """

    entry: os.DirEntry[str]
    timepoint: int | None
    z_step: int | None = None
    is_projection: bool = False
    is_loose: bool = False


@dataclass(frozen=True, slots=True)
class _Parsed:
    """One image file and which components its name spells out."""

    image: ImageRef
    names_channel: bool
    is_projection: bool
    in_zstep: bool


def _metadata(folder: Path) -> tuple[Metadata, list[PlateProblem]]:
    path = find_htd(folder)
    if path is None:
        return Metadata(), []
    try:
        return read_htd(path).metadata(path.name), []
    except (ValueError, OSError) as error:
        message = f"{path.name} can't be understood: {error}; what is missing is guessed from the images"
        return Metadata(), [PlateProblem(ProblemKind.METADATA, message)]


def _names(folder: str | os.PathLike[str]) -> Iterator[str]:
    """The names of the TIFF files, without listing more than is asked for."""
    yield from (entry.name for entry in tiff_files(folder))
    with os.scandir(folder) as entries:
        below = [entry.path for entry in entries if _is_part(entry)]
    for path in below:
        yield from _names(path)


def _is_part(entry: os.DirEntry[str]) -> bool:
    return bool(_TIMEPOINT.fullmatch(entry.name) or _ZSTEP.fullmatch(entry.name)) and entry.is_dir()


def _well_of(name: str) -> tuple[str, re.Match[str]] | None:
    """The well that a file name says, with the rest of what it says."""
    match = _NAME.fullmatch(stem_of(name))
    try:
        return (well_name(*well_position(match["well"])), match) if match else None
    except ValueError:
        return None


def _files(folder: Path) -> Iterator[_File]:
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
        yield from (_File(entry, None, is_loose=True) for entry in listed if is_tiff(entry))


def _files_of_timepoint(folder: str, timepoint: int | None) -> Iterator[_File]:
    with os.scandir(folder) as entries:
        listed = list(entries)
    steps = {
        entry.path: int(match[1]) for entry in listed if (match := _ZSTEP.fullmatch(entry.name)) and entry.is_dir()
    }
    for path, step in steps.items():
        yield from (_File(plane, timepoint, step, is_projection=step == 0) for plane in tiff_files(path))
    stacks = any(steps.values())
    yield from (_File(entry, timepoint, is_projection=stacks) for entry in listed if is_tiff(entry))


def _parse(file: _File) -> _Parsed | PlateProblem:
    name = file.entry.name
    said = _well_of(name)
    if said is None:
        return stray(f"{name} is no image of the plate: its name has no well")
    well, match = said
    if file.is_loose:
        return stray(f"{name} lies beside the folders of time points, so it is none of their images")
    z = int(match["z"]) if match["z"] else file.z_step or 1
    key = ImageKey(
        well=well,
        site=int(match["site"] or 1),
        channel=int(match["channel"] or 1),
        z_index=z,
        timepoint=1 if file.timepoint is None else file.timepoint,
    )
    return _Parsed(
        image_of(file.entry, key),
        names_channel=match["channel"] is not None,
        is_projection=file.is_projection and not match["z"],
        in_zstep=bool(file.z_step),
    )


def _sort_out(parsed: Sequence[_Parsed]) -> tuple[list[_Parsed], list[ImageRef], list[PlateProblem]]:
    """The images, the projections that are none, and what is said about files that are left out."""
    problems, images = [], []
    projections: defaultdict[int, list[ImageRef]] = defaultdict(list)
    channels_named = any(entry.names_channel for entry in parsed)
    with_planes = {entry.image.key.channel for entry in parsed if not entry.is_projection}
    for entry in parsed:
        name, channel = os.path.basename(entry.image.path), entry.image.key.channel
        if channels_named and not entry.names_channel:
            problems.append(stray(f"{name} names no channel while other images do"))
        elif entry.is_projection and channel in with_planes:
            projections[channel].append(entry.image)
        else:
            images.append(entry)
    for channel, left in sorted(projections.items()):
        first = min(os.path.basename(image.path) for image in left)
        count = f"{len(left):,} projections" if len(left) > 1 else "1 projection"
        text = f"{count} of channel {channel}, such as {first}: left out, since the channel has planes"
        problems.append(stray(text, files=len(left)))
    return images, [image for left in projections.values() for image in left], problems


def _stated_step(projections: Sequence[ImageRef]) -> float | None:
    """The distance of planes that a projection says it was made of."""
    return tiff_notes(projections[0].path).z_step_um if projections else None
