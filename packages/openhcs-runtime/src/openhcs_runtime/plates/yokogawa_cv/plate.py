"""Yokogawa CV7000 and CV8000 measurements: ``<plate>_D08_T0001F001L01A01Z01C01.tif``.

The names contain well, time point (T), field (F, the site), timeline (L), action (A), plane (Z) and channel (C).
``MeasurementData.mlf`` in the same folder lists the images with their positions, ``MeasurementDetail.mrf`` and the
``.mes`` file have the rest. Images whose names start with ``SC_`` or ``DC_`` are references for the shading and the
dark correction. The images may also be in a folder ``Image`` next to these files, or in the folders that the list
names. A CQ3K writes the same files, but names its images like a CQ1; they are known from the list only.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias, TypeVar

from msgspec import structs

from openhcs_runtime.components import ImageKey, well_name, well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, ProblemKind, StagePosition, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.heights import Heights
from openhcs_runtime.plates.lengths import agreed_length, one_length
from openhcs_runtime.plates.projections import without_projections
from openhcs_runtime.plates.tiff.files import Entry, image_of, tiff_files
from openhcs_runtime.plates.times import Times
from openhcs_runtime.plates.well_ranges import well_ranges
from openhcs_runtime.plates.yokogawa_cv.origins import Channels
from openhcs_runtime.plates.yokogawa_cv.records import Origin, Record, Records, read_records
from openhcs_runtime.plates.yokogawa_cv.settings import Channel, Detail, read_channels, read_detail
from openhcs_runtime.stores.path import AnyPath

_NAME = re.compile(
    r"(?:.*_)?(?P<well>[A-Z]{1,2}\d{2})_"
    r"T(?P<t>\d{1,6})F(?P<f>\d{1,6})L(?P<l>\d{1,6})A(?P<a>\d{1,6})Z(?P<z>\d{1,6})C(?P<c>\d{1,6})\.tiff?",
    re.IGNORECASE | re.DOTALL,
)
_REFERENCE = re.compile(r"[SD]C_.*\.tiff?", re.IGNORECASE | re.DOTALL)
_DATA, _DETAIL = "MeasurementData.mlf", "MeasurementDetail.mrf"
_IMAGE_FOLDERS = ("Image", "Images")
_FORM = "<plate>_D08_T0001F001L01A01Z01C01"

_Read = TypeVar("_Read")
_File: TypeAlias = tuple[Entry, str]


class YokogawaCV(PlateFormat):
    """Measurements of CV7000 and CV8000."""

    name, title = "yokogawa_cv", "Yokogawa CV7000/CV8000"

    def fits(self, folder: Folder) -> Fit:
        """Return whether a folder has images named by a CellVoyager, or its list of images."""
        names = any(map(_NAME.fullmatch, folder.images)) or _DATA in folder.named(".mlf")
        return Fit.CERTAIN if names else Fit.NONE

    def find(self, folder: Folder) -> Listing:
        """List the images, and read the files that describe them."""
        problems: list[PlateProblem] = []
        records = _read(folder, _DATA, read_records, problems) or Records()
        detail = _read(folder, _DETAIL, read_detail, problems) or Detail()
        settings = _settings_name(folder, detail)
        channels = _read(folder, settings, read_channels, problems) or {}
        images, said = _images(_files(folder, records), records, detail, problems)
        if not images:
            raise PlateError(
                f"no images in {folder.path} (expected TIFF files named <plate>_D08_T0001F001L01A01Z01C01.tif): "
                f"copy the images into the folder of {_DATA}"
            )
        numbers = Channels([*said.values(), *(record for name, record in records.images.items() if name not in said)])
        kept, left_out = without_projections(_reference(file, said, numbers) for file in images)
        problems += [*left_out, *_errors(records), *_added(numbers)]
        return Listing(kept, problems, _metadata(records, detail, channels, numbers, problems))


def _read(folder: Folder, name: str, reader: Callable[[AnyPath], _Read], problems: list[PlateProblem]) -> _Read | None:
    """Read a file if it is there, and report it if it can't be understood."""
    if not name or not folder.has(name):
        return None
    try:
        return reader(folder.path / name)
    except (ValueError, OSError) as error:
        problems.append(PlateProblem(ProblemKind.METADATA, f"{name} can't be understood: {error}; it is not used"))
        return None


def _settings_name(folder: Folder, detail: Detail) -> str:
    """Return the name of the ``.mes`` file: the one that the measurement names, otherwise the only one."""
    names = folder.named(".mes")
    name = os.path.basename(detail.settings.replace("\\", "/"))
    return name if name in names else names[0] if len(names) == 1 else ""


def _files(folder: Folder, records: Records) -> Iterator[_File]:
    """Yield the TIFF files, with their paths as in the list of images."""
    yield from ((entry, entry.name) for entry in tiff_files(folder.path))
    listed = {path.partition("/")[0] for path in records.images if path.count("/") == 1}
    for name in folder.folders:
        if name in _IMAGE_FOLDERS or name in listed:
            for entry in tiff_files(folder.path / name):
                path = f"{name}/{entry.name}"
                yield entry, path if path in records.images else entry.name


def _images(
    files: Iterable[_File], records: Records, detail: Detail, problems: list[PlateProblem]
) -> tuple[list[_File], dict[str, Record]]:
    """Return the images and what is known about each of them, and report the files that are not images."""
    images, said = [], {}
    references, unlisted = [], []
    for entry, path in files:
        record = records.images.get(path) or _from_name(entry.name)
        if record is not None:
            images.append((entry, path))
            said[path] = record
            if records.images and path not in records.images:
                unlisted.append(entry.name)
        elif entry.name in detail.shading or _REFERENCE.fullmatch(entry.name):
            references.append(entry.name)
        else:
            problems.append(stray(f"{entry.name} is not an image of the plate: its name is not of the form {_FORM}"))
    if references:
        what = f"{len(references)} images" if len(references) > 1 else "1 image"
        text = f"{what} for shading or dark correction, such as {min(references)}: not of the plate"
        problems.append(stray(text, files=len(references)))
    if unlisted:
        what = f"{len(unlisted):,} images, such as {min(unlisted)}, are" if len(unlisted) > 1 else f"{unlisted[0]} is"
        problems.append(PlateProblem(ProblemKind.NOTE, f"{what} not listed in {_DATA}; the name is used"))
    return images, said


def _from_name(name: str) -> Record | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        well = well_name(*well_position(match["well"]))
    except ValueError:
        return None
    site, channel, z, timepoint = (int(match[group]) for group in "fczt")
    return Record(ImageKey(well, site, channel, z, timepoint), Origin(int(match["l"]), int(match["a"])))


def _reference(file: _File, said: Mapping[str, Record], numbers: Channels) -> ImageRef:
    """Return the reference to an image; projections have z 0."""
    entry, path = file
    record = said[path]
    key = numbers.key(record)
    return image_of(entry, structs.replace(key, z_index=0) if record.is_projection else key)


def _errors(records: Records) -> list[PlateProblem]:
    """Return one problem for the errors of the microscope: images of these wells may be missing."""
    if not records.errors:
        return []
    wells = sorted(filter(None, records.errors), key=well_position)
    count = f"{records.error_count:,} errors" if records.error_count > 1 else "1 error"
    where = f" in well(s) {well_ranges(wells)}" if wells else ""
    text = f"{_DATA} reports {count}{where}, such as: {next(iter(records.errors.values()))}"
    return [PlateProblem(ProblemKind.NOTE, text, wells[0] if len(wells) == 1 else "")]


def _added(numbers: Channels) -> list[PlateProblem]:
    """Say which channels were divided, because several actions have taken the same images of them."""
    return [
        PlateProblem(
            ProblemKind.NOTE,
            f"channel {number} is channel {channel} as taken by action {origin.action} of timeline {origin.timeline}, "
            "which takes the same planes again",
        )
        for number, (channel, origin) in numbers.added.items()
    ]


def _metadata(
    records: Records,
    detail: Detail,
    channels: Mapping[int, Channel],
    numbers: Channels,
    problems: list[PlateProblem],
) -> Metadata:
    planned: defaultdict[str, list[ImageKey]] = defaultdict(list)
    positions: dict[tuple[str, int], StagePosition] = {}
    heights, times = Heights(), Times()
    for record in records.images.values():
        key = numbers.key(record)
        if record.position is not None:
            positions.setdefault((key.well, key.site), record.position)
        if not record.is_projection:
            planned[key.well].append(key)
            heights.add(key, record.z_um)
            times.add(key, record.time_s)
    of_channel = {number: channel for number, (channel, _) in numbers.added.items()}
    known = {
        number: channels[of_channel.get(number, number)]
        for number in sorted(numbers.taken)
        if of_channel.get(number, number) in channels
    }
    return Metadata(
        source=_DATA,
        planned={well: tuple(keys) for well, keys in planned.items()},
        channel_names={number: _name(number, channel, numbers) for number, channel in known.items() if channel.name},
        excitation_nm={n: channel.excitation_nm for n, channel in known.items() if channel.excitation_nm},
        emission_nm={n: channel.emission_nm for n, channel in known.items() if channel.emission_nm},
        positions=positions,
        pixel_size_um=_pixel_size(records, detail, problems),
        z_step_um=heights.step(),
        time_step_s=times.step(),
        shape=detail.shape,
    )


def _name(number: int, channel: Channel, numbers: Channels) -> str:
    if number not in numbers.added:
        return channel.name
    _, origin = numbers.added[number]
    return f"{channel.name} (timeline {origin.timeline}, action {origin.action})"


def _pixel_size(records: Records, detail: Detail, problems: list[PlateProblem]) -> float | None:
    """Return the edge length of a pixel that all channels with images have."""
    taken = {record.key.channel for record in records.images.values()} or set(detail.pixel_sizes)
    sizes = {channel: size for channel, size in sorted(detail.pixel_sizes.items()) if channel in taken}
    if not sizes:
        return None
    edges = [one_length(*size) for size in sizes.values()]
    agreed = agreed_length(edges)
    if agreed is None or None in edges or agreed <= 0:
        text = ", ".join(f"channel {channel} {x:g} x {y:g} um" for channel, (x, y) in sizes.items())
        message = f"{_DETAIL} states pixel sizes that differ or are not positive ({text}); the pixel size is unknown"
        problems.append(PlateProblem(ProblemKind.METADATA, message))
        return None
    return round(agreed, 6)
