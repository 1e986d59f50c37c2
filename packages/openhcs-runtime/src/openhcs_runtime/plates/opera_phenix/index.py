"""Harmony's ``Index.xml``: images of a measurement, pixel size, plane distance, channel names and positions.

Harmony 4 writes all information about an image into its own element; Harmony 5 and later put what the images of a
channel share into ``Maps/Map/Entry``. The namespace contains the version (such as ``.../HarmonyV5``) and is ignored
here. Lengths are in metres; the position of a field is its centre relative to the centre of the well, with y
pointing up. ``PositionZ`` is the height of a plane above the well bottom, ``AbsPositionZ`` that of the objective. A
wavelength of 0 means that there is none.
"""

import math
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.format import Metadata
from openhcs_runtime.plates.heights import Heights
from openhcs_runtime.plates.lengths import one_length
from openhcs_runtime.plates.times import Times
from openhcs_runtime.plates.units import micrometres
from openhcs_runtime.plates.xml import children, elements, local_name, number, text_of, whole_number
from openhcs_runtime.stores.path import AnyPath

_SIZES = ("ImageResolutionX", "ImageResolutionY")
_HEIGHTS = ("PositionZ", "AbsPositionZ")
_WAVELENGTHS = ("MainExcitationWavelength", "MainEmissionWavelength")


@dataclass(frozen=True, slots=True)
class Index:
    """What an index file says.

    Attributes:
        metadata: What it says of the plate.
        profiles: The texts of the flat-field profiles of channels.
        wrong_size: Why its pixel size can't be used; empty if it can, or if there is none.
    """

    metadata: Metadata
    profiles: Mapping[int, str]
    wrong_size: str


def read_index(path: AnyPath, key_of: Callable[[str], ImageKey | None]) -> Index:
    """Read an index file.

    Args:
        path: The index file.
        key_of: Returns the image key of a file name in the index; None if it is not an image.

    Returns:
        What it says.

    Raises:
        ValueError: If the file is not XML, or a number in it is invalid.
        OSError: If it can't be read.
    """
    reading = _Reading(key_of)
    for element in elements(path, "Entry", "Image", "Plate"):
        reading.take(element)
    return Index(reading.metadata(path.name), reading.profiles, reading.wrong_size)


class _Reading:
    """What has been read of an index."""

    def __init__(self, key_of: Callable[[str], ImageKey | None]) -> None:
        self._key_of = key_of
        self._planned: defaultdict[str, list[ImageKey]] = defaultdict(list)
        self._positions: dict[tuple[str, int], StagePosition] = {}
        self._heights = {name: Heights() for name in _HEIGHTS}
        self._times = Times()
        self._names: dict[int, str] = {}
        self._waves: dict[str, dict[int, float]] = {name: {} for name in _WAVELENGTHS}
        self._sizes: list[float] = []
        self._wrong_size = ""
        self._shape: tuple[int, int] | None = None
        self.profiles: dict[int, str] = {}

    def take(self, element: ET.Element) -> None:
        """Take what an element says: the plate, an image, or what the images of a channel share."""
        fields = children(element)
        if local_name(element.tag) == "Plate":
            counts = text_of(fields.get("PlateRows")), text_of(fields.get("PlateColumns"))
            self._shape = (whole_number(counts[0]), whole_number(counts[1])) if all(counts) else None
            return
        for name in _SIZES:
            self._take_size(name, fields.get(name))
        if channel := element.get("ChannelID") or text_of(fields.get("ChannelID")):
            self._take_channel(whole_number(channel), fields)
        key = self._key_of(text_of(fields.get("URL")))
        if key is not None:
            self._take_image(key, fields)

    def metadata(self, source: str) -> Metadata:
        """Return what the index says as a whole."""
        steps = (self._heights[name].step() for name in _HEIGHTS)
        return Metadata(
            source=source,
            planned={well: tuple(keys) for well, keys in self._planned.items()},
            channel_names=dict(sorted(self._names.items())),
            excitation_nm=dict(sorted(self._waves["MainExcitationWavelength"].items())),
            emission_nm=dict(sorted(self._waves["MainEmissionWavelength"].items())),
            positions=self._positions,
            pixel_size_um=None if self.wrong_size or not self._sizes else round(self._sizes[0], 6),
            z_step_um=next((step for step in steps if step is not None), None),
            time_step_s=self._times.step(),
            shape=self._shape,
        )

    @property
    def wrong_size(self) -> str:
        """Why the pixel size can't be used; empty if it can, or if there is none."""
        if self._wrong_size or all(one_length(self._sizes[0], size) for size in self._sizes):
            return self._wrong_size
        return f"sizes of {min(self._sizes):g} and {max(self._sizes):g} um are stated"

    def _take_size(self, name: str, element: ET.Element | None) -> None:
        size = _length(element)
        if size is not None and 0 < size < math.inf:
            self._sizes.append(size)
        elif element is not None and text_of(element) and not self._wrong_size:
            text, unit = text_of(element), element.get("Unit", "m")
            self._wrong_size = f"the unit of {name} is {unit!r}" if size is None else f"{name} is {text}"

    def _take_channel(self, channel: int, fields: Mapping[str, ET.Element]) -> None:
        if name := text_of(fields.get("ChannelName")):
            self._names.setdefault(channel, name)
        if profile := text_of(fields.get("FlatfieldProfile")):
            self.profiles[channel] = profile
        for name in _WAVELENGTHS:
            if channel not in self._waves[name] and (length := _length(fields.get(name), "nm")):
                self._waves[name][channel] = round(length * 1000, 3)

    def _take_image(self, key: ImageKey, fields: Mapping[str, ET.Element]) -> None:
        self._planned[key.well].append(key)
        for name in _HEIGHTS:
            self._heights[name].add(key, _length(fields.get(name)))
        self._times.add(key, _seconds(fields.get("MeasurementTimeOffset")))
        y, x = _length(fields.get("PositionY")), _length(fields.get("PositionX"))
        if (key.well, key.site) not in self._positions and y is not None and x is not None:
            self._positions[key.well, key.site] = StagePosition(-y if y else 0.0, x)


def _length(element: ET.Element | None, unit: str = "m") -> float | None:
    """Return a length in micrometres; None if it is missing or its unit is unknown."""
    text = text_of(element)
    if element is None or not text:
        return None
    factor = micrometres(element.get("Unit", unit))
    return number(text) * factor if factor else None


def _seconds(element: ET.Element | None) -> float | None:
    """Return a time in seconds; None if it is missing or has another unit."""
    text = text_of(element)
    return number(text) if element is not None and text and element.get("Unit", "s") == "s" else None
