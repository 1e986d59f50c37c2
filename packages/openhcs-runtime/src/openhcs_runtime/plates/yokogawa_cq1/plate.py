"""Yokogawa CQ1 measurements: ``W0018F0001T0001Z001C1.tif``.

The names contain well, field (the site), time point, plane and channel; plane 0 is a projection. Wells are numbered
row by row, so the size of the plate is needed to name them. It is in ``MeasurementResult.ome.xml`` (see
``ome_measurement``). The images are next to that file or in its folder ``Image``.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from openhcs_runtime.components import ImageKey, well_name
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, StagePosition, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.heights import Heights
from openhcs_runtime.plates.ome_measurement import Measurement, read_measurement
from openhcs_runtime.plates.projections import without_projections
from openhcs_runtime.plates.table_builder import TableBuilder
from openhcs_runtime.plates.times import Times
from openhcs_runtime.stores.path import AnyPath

_NAME = re.compile(
    r"W(?P<well>\d{4})F(?P<site>\d{4,5})T(?P<t>\d{4,5})Z(?P<z>\d{3,4})C(?P<channel>\d{1,2})\.tiff?", re.IGNORECASE
)
_RESULT, _ENDING = "MeasurementResult.ome.xml", ".ome.xml"
_IMAGES = "Image"


class YokogawaCQ1(PlateFormat):
    """Measurements of a CQ1."""

    name, title = "yokogawa_cq1", "Yokogawa CQ1"

    def fits(self, folder: Folder) -> Fit:
        """Return whether a folder, or its folder ``Image``, has images named by a CQ1."""
        places = [folder, folder.below(_IMAGES)] if _IMAGES in folder.folders else [folder]
        named = any(_NAME.fullmatch(name) for place in places for name in place.images)
        return Fit.CERTAIN if named and not folder.named(".mlf") else Fit.NONE

    def find(self, folder: Folder) -> Listing:
        """List the images, and read the OME-XML of the measurement."""
        problems: list[PlateProblem] = []
        places = [folder, *([folder.below(_IMAGES)] if _IMAGES in folder.folders else [])]
        if not any(_NAME.fullmatch(name) for place in places for name in place.tiff_names):
            raise PlateError(f"no images in {folder.path} (expected TIFF files named W0018F0001T0001Z001C1.tif)")
        path = _result_file(folder)
        result = _read(path)
        plate = _Plate.of(result, path, folder)
        names = _Names(plate, problems)
        for place in places:
            names.images.read(place, names.code)
        kept, left_out = without_projections(names.images.table())
        return Listing(kept, [*problems, *left_out], _metadata(result, plate, path.name if path else ""))


@dataclass(frozen=True, slots=True)
class _Plate:
    """The places of the wells of a plate.

    Attributes:
        shape: Numbers of rows and columns.
        wells: Wells by their number, as stated; others are counted row by row.
    """

    shape: tuple[int, int]
    wells: Mapping[int, str]

    @classmethod
    def of(cls, result: Measurement, path: AnyPath | None, folder: Folder) -> "_Plate":
        """Return the plate of a measurement.

        Raises:
            PlateError: If its size is not known.
        """
        if result.shape is None:
            what = f"{path.name} does not state" if path else f"there is no {_RESULT} that states"
            raise PlateError(
                f"the images in {folder.path} are numbered by well (such as W0018), and {what} the size of the plate: "
                f"copy {_RESULT} of the measurement into the folder"
            )
        matches = ((_NAME.fullmatch(plane.file), plane.well) for plane in result.planes)
        return cls(result.shape, {int(match["well"]): well for match, well in matches if match})

    def key(self, match: re.Match[str]) -> ImageKey:
        """Return what a file shows.

        Raises:
            ValueError: If the plate has no such well.
        """
        number, (rows, columns) = int(match["well"]), self.shape
        well = self.wells.get(number)
        if well is None:
            if not 1 <= number <= rows * columns:
                raise ValueError(f"a plate of {rows} x {columns} wells has no well {number}")
            well = well_name(*divmod(number - 1, columns))
        site, channel, z, timepoint = (int(match[group]) for group in ("site", "channel", "z", "t"))
        return ImageKey(well, site, channel, z, timepoint)


def _result_file(folder: Folder) -> AnyPath | None:
    """Return the OME-XML of the measurement; those of projections have longer names.

    For the folder ``Image``, it is in the folder above.
    """
    above = [Folder(folder.path.parent)] if folder.path.name == _IMAGES else []
    for place in (folder, *above):
        names = [name for name in place.named(".xml") if name.lower().endswith(_ENDING)]
        if names:
            return place.path / (_RESULT if _RESULT in names else min(names, key=lambda name: (len(name), name)))
    return None


def _read(path: AnyPath | None) -> Measurement:
    if path is None:
        return Measurement()
    try:
        return read_measurement(path)
    except (ValueError, OSError) as error:
        raise PlateError(
            f"{path.name} can't be understood: {error}; the size of the plate is in it, which the numbers of the wells "
            "need: export or copy it again"
        ) from error


class _Names:
    """Reads the names of images, and reports those of other files."""

    def __init__(self, plate: _Plate, problems: list[PlateProblem]) -> None:
        self.images = TableBuilder()
        self._plate, self._problems = plate, problems

    def code(self, name: str) -> tuple[int, int] | None:
        """Return the codes of well and other components in the table for a name."""
        match = _NAME.fullmatch(name)
        if match is None:
            reason = "its name is not of the form W0018F0001T0001Z001C1"
        else:
            try:
                key = self._plate.key(match)
                place = self.images.place((key.site, key.channel, key.z_index, key.timepoint))
                return self.images.well(key.well), place
            except ValueError as error:
                reason = str(error)
        self._problems.append(stray(f"{name} is not an image of the plate: {reason}"))
        return None


def _metadata(result: Measurement, plate: _Plate, source: str) -> Metadata:
    planned: defaultdict[str, list[ImageKey]] = defaultdict(list)
    positions: dict[tuple[str, int], StagePosition] = {}
    channels: dict[int, int] = {}
    heights, times = Heights(), Times()
    for plane in result.planes:
        match = _NAME.fullmatch(plane.file)
        if match is None:
            continue
        key = plate.key(match)
        channels.setdefault(key.channel, plane.channel)
        if plane.position is not None:
            positions.setdefault((key.well, key.site), plane.position)
        if key.z_index:
            planned[key.well].append(key)
            heights.add(key, plane.z_um)
            times.add(key, plane.time_s)
    known = {n: result.channels[index] for n, index in sorted(channels.items()) if index < len(result.channels)}
    return Metadata(
        source=source,
        planned={well: tuple(keys) for well, keys in planned.items()},
        channel_names={n: channel.name for n, channel in known.items() if channel.name},
        excitation_nm={n: channel.excitation_nm for n, channel in known.items() if channel.excitation_nm},
        emission_nm={n: channel.emission_nm for n, channel in known.items() if channel.emission_nm},
        positions=positions,
        pixel_size_um=result.pixel_size_um,
        z_step_um=heights.step() or result.z_step_um,
        time_step_s=times.step() or result.time_step_s,
        shape=result.shape,
    )
