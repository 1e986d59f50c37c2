"""OME-XML that an instrument writes for a whole measurement, next to images of one plane each.

It has an image for each field with its channels, for each plane the name of its file (``TiffData/UUID``), its stage
position and its time, and perhaps the plate with its wells. Unlike in OME-XML of other origin, lengths without a unit
are micrometres; y points up. If there is a plate, an image that belongs to no well, such as the ``TitleImage`` of a
CQ1, is not a field.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from openhcs_runtime.components import well_name
from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.lengths import agreed_length, one_length
from openhcs_runtime.plates.units import micrometres
from openhcs_runtime.plates.xml import elements, local_name, number, whole_number
from openhcs_runtime.stores.path import AnyPath

__all__ = ["Channel", "Measurement", "Plane", "read_measurement"]


@dataclass(frozen=True, slots=True)
class Plane:
    """What is stated about one file.

    Attributes:
        file: The name of the file, without its folder.
        well: The well; empty if there is no plate.
        channel: The number of its channel in the image, from 0.
        position: The stage position.
        z_um: The height of the plane.
        time_s: When it was taken, in seconds from the beginning.
    """

    file: str
    well: str
    channel: int
    position: StagePosition | None = None
    z_um: float | None = None
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel; wavelengths in nanometres."""

    name: str
    excitation_nm: float | None
    emission_nm: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the OME-XML of a measurement says.

    Attributes:
        shape: Numbers of rows and columns of the plate.
        planes: The planes of all fields.
        channels: The channels of the first field that has any, in their order.
        pixel_sizes: The edge lengths of a pixel of all fields; None where it is unknown or width and height differ.
        z_step_um: The distance between planes, if all fields state the same one.
        time_step_s: The time between time points, if all fields state the same one.
    """

    shape: tuple[int, int] | None = None
    planes: tuple[Plane, ...] = ()
    channels: tuple[Channel, ...] = ()
    pixel_sizes: frozenset[float | None] = frozenset()
    z_step_um: float | None = None
    time_step_s: float | None = None

    @property
    def pixel_size_um(self) -> float | None:
        """The edge length of a pixel that all fields agree on."""
        return None if None in self.pixel_sizes else agreed_length(self.pixel_sizes)


@dataclass(frozen=True, slots=True)
class _Field:
    """An image of the OME-XML.

    Attributes:
        files: The name of the file of each plane (channel, z, time point; from 0).
        planes: The attributes of each plane.
        channels: Its channels.
        said: The attributes of its pixels.
    """

    files: Mapping[tuple[int, int, int], str] = field(default_factory=dict)
    planes: Mapping[tuple[int, int, int], Mapping[str, str]] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)


def read_measurement(path: AnyPath) -> Measurement:
    """Read the OME-XML of a measurement.

    Raises:
        ValueError: If it is not XML, or a value in it is invalid; the message says which.
        OSError: If it can't be read.
    """
    fields: dict[str, _Field] = {}
    wells: dict[str, str] = {}
    shape = None
    for element in elements(path, "Image", "Plate"):
        if local_name(element.tag) == "Image":
            fields[element.get("ID", "")] = _field(element)
        else:
            counts = element.get("Rows", ""), element.get("Columns", "")
            shape = (whole_number(counts[0]), whole_number(counts[1])) if all(counts) else None
            wells = dict(_image_wells(element))
    kept = {image: one for image, one in fields.items() if image in wells or not wells}
    first = next((one for one in kept.values() if one.channels), _Field())
    return Measurement(
        shape=shape,
        planes=tuple(plane for image, one in kept.items() for plane in _planes(one, wells.get(image, ""))),
        channels=first.channels,
        pixel_sizes=frozenset(map(_pixel_size, kept.values())),
        z_step_um=_only({_length(one.said, "PhysicalSizeZ") for one in kept.values()}),
        time_step_s=_only({_positive(one.said.get("TimeIncrement", "")) for one in kept.values()}),
    )


def _image_wells(plate: ET.Element) -> Iterator[tuple[str, str]]:
    """Yield image and well of each field."""
    for well in _named(plate, "Well"):
        name = well_name(whole_number(well.get("Row", ""), 0), whole_number(well.get("Column", ""), 0))
        for sample in _named(well, "WellSample"):
            for reference in _named(sample, "ImageRef"):
                yield reference.get("ID", ""), name


def _field(image: ET.Element) -> _Field:
    pixels = next(_named(image, "Pixels"), None)
    if pixels is None:
        return _Field()
    files = {}
    for data in _named(pixels, "TiffData"):
        for identifier in _named(data, "UUID"):
            name = identifier.get("FileName", "").replace("\\", "/").rpartition("/")[2]
            files[_place(data.attrib, "First")] = name
    return _Field(
        files,
        {_place(plane.attrib, "The"): dict(plane.attrib) for plane in _named(pixels, "Plane")},
        tuple(
            Channel(
                channel.get("Name", "").strip(),
                _positive(channel.get("ExcitationWavelength", "")),
                _positive(channel.get("EmissionWavelength", "")),
            )
            for channel in _named(pixels, "Channel")
        ),
        dict(pixels.attrib),
    )


def _planes(one: _Field, well: str) -> Iterator[Plane]:
    for place, file in one.files.items():
        said = one.planes.get(place, {})
        x, y = _length(said, "PositionX"), _length(said, "PositionY")
        yield Plane(
            file,
            well,
            place[0],
            StagePosition(-y if y else 0.0, x) if x is not None and y is not None else None,
            _length(said, "PositionZ"),
            number(said["DeltaT"]) if said.get("DeltaTUnit", "s") == "s" and said.get("DeltaT") else None,
        )


def _place(said: Mapping[str, str], prefix: str) -> tuple[int, int, int]:
    channel, z, time = (whole_number(said.get(f"{prefix}{axis}", "0"), 0) for axis in "CZT")
    return channel, z, time


def _named(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in element if local_name(child.tag) == name)


def _length(said: Mapping[str, str], name: str) -> float | None:
    """Return a length in micrometres; None if it is not stated or its unit is unknown."""
    text = said.get(name, "")
    factor = micrometres(said.get(f"{name}Unit", "um"))
    return number(text) * factor if text and factor is not None else None


def _positive(text: str) -> float | None:
    value = number(text) if text else 0.0
    return value if value > 0 else None


def _pixel_size(one: _Field) -> float | None:
    x, y = _length(one.said, "PhysicalSizeX"), _length(one.said, "PhysicalSizeY")
    size = one_length(x, y)
    return round(size, 6) if size is not None and size > 0 else None


def _only(values: set[float | None]) -> float | None:
    known = values - {None}
    return known.pop() if len(known) == 1 else None
