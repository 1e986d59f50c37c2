"""Acquisitions of a Squid microscope: ``0/B02_0_3_Fluorescence_488_nm_Ex.tiff``.

The folders are numbered by time point; the parts of a name are the well, the field, the plane and the channel, all
counted from 0. Next to the folders, ``acquisition parameters.json`` has what the size of pixels and the steps of z and
time follow from; in them, ``coordinates.csv`` has the positions that were taken. (Another ``coordinates.csv`` next to
the folders has the plan, without the numbers of fields; it is not read.)
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, StagePosition
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata
from openhcs_runtime.plates.image_table import ImageTable
from openhcs_runtime.plates.named.named_format import NamedFormat, not_understood
from openhcs_runtime.plates.named.naming import Naming, Value
from openhcs_runtime.plates.named.sidecars import number, object_of, positive, read_json, text_of
from openhcs_runtime.stores.path import AnyPath, as_path

__all__ = ["Squid"]

_PARAMETERS = "acquisition parameters.json"
_COORDINATES = "coordinates.csv"
_OWN_CHANNEL = re.compile(r"Fluorescence_\d+_nm_Ex|BF_LED_.+")
_EXCITATION = re.compile(r"(\d{3}) nm")
_REGION = re.compile(r"R\d+_")


class Squid(NamedFormat):
    """Acquisitions of a Squid microscope over wells."""

    name, title = "squid", "Squid"
    signs = MappingProxyType(
        {"<well>": r"(?:^|/)[A-Z]{1,2}\d{1,2}_", "_<field>_<z>": r"_\d+_\d+_", "_<channel>": r"_[A-Za-z][^/]*\."}
    )
    naming = Naming(
        form="<well>_<field>_<z>_<channel>.tiff",
        names=tuple(
            re.compile(rf"{time}(?P<well>[A-Z]{{1,2}}\d{{1,2}})_(?P<site>\d+)_(?P<z_index>\d+)_(?P<channel>[A-Za-z].*)")
            for time in (r"(?P<timepoint>\d+)/", "")
        ),
        folders=re.compile(r"\d{1,6}"),
        from_0=frozenset({Component.SITE, Component.Z_INDEX, Component.TIMEPOINT}),
    )

    def certainty(self, folder: Folder, path: str) -> Fit:
        """Return that it is certain if the parameters are there, or the channel is named as Squid names it."""
        match = self.naming.match(path)
        own = match is not None and _OWN_CHANNEL.fullmatch(match["channel"])
        return Fit.CERTAIN if own or _beside(folder.path, _PARAMETERS) else Fit.NAMES

    def find(self, folder: Folder) -> Listing:
        """List the images, and read the metadata next to them.

        Raises:
            PlateError: If there are none, or it was an acquisition of regions, R0, R1 ..., which are not wells.
        """
        listing = super().find(folder)
        if any(problem.message.rpartition("/")[2].startswith("R0_") for problem in listing.problems):
            images = list(listing.images)
            if all(_REGION.match(as_path(image.path).name) for image in images):
                raise PlateError(f"{folder.path} has images of regions (R0, R1 ...), not of wells: use --pattern")
        return listing

    def channel_names(self, channels: Mapping[Value, int]) -> dict[int, str]:
        """Return the names with spaces, as in Squid."""
        return {number: value[0].replace("_", " ") for value, number in channels.items()}

    def add_metadata(
        self,
        folder: Folder,
        metadata: Metadata,
        images: ImageTable,
        numbers: Mapping[Component, Mapping[Value, int]],
    ) -> tuple[Metadata, list[PlateProblem]]:
        """Add wavelengths from the names, sizes from the parameters and positions from the coordinates."""
        waves = {channel: _EXCITATION.search(name) for channel, name in metadata.channel_names.items()}
        metadata = replace(metadata, excitation_nm={n: float(match[1]) for n, match in waves.items() if match})
        problems = []
        if parameters := _beside(folder.path, _PARAMETERS):
            try:
                metadata = _with_parameters(metadata, read_json(parameters))
            except ValueError as error:
                problems.append(not_understood(parameters.name, error))
        times = np.array([place[3] for place in images.columns.places])
        path = as_path(images.columns.path(int(times[images.columns.place].argmin()))).parent / _COORDINATES
        if path.is_file():
            try:
                metadata = replace(metadata, positions=_positions(text_of(path)))
            except (ValueError, csv.Error) as error:
                problems.append(not_understood(path.name, error))
        return metadata, problems


def _beside(folder: AnyPath, name: str) -> AnyPath | None:
    """Return the file in a folder or, for the folder of a time point, next to it."""
    places = [folder, folder.parent] if folder.name.isdecimal() else [folder]
    return next((place / name for place in places if (place / name).is_file()), None)


def _with_parameters(metadata: Metadata, said: Mapping[str, object]) -> Metadata:
    return replace(
        metadata,
        pixel_size_um=_pixel_size(said),
        z_step_um=positive(said.get("dz(um)")),
        time_step_s=positive(said.get("dt(s)")),
    )


def _pixel_size(said: Mapping[str, object]) -> float | None:
    """Return the size of a (binned) pixel of the sensor, divided by the magnification with the tube lens in use."""
    objective = object_of(said, "objective")
    sensor, power = positive(said.get("sensor_pixel_size_um")), positive(objective.get("magnification"))
    designed, built_in = positive(objective.get("tube_lens_f_mm")), positive(said.get("tube_lens_mm"))
    if sensor is None or power is None or designed is None or built_in is None:
        return None
    return round(sensor * designed / power / built_in, 6)


def _positions(text: str) -> dict[tuple[str, int], StagePosition]:
    """Return the first position of each field.

    Raises:
        ValueError: If columns are missing.
    """
    rows = csv.DictReader(text.splitlines())
    wanted = ("region", "fov", "x (mm)", "y (mm)")
    if lacking := [name for name in wanted if name not in (rows.fieldnames or ())]:
        raise ValueError(f"it has no column {lacking[0]!r}")
    found: dict[tuple[str, int], StagePosition] = {}
    for row in rows:
        try:
            well, site = Squid.naming.well_of(row["region"]), int(row["fov"]) + 1
        except (ValueError, TypeError):
            continue
        x, y = number(row["x (mm)"]), number(row["y (mm)"])
        if x is not None and y is not None:
            found.setdefault((well, site), StagePosition(round(y * 1000, 6), round(x * 1000, 6)))
    return found
