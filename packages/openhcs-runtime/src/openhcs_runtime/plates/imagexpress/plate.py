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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from openhcs_runtime.components import ImageKey, normal_well
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, ProblemKind, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.imagexpress.htd import find_htd, read_htd
from openhcs_runtime.plates.imagexpress.repeats import without_repeats
from openhcs_runtime.plates.tiff.files import Entry, image_of
from openhcs_runtime.plates.tiff.metadata import tiff_notes
from openhcs_runtime.stores.path import AnyPath

_UUID = r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"
_NAME = re.compile(
    r"(?:(?P<prefix>.*?)_)??(?P<well>[A-Z]{1,2}\d{1,2})(?:_s(?P<site>\d+))?(?:_w(?P<channel>\d+?))?(?:_z(?P<z>\d+))?"
    rf"(?:{_UUID}|_?\[{_UUID}\])?(?:\.ome)?\.tiff?",
    re.IGNORECASE,
)
_TIMEPOINT = re.compile(r"TimePoint_(\d+)", re.IGNORECASE)
_NAMED = 4
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
        found = _Found()
        for place, entries in _places(folder):
            found.add(place, entries)
        images, projections, problems = _sort_out(found)
        if not images:
            form = "<prefix>_<well>_s<site>_w<channel>.tif"
            strays = f": none of its {len(problems)} TIFF files has a name of the form {form}"
            raise PlateError(f"no plate images in {folder.path}{strays if problems else ''}")
        metadata, unread = _metadata(folder.path)
        images, repeated = without_repeats(images, found.in_zsteps)
        metadata = replace(metadata, z_step_um=_stated_step(projections))
        return Listing(images, [*problems, *repeated, *unread, *_mixed_plates(images)], metadata)


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder with TIFF files.

    Attributes:
        timepoint: The number of its ``TimePoint`` folder; 1 if there is none.
        z_step: The number of its ``ZStep`` folder; None if there is none.
        has_projections: Whether images without a plane in their names are projections.
        is_loose: Whether it is next to the folders of time points.
    """

    timepoint: int = 1
    z_step: int | None = None
    has_projections: bool = False
    is_loose: bool = False


class _Found:
    """The images found so far, by whether they are projections, and the files that are left out."""

    def __init__(self) -> None:
        self.named: dict[bool, list[ImageRef]] = {False: [], True: []}
        self.unnamed: dict[bool, list[ImageRef]] = {False: [], True: []}
        """The same without a channel in their names."""
        self.in_zsteps: set[str] = set()
        self.problems: list[PlateProblem] = []

    def add(self, place: _Place, entries: Iterable[Entry]) -> None:
        """Add the TIFF files of a folder; plates have tens of thousands."""
        default_z = place.z_step or 1
        for entry in entries:
            said = _well_of(entry.name)
            if said is None or place.is_loose:
                reason = "is not an image of the plate: its name has no well"
                loose = "is left out: it is next to the folders of time points, not in one of them"
                self.problems.append(stray(f"{entry.name} {reason if said is None else loose}"))
                continue
            well, match = said
            site, channel, z = match.group("site", "channel", "z")
            key = ImageKey(well, int(site or 1), int(channel or 1), int(z) if z else default_z, place.timepoint)
            image = image_of(entry, key)
            (self.named if channel else self.unnamed)[place.has_projections and not z].append(image)
            if place.z_step:
                self.in_zsteps.add(image.path)


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


def _places(folder: Folder) -> Iterator[tuple[_Place, Iterable[Entry]]]:
    """Yield the folders that have images, with their TIFF files."""
    own = _TIMEPOINT.fullmatch(folder.path.name)
    timepoints = [(name, int(match[1])) for name in folder.folders if (match := _TIMEPOINT.fullmatch(name))]
    for name, timepoint in timepoints:
        yield from _places_of_timepoint(folder.below(name), timepoint)
    if timepoints:
        yield _Place(is_loose=True), folder.tiff_files()
    else:
        yield from _places_of_timepoint(folder, int(own[1]) if own else 1)


def _places_of_timepoint(folder: Folder, timepoint: int) -> Iterator[tuple[_Place, Iterable[Entry]]]:
    steps = [(name, int(match[1])) for name in folder.folders if (match := _ZSTEP.fullmatch(name))]
    for name, step in steps:
        yield _Place(timepoint, step, has_projections=step == 0), folder.below(name).tiff_files()
    yield _Place(timepoint, has_projections=any(step for _, step in steps)), folder.tiff_files()


def _sort_out(found: _Found) -> tuple[list[ImageRef], list[ImageRef], list[PlateProblem]]:
    """Return the images, the projections left out, and the problems to report for files left out."""
    problems, images, projections = list(found.problems), list(found.named[False]), list(found.named[True])
    unnamed = [*found.unnamed[False], *found.unnamed[True]]
    with_planes = {image.key.channel for image in (*images, *found.unnamed[False])}
    if images or projections:
        names = (os.path.basename(image.path) for image in unnamed)
        problems += [stray(f"{name} has no channel in its name while other images have one") for name in names]
    else:
        images, projections = list(found.unnamed[False]), list(found.unnamed[True])
    images += [image for image in projections if image.key.channel not in with_planes]
    left: defaultdict[int, list[ImageRef]] = defaultdict(list)
    for image in projections:
        if image.key.channel in with_planes:
            left[image.key.channel].append(image)
    for channel, of_channel in sorted(left.items()):
        first = min(os.path.basename(image.path) for image in of_channel)
        count = f"{len(of_channel):,} projections" if len(of_channel) > 1 else "1 projection"
        text = f"{count} of channel {channel}, such as {first}: left out because the channel has planes"
        problems.append(stray(text, files=len(of_channel)))
    return images, [image for of_channel in left.values() for image in of_channel], problems


def _mixed_plates(images: Sequence[ImageRef]) -> list[PlateProblem]:
    """Report images of several plates in one folder: the same well, site and so on with several prefixes."""
    if len({image.key for image in images}) == len(images):
        return []
    prefixes: defaultdict[ImageKey, set[str]] = defaultdict(set)
    for image in images:
        match = _NAME.fullmatch(os.path.basename(image.path))
        prefixes[image.key].add(((match and match["prefix"]) or "").casefold())
    mixed = sorted({prefix for found in prefixes.values() if len(found) > 1 for prefix in found})
    if not mixed:
        return []
    names = ", ".join(repr(name) for name in mixed[:_NAMED])
    more = f" and {len(mixed) - _NAMED} more" if len(mixed) > _NAMED else ""
    text = f"{len(mixed)} plates are mixed in one folder, with names that begin with {names}{more}"
    return [PlateProblem(ProblemKind.MIXED, f"{text}: put each plate into a folder of its own")]


def _stated_step(projections: Sequence[ImageRef]) -> float | None:
    """Return the distance between the planes of a projection, as stated in its metadata."""
    return tiff_notes(projections[0].path).z_step_um if projections else None
