"""Olympus ScanR measurements: ``data/B2--W00014--P00001--Z00000--T00000--DAPI.tif``.

The names contain the label of the well, its number row by row, the position (the site), plane and time point from 0,
and the channel. If the label is not the name of a well, the number is used, which needs the size of the plate. That,
pixel size, z step and time step are in ``experiment_descriptor.xml`` next to the folder ``data``, positions in
``AcquisitionLog.dat`` (see ``scanr.descriptor``). Newer versions write ``data/metadata.ome.xml`` (see
``ome_measurement``).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np

from openhcs_runtime.components import ImageKey, well_name, well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, ProblemKind, StagePosition, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.heights import Heights
from openhcs_runtime.plates.image_table import ImageTable, Numbers
from openhcs_runtime.plates.ome_measurement import Measurement, read_measurement
from openhcs_runtime.plates.said_names import NameReader, SaidNames
from openhcs_runtime.plates.scanr.descriptor import Descriptor, read_descriptor, read_positions
from openhcs_runtime.plates.times import Times
from openhcs_runtime.stores.path import AnyPath

_NAME = re.compile(
    r"(?P<label>.*?)--W(?P<well>\d{5})--P(?P<site>\d{5})--Z(?P<z>\d{5})--T(?P<t>\d{5})--(?P<channel>.+?)(?:\.ome)?\.tiff?",
    re.IGNORECASE | re.DOTALL,
)
_FORM = "B2--W00014--P00001--Z00000--T00000--DAPI"
_DATA, _DESCRIPTOR, _LOG, _OME = "data", "experiment_descriptor.xml", "AcquisitionLog.dat", "metadata.ome.xml"

_Read = TypeVar("_Read")
_Label: TypeAlias = tuple[str, int]
"""The label of a well, and its number."""
_Place: TypeAlias = tuple[int, int, int, str]
"""Site, and plane and time point from 0, and the name of the channel."""
_Files: TypeAlias = SaidNames[_Label, _Place]


class ScanR(PlateFormat):
    """Measurements of an Olympus ScanR."""

    name, title = "scanr", "Olympus ScanR"

    def fits(self, folder: Folder) -> Fit:
        """Return whether a folder, or its folder ``data``, has images named by a ScanR."""
        places = [folder, *(folder.below(name) for name in folder.folders if name.lower() == _DATA)]
        return Fit.CERTAIN if any(_NAME.fullmatch(name) for place in places for name in place.images) else Fit.NONE

    def find(self, folder: Folder) -> Listing:
        """List the images, and read the files that describe them."""
        problems: list[PlateProblem] = []
        place = next((folder.below(name) for name in folder.folders if name.lower() == _DATA), folder)
        data = place.path
        above = data.parent if data.name.lower() == _DATA else data
        said = _Said(
            _read(above / _DESCRIPTOR, read_descriptor, problems) or Descriptor(),
            _read(above / _LOG, read_positions, problems) or {},
            _read(data / _OME, read_measurement, problems) or Measurement(),
        )
        files = _named(place, problems)
        if not len(files):
            raise PlateError(f"no images in {data} (expected TIFF files named {_FORM}.tif)")
        names = _Names.of(files, said)
        images = _images(files, names, problems)
        if not images:
            reason = next(iter(names.unknown.values()), "")
            remedy = f"copy {_DESCRIPTOR} of the measurement next to the folder {_DATA}"
            raise PlateError(f"no images in {data}: none can be placed, such as {files.name(0)}: {reason} ({remedy})")
        return Listing(images, problems, _metadata(said, names))


@dataclass(frozen=True, slots=True)
class _Said:
    """What the files of a measurement say."""

    descriptor: Descriptor
    log: Mapping[tuple[int, int], StagePosition]
    ome: Measurement


@dataclass(frozen=True, slots=True)
class _Names:
    """The meanings of the labels, numbers and channels in file names.

    Attributes:
        wells: Wells by number.
        channels: Channels by name.
        unknown: Why wells have no names.
    """

    wells: Mapping[int, str]
    channels: Mapping[str, int]
    unknown: Mapping[int, str]

    @classmethod
    def of(cls, files: _Files, said: _Said) -> "_Names":
        """Return what the names of some files mean, with what else is stated."""
        wells: dict[int, str] = {}
        unknown: dict[int, str] = {}
        labels = dict.fromkeys((number for _, number in files.wells), "")
        codes, from_end = np.unique(files.well[::-1], return_index=True)
        labels |= {number: label for label, number in (files.wells[code] for code in codes[np.argsort(-from_end)])}
        labels |= {int(match["well"]): match["label"] for match in _matches(said.ome)}
        for number, label in labels.items():
            try:
                wells[number] = _well(label, number, said.descriptor.shape)
            except ValueError as error:
                unknown[number] = str(error)
        found = {place[-1] for place in files.places}
        stated = [channel.name for channel in said.ome.channels] or list(said.descriptor.names)
        ordered = dict.fromkeys([*(name for name in stated if name in found), *sorted(found)])
        return cls(wells, {name: n for n, name in enumerate(ordered, start=1)}, unknown)

    def key(self, match: re.Match[str]) -> ImageKey | None:
        """Return what a file shows; None if its well or channel is not known."""
        well, channel = self.wells.get(int(match["well"])), self.channels.get(match["channel"])
        if well is None or channel is None:
            return None
        return ImageKey(well, int(match["site"]), channel, int(match["z"]) + 1, int(match["t"]) + 1)


def _read(path: AnyPath, reader: Callable[[AnyPath], _Read], problems: list[PlateProblem]) -> _Read | None:
    """Read a file if it is there, and report it if it can't be understood."""
    if not path.is_file():
        return None
    try:
        return reader(path)
    except (ValueError, OSError) as error:
        text = f"{path.name} can't be understood: {error}; it is not used"
        problems.append(PlateProblem(ProblemKind.METADATA, text))
        return None


def _named(data: Folder, problems: list[PlateProblem]) -> _Files:
    reader: NameReader[_Label, _Place] = NameReader()

    def said_by(name: str) -> tuple[_Label, _Place] | None:
        match = _NAME.fullmatch(name)
        if match is None:
            problems.append(stray(f"{name} is not an image of the plate: its name is not of the form {_FORM}"))
            return None
        label, well, site, z, timepoint, channel = match.groups()
        return (label, int(well)), (int(site), int(z), int(timepoint), channel)

    reader.read(data, said_by)
    return reader.said()


def _well(label: str, number: int, shape: tuple[int, int] | None) -> str:
    """Return the name of a well from its label, or from its number.

    Raises:
        ValueError: If neither is enough.
    """
    try:
        return well_name(*well_position(label.strip()))
    except ValueError:
        pass
    if shape is None:
        raise ValueError(f"its well has only a number, and there is no {_DESCRIPTOR} that states the size of the plate")
    if not 1 <= number <= shape[0] * shape[1]:
        raise ValueError(f"a plate of {shape[0]} x {shape[1]} wells has no well {number}")
    return well_name(*divmod(number - 1, shape[1]))


def _images(files: _Files, names: _Names, problems: list[PlateProblem]) -> ImageTable:
    is_known = files.of_wells(lambda said: said[1] in names.wells)
    left: defaultdict[str, list[str]] = defaultdict(list)
    for at in np.flatnonzero(~is_known).tolist():
        left[names.unknown[files.wells[files.well[at]][1]]].append(files.name(at))
    for reason, unplaced in left.items():
        what = f"{len(unplaced):,} images, such as {min(unplaced)}, are" if len(unplaced) > 1 else f"{unplaced[0]} is"
        problems.append(stray(f"{what} left out: {reason}", files=len(unplaced)))

    def numbers_of(said: _Place) -> Numbers:
        site, z, timepoint, channel = said
        return site, names.channels[channel], z + 1, timepoint + 1

    return files.take(is_known).table(lambda said: names.wells[said[1]], numbers_of)


def _matches(ome: Measurement) -> Iterable[re.Match[str]]:
    return (match for plane in ome.planes if (match := _NAME.fullmatch(plane.file)))


def _metadata(said: _Said, names: _Names) -> Metadata:
    planned: defaultdict[str, list[ImageKey]] = defaultdict(list)
    positions: dict[tuple[str, int], StagePosition] = {}
    heights, times = Heights(), Times()
    for plane in said.ome.planes:
        match = _NAME.fullmatch(plane.file)
        key = names.key(match) if match else None
        if key is None:
            continue
        planned[key.well].append(key)
        heights.add(key, plane.z_um)
        times.add(key, plane.time_s)
        if plane.position is not None:
            positions.setdefault((key.well, key.site), plane.position)
    for (number, site), position in said.log.items():
        if number in names.wells:
            positions.setdefault((names.wells[number], site), position)
    waves = {names.channels[one.name]: one for one in said.ome.channels if one.name in names.channels}
    return Metadata(
        source=_OME,
        planned={well: tuple(keys) for well, keys in planned.items()},
        channel_names={number: name for name, number in names.channels.items()},
        excitation_nm={n: one.excitation_nm for n, one in waves.items() if one.excitation_nm},
        emission_nm={n: one.emission_nm for n, one in waves.items() if one.emission_nm},
        positions=positions,
        pixel_size_um=said.ome.pixel_size_um or said.descriptor.pixel_size_um,
        z_step_um=heights.step() or said.descriptor.z_step_um or said.ome.z_step_um,
        time_step_s=times.step() or said.descriptor.time_step_s or said.ome.time_step_s,
        shape=said.descriptor.shape or said.ome.shape,
    )
