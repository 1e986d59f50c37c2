"""ImageXpress-style folders: one TIFF per plane, its components in the file name.

Layout (MetaXpress): the images are in ``TimePoint_<t>`` folders or directly in the plate folder, z planes either in
``ZStep_<z>`` folders below that or marked by ``_z<z>`` in the name:

    <prefix>_<well>[_s<site>][_w<channel>][_z<z>].tif

Some exports put a UUID right after the channel (``_w1A52B1177-9DC7-4534-9623-9DCA396EFA00.tif``) or, in brackets, at
the end (``_s1_[A52B...].tif``), and omit ``_s`` for a single site and ``_w`` for a single channel. Files that end in
``_thumb`` are thumbnails. An .HTD file in the folder has the plan of the plate (see ``imagexpress.htd``).

Images in ``ZStep_0``, and those next to the folders ``ZStep_1``, ``ZStep_2`` ..., are projections made by the
microscope software. They are left out for channels that have planes, and used for channels that have none. Some exports
repeat a single-plane channel in every ``ZStep`` folder; it counts as one plane (see ``imagexpress.repeats``).
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from openhcs_runtime.components import ImageKey, normal_well
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, ProblemKind, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.imagexpress.htd import find_htd, read_htd
from openhcs_runtime.plates.imagexpress.repeats import without_repeats
from openhcs_runtime.plates.tiff.files import Entry, image_of, is_tiff, scan, tiff_files
from openhcs_runtime.plates.tiff.metadata import tiff_notes
from openhcs_runtime.stores.path import AnyPath

_UUID = r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"
_NAME = re.compile(
    r"(?:.*?_)??(?P<well>[A-Z]{1,2}\d{1,2})(?:_s(?P<site>\d+))?(?:_w(?P<channel>\d+?))?(?:_z(?P<z>\d+))?"
    rf"(?:{_UUID}|_?\[{_UUID}\])?(?:\.ome)?\.tiff?",
    re.IGNORECASE,
)
_TIMEPOINT = re.compile(r"TimePoint_(\d+)", re.IGNORECASE)
_ZSTEP = re.compile(r"ZStep_(\d+)", re.IGNORECASE)


class ImageXpress(PlateFormat):
    """Plates of MetaXpress, exported or as stored, and other TIFF files named after wells, sites and channels."""

    name, title = "imagexpress", "ImageXpress"
    signs = MappingProxyType(
        {"<well>": r"(?:^|_)[A-Z]{1,2}\d{1,2}(?=[_.])", "_s<site>": r"_s\d+", "_w<channel>": r"_w\d"}
    )

    def fits(self, folder: Folder) -> Fit:
        """Return whether a folder, or its folders of time points and planes, has images named after wells."""
        if any(map(_well_of, _names(folder))):
            return Fit.CERTAIN if folder.named(".htd") else Fit.NAMES
        return Fit.NONE

    def find(self, folder: Folder) -> Listing:
        """List the images, and read the plan of the plate."""
        return _listing(folder.path)


def _listing(folder: AnyPath) -> Listing:
    found = [_parse(file) for file in _files(folder)]
    problems = [entry for entry in found if isinstance(entry, PlateProblem)]
    parsed, projections, unnamed = _sort_out([entry for entry in found if not isinstance(entry, PlateProblem)])
    if not parsed:
        form = "<prefix>_<well>_s<site>_w<channel>.tif"
        strays = f": none of its {len(problems)} TIFF files has a name of the form {form}"
        raise PlateError(f"no plate images in {folder}{strays if problems else ''}")
    metadata, unread = _metadata(folder)
    images, repeated = without_repeats(
        [entry.image for entry in parsed], {entry.image.path for entry in parsed if entry.in_zstep}
    )
    metadata = replace(metadata, z_step_um=_stated_step(projections))
    return Listing(images, [*problems, *unnamed, *repeated, *unread], metadata)


class _File(NamedTuple):
    """A TIFF file with the time point and z index of its folders; None if there is no such folder.

    Attributes:
        entry: The file.
        timepoint: The number of its ``TimePoint`` folder.
        z_step: The number of its ``ZStep`` folder.
        is_projection: Whether its location makes it a projection.
        is_loose: Whether it is next to the folders of time points.
    """

    entry: Entry
    timepoint: int | None
    z_step: int | None = None
    is_projection: bool = False
    is_loose: bool = False


class _Parsed(NamedTuple):
    """An image file and the components found in its name."""

    image: ImageRef
    names_channel: bool
    is_projection: bool
    in_zstep: bool


def _metadata(folder: AnyPath) -> tuple[Metadata, list[PlateProblem]]:
    path = find_htd(folder)
    if path is None:
        return Metadata(), []
    try:
        return read_htd(path).metadata(path.name), []
    except (ValueError, OSError) as error:
        message = f"{path.name} can't be understood: {error}; missing images are guessed from the images found"
        return Metadata(), [PlateProblem(ProblemKind.METADATA, message)]


def _names(folder: Folder) -> Iterator[str]:
    """Yield the names of the TIFF files, listing folders lazily."""
    yield from folder.images
    for name in folder.folders:
        if _TIMEPOINT.fullmatch(name) or _ZSTEP.fullmatch(name):
            yield from _names(folder.below(name))


def _well_of(name: str) -> tuple[str, re.Match[str]] | None:
    """Return the well in a file name, with the match for its other components."""
    match = _NAME.fullmatch(name)
    try:
        return (normal_well(match["well"]), match) if match else None
    except ValueError:
        return None


def _files(folder: AnyPath) -> Iterator[_File]:
    own = _TIMEPOINT.fullmatch(folder.name)
    timepoint_folders = False
    listed = sorted(scan(folder), key=lambda entry: entry.name)
    for entry in listed:
        if (match := _TIMEPOINT.fullmatch(entry.name)) and entry.is_dir():
            timepoint_folders = True
            yield from _files_of_timepoint(entry.path, int(match[1]))
    if not timepoint_folders:
        yield from _files_of_timepoint(str(folder), int(own[1]) if own else None)
    else:
        yield from (_File(entry, None, is_loose=True) for entry in listed if is_tiff(entry))


def _files_of_timepoint(folder: str, timepoint: int | None) -> Iterator[_File]:
    listed = list(scan(folder))
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
        return stray(f"{name} is not an image of the plate: its name has no well")
    well, match = said
    if file.is_loose:
        return stray(f"{name} is left out: it is next to the folders of time points, not in one of them")
    site, channel, z = match.group("site", "channel", "z")
    timepoint = 1 if file.timepoint is None else file.timepoint
    key = ImageKey(well, int(site or 1), int(channel or 1), int(z) if z else file.z_step or 1, timepoint)
    is_projection = file.is_projection and not z
    return _Parsed(image_of(file.entry, key), channel is not None, is_projection, bool(file.z_step))


def _sort_out(parsed: Sequence[_Parsed]) -> tuple[list[_Parsed], list[ImageRef], list[PlateProblem]]:
    """Return the images, the projections left out, and the problems to report for files left out."""
    problems, images = [], []
    projections: defaultdict[int, list[ImageRef]] = defaultdict(list)
    channels_named = any(entry.names_channel for entry in parsed)
    with_planes = {entry.image.key.channel for entry in parsed if not entry.is_projection}
    for entry in parsed:
        channel = entry.image.key.channel
        if channels_named and not entry.names_channel:
            name = os.path.basename(entry.image.path)
            problems.append(stray(f"{name} has no channel in its name while other images have one"))
        elif entry.is_projection and channel in with_planes:
            projections[channel].append(entry.image)
        else:
            images.append(entry)
    for channel, left in sorted(projections.items()):
        first = min(os.path.basename(image.path) for image in left)
        count = f"{len(left):,} projections" if len(left) > 1 else "1 projection"
        text = f"{count} of channel {channel}, such as {first}: left out because the channel has planes"
        problems.append(stray(text, files=len(left)))
    return images, [image for left in projections.values() for image in left], problems


def _stated_step(projections: Sequence[ImageRef]) -> float | None:
    """Return the distance between the planes of a projection, as stated in its metadata."""
    return tiff_notes(projections[0].path).z_step_um if projections else None
