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

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey, normal_well
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, ProblemKind, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.image_table import ImageTable, Rows
from openhcs_runtime.plates.imagexpress.htd import find_htd, read_htd
from openhcs_runtime.plates.imagexpress.repeats import without_repeats
from openhcs_runtime.plates.table_builder import TableBuilder
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
        for place, below in _places(folder):
            found.add(place, below)
        images, in_zsteps, projections, problems = _sort_out(found)
        if not images:
            form = "<prefix>_<well>_s<site>_w<channel>.tif"
            strays = f": none of its {len(problems)} TIFF files has a name of the form {form}"
            raise PlateError(f"no plate images in {folder.path}{strays if problems else ''}")
        metadata, unread = _metadata(folder.path)
        images, repeated = without_repeats(images, in_zsteps)
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


_PROJECTION, _UNNAMED, _IN_ZSTEP, _KINDS = 1, 2, 4, 8
"""Flags of an image: made of planes, without a channel in its name, in a ``ZStep`` folder with planes."""
_WELL_BEGINS = re.compile(r"(?:^|_)[A-Z]{1,2}\d", re.IGNORECASE)


class _Found:
    """The images found so far, and the files that are left out."""

    def __init__(self) -> None:
        self.images = TableBuilder()
        self.kinds = bytearray()
        """The kind of each image: a sum of flags."""
        self.problems: list[PlateProblem] = []

    def add(self, place: _Place, folder: Folder) -> None:
        """Add the TIFF files of a folder."""
        reading = _Reading(self.images, place)
        for start, names in folder.tiff_names.batches():
            if place.is_loose:
                self._leave_out(place, names)
                continue
            wells, rests = reading.codes(names)
            rows: Sequence[int] = range(start, start + len(names))
            if None in wells:
                self._leave_out(place, [name for name, well in zip(names, wells, strict=True) if well is None])
                rows = [row for row, well in zip(rows, wells, strict=True) if well is not None]
                names = [names[row - start] for row in rows]
            said = np.array([rest for rest in rests if rest is not None], np.uint32)
            known = np.array([well for well in wells if well is not None], np.uint32)
            self.images.extend(folder, rows, names, known, said // _KINDS)
            self.kinds += (said % _KINDS).astype(np.uint8).tobytes()

    def _leave_out(self, place: _Place, names: Iterable[str]) -> None:
        for name in names:
            reason = "is not an image of the plate: its name has no well"
            loose = "is left out: it is next to the folders of time points, not in one of them"
            self.problems.append(stray(f"{name} {loose if place.is_loose and _well_of(name) else reason}"))


class _Reading:
    """Reads the names of the files of a folder.

    Most are made of a beginning that they share, a well, and a rest that each well has. The regular expression reads
    the first name with a well and the first with a rest. It would read others with the same parts in the same way, as
    no well can begin before these or end elsewhere.
    """

    def __init__(self, table: TableBuilder, place: _Place) -> None:
        self._table, self._place = table, place
        self._head: str | None = None
        self._wells: dict[str, int] = {}
        self._rests: dict[str, int] = {}

    def codes(self, names: Sequence[str]) -> tuple[list[int | None], list[int | None]]:
        """Return the code of each well, None for a name without one, and for its rest what ``_code`` returns."""
        head = self._head or ""
        parts = [name[len(head) :].partition("_") for name in names]
        wells = [self._wells.get(well) for well, _, _ in parts]
        rests = [self._rests.get(rest) for _, _, rest in parts]
        alike = ("/" + "/".join(names)).count(f"/{head}") == len(names)
        if not alike or None in wells or None in rests:
            for at, name in enumerate(names):
                if wells[at] is None or rests[at] is None or not name.startswith(head):
                    wells[at], rests[at] = self._known(name) or self._read(name)
        return wells, rests

    def _known(self, name: str) -> tuple[int, int] | None:
        """Return what has been learnt from names before it in the same batch."""
        if self._head is None or not name.startswith(self._head):
            return None
        well, _, rest = name[len(self._head) :].partition("_")
        codes = self._wells.get(well), self._rests.get(rest)
        return None if codes[0] is None or codes[1] is None else (codes[0], codes[1])

    def _read(self, name: str) -> tuple[int, int] | tuple[None, None]:
        well, match = _well_of(name) or ("", None)
        if match is None:
            return None, None
        found = self._table.well(well), self._code(*match.group("site", "channel", "z"))
        head, rest = name[: match.start("well")], name[match.end("well") :]
        if self._head is None and not _WELL_BEGINS.search(head):
            self._head = head
        if head == self._head and rest.startswith("_"):
            self._wells[match["well"]], self._rests[rest[1:]] = found
        return found

    def _code(self, site: str | None, channel: str | None, z: str | None) -> int:
        """Return the code of a place times eight, plus the kind of its images."""
        step = self._place.z_step
        numbers = int(site or 1), int(channel or 1), int(z) if z else step or 1, self._place.timepoint
        kind = _PROJECTION if self._place.has_projections and not z else 0
        kind += (0 if channel else _UNNAMED) + (_IN_ZSTEP if step else 0)
        return self._table.place(numbers) * _KINDS + kind


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


def _places(folder: Folder) -> Iterator[tuple[_Place, Folder]]:
    """Yield the folders that have images."""
    own = _TIMEPOINT.fullmatch(folder.path.name)
    timepoints = [(name, int(match[1])) for name in folder.folders if (match := _TIMEPOINT.fullmatch(name))]
    for name, timepoint in timepoints:
        yield from _places_of_timepoint(folder.below(name), timepoint)
    if timepoints:
        yield _Place(is_loose=True), folder
    else:
        yield from _places_of_timepoint(folder, int(own[1]) if own else 1)


def _places_of_timepoint(folder: Folder, timepoint: int) -> Iterator[tuple[_Place, Folder]]:
    steps = [(name, int(match[1])) for name in folder.folders if (match := _ZSTEP.fullmatch(name))]
    for name, step in steps:
        yield _Place(timepoint, step, has_projections=step == 0), folder.below(name)
    yield _Place(timepoint, has_projections=any(step for _, step in steps)), folder


def _sort_out(found: _Found) -> tuple[ImageTable, NDArray[np.bool_], ImageTable, list[PlateProblem]]:
    """Return the images, which of them are in ``ZStep`` folders, the projections left out, and what to report."""
    table, kinds = found.images.table(), np.frombuffer(found.kinds, np.uint8)
    is_projection, is_named = (kinds & _PROJECTION) > 0, (kinds & _UNNAMED) == 0
    problems = list(found.problems)
    if is_named.any():
        for row in np.concatenate([np.flatnonzero(~is_named & one) for one in (~is_projection, is_projection)]):
            name = os.path.basename(table.columns.path(row))
            problems.append(stray(f"{name} has no channel in its name while other images have one"))
    taken = is_named if is_named.any() else ~is_named
    projections = np.flatnonzero(taken & is_projection)
    channel = table.channel_codes()
    is_left = np.isin(channel[projections], channel[~is_projection])
    rows = np.concatenate([np.flatnonzero(taken & ~is_projection), projections[~is_left]])
    left = projections[is_left]
    problems += _left_out(table, left)
    return table.take(rows), (kinds[rows] & _IN_ZSTEP) > 0, table.take(left), problems


def _left_out(table: ImageTable, projections: Rows) -> Iterator[PlateProblem]:
    """Yield one problem for the projections of each channel."""
    names: defaultdict[int, list[str]] = defaultdict(list)
    for row in projections:
        image = table[int(row)]
        names[image.key.channel].append(os.path.basename(image.path))
    for channel, of_channel in sorted(names.items()):
        count = f"{len(of_channel):,} projections" if len(of_channel) > 1 else "1 projection"
        text = f"{count} of channel {channel}, such as {min(of_channel)}: left out because the channel has planes"
        yield stray(text, files=len(of_channel))


def _mixed_plates(images: ImageTable) -> list[PlateProblem]:
    """Report images of several plates in one folder: the same well, site and so on with several prefixes."""
    prefixes: defaultdict[ImageKey, set[str]] = defaultdict(set)
    for row in images.doubles():
        image = images[int(row)]
        match = _NAME.fullmatch(os.path.basename(image.path))
        prefixes[image.key].add(((match and match["prefix"]) or "").casefold())
    mixed = sorted({prefix for found in prefixes.values() if len(found) > 1 for prefix in found})
    if not mixed:
        return []
    names = ", ".join(repr(name) for name in mixed[:_NAMED])
    more = f" and {len(mixed) - _NAMED} more" if len(mixed) > _NAMED else ""
    text = f"{len(mixed)} plates are mixed in one folder, with names that begin with {names}{more}"
    return [PlateProblem(ProblemKind.MIXED, f"{text}: put each plate into a folder of its own")]


def _stated_step(projections: ImageTable) -> float | None:
    """Return the distance between the planes of a projection, as stated in its metadata."""
    return tiff_notes(projections[0].path).z_step_um if projections else None
