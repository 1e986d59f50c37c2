"""``.xdce`` files: the images, the protocol and the plate of an IN Cell Analyzer measurement.

The protocol (``AutoLeadAcquisitionProtocol``) has the size of a pixel of the objective, the plate, the
wavelengths with their filters and the z step; ``Images`` has an element for each file with its well, the numbers of
field, wavelength, plane and time point from 0, the offset of the field from the centre of the well with y pointing up,
and the height of the focus. There is no published specification.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field

from openhcs_runtime.components import ImageKey, well_name
from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.lengths import one_length
from openhcs_runtime.plates.units import micrometres
from openhcs_runtime.plates.xml import children, elements, local_name, number, whole_number
from openhcs_runtime.stores.path import AnyPath

__all__ = ["Record", "Wave", "Xdce", "read_xdce"]


@dataclass(frozen=True, slots=True)
class Record:
    """What is stated about one file."""

    key: ImageKey
    position: StagePosition | None = None
    z_um: float | None = None
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Wave:
    """A wavelength of the protocol: the names of its filters, and their wavelengths in nanometres."""

    excitation: str = ""
    emission: str = ""
    excitation_nm: float | None = None
    emission_nm: float | None = None
    z_step_um: float | None = None

    @property
    def name(self) -> str:
        """Both filters as in file names, or one name if they have the same."""
        names = dict.fromkeys(name for name in (self.excitation, self.emission) if name)
        return " - ".join(names)


@dataclass(frozen=True, slots=True)
class Xdce:
    """What an ``.xdce`` file says.

    Attributes:
        records: The images, by path relative to the file, with slashes.
        waves: The wavelengths by channel.
        shape: Numbers of rows and columns of the plate.
        pixel_size_um: Edge length of a pixel; files do not say whether it includes the binning.
        binning: Number of camera pixels along the edge of a pixel.
        z_step_um: The distance between planes.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    waves: Mapping[int, Wave] = field(default_factory=dict)
    shape: tuple[int, int] | None = None
    pixel_size_um: float | None = None
    binning: int = 1
    z_step_um: float | None = None


class _Reading:
    """The parts of a file that have been read."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.waves: dict[int, Wave] = {}
        self.shape: tuple[int, int] | None = None
        self.pixel_size_um: float | None = None
        self.binning = 1
        self.step_um: float | None = None

    def take(self, element: ET.Element) -> None:
        """Take what an element says."""
        match local_name(element.tag):
            case "Image" if name := element.get("filename", "").replace("\\", "/"):
                self.records[name] = _record(element, name)
            case "Wavelength" if element.get("fusion_wave", "false").lower() != "true":
                index = whole_number(element.get("index") or str(len(self.waves)), 0)
                self.waves[index + 1] = _wave(element)
            case "Plate" if element.get("rows") and element.get("columns"):
                self.shape = whole_number(element.get("rows", "")), whole_number(element.get("columns", ""))
            case "ObjectiveCalibration":
                self.pixel_size_um = _pixel_size(element)
            case "Binning":
                self.binning = whole_number(element.get("value", "1").upper().partition("X")[0])
            case "ZDimensionParameters":
                self.step_um = _step(element, "step")


_READ = ("Image", "Wavelength", "Plate", "ObjectiveCalibration", "Binning", "ZDimensionParameters")


def read_xdce(path: AnyPath) -> Xdce:
    """Read an ``.xdce`` file.

    Raises:
        ValueError: If it is not XML, or a value in it is invalid; the message says which.
        OSError: If it can't be read.
    """
    reading = _Reading()
    for element in elements(path, *_READ):
        reading.take(element)
    steps = {wave.z_step_um for wave in reading.waves.values()} - {None}
    return Xdce(
        reading.records,
        dict(sorted(reading.waves.items())),
        reading.shape,
        reading.pixel_size_um,
        reading.binning,
        steps.pop() if len(steps) == 1 else reading.step_um if not steps else None,
    )


def _record(image: ET.Element, name: str) -> Record:
    parts = children(image)
    try:
        well = children(parts["Well"])
        numbers = parts["Identifier"]
        key = ImageKey(
            well_name(_from_1(well["Row"], "number") - 1, _from_1(well["Column"], "number") - 1),
            site=_from_0(numbers, "field_index") + 1,
            channel=_from_0(numbers, "wave_index") + 1,
            z_index=_from_0(numbers, "z_index") + 1,
            timepoint=_from_0(numbers, "time_index") + 1,
        )
        return Record(key, _position(parts), _height(parts), _seconds(image))
    except KeyError as error:
        raise ValueError(f"{name} has no {error.args[0]}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _from_1(element: ET.Element, name: str) -> int:
    return whole_number(element.get(name, ""))


def _from_0(element: ET.Element, name: str) -> int:
    return whole_number(element.get(name, ""), 0)


def _position(parts: Mapping[str, ET.Element]) -> StagePosition | None:
    """Return the offset from the centre of the well, in micrometres unless another unit is stated."""
    offset = parts.get("OffsetFromWellCenter")
    if offset is None or not offset.get("x") or not offset.get("y"):
        return None
    factor = micrometres(offset.get("unit", "um"))
    if factor is None:
        return None
    y, x = number(offset.get("y", "")) * factor, number(offset.get("x", "")) * factor
    return StagePosition(-y if y else 0.0, x)


def _height(parts: Mapping[str, ET.Element]) -> float | None:
    focus = parts.get("FocusPosition")
    factor = micrometres(focus.get("unit", "um")) if focus is not None else None
    if focus is None or factor is None or not focus.get("z"):
        return None
    return number(focus.get("z", "")) * factor


def _seconds(image: ET.Element) -> float | None:
    if text := image.get("acquisition_time_ms"):
        return number(text) / 1000
    text = image.get("timestamp_sec")
    return number(text) if text else None


def _wave(wavelength: ET.Element) -> Wave:
    parts = children(wavelength)
    excitation, emission = parts.get("ExcitationFilter"), parts.get("EmissionFilter")
    return Wave(
        excitation=_filter_name(excitation),
        emission=_filter_name(emission),
        excitation_nm=_nanometres(excitation),
        emission_nm=_nanometres(emission),
        z_step_um=_step(wavelength, "z_step") if wavelength.get("imaging_mode", "3-D") != "2-D" else None,
    )


def _filter_name(filter_element: ET.Element | None) -> str:
    return filter_element.get("name", "").strip() if filter_element is not None else ""


def _nanometres(filter_element: ET.Element | None) -> float | None:
    text = filter_element.get("wavelength", "") if filter_element is not None else ""
    value = number(text) if text else 0.0
    return value if value > 0 else None


def _step(element: ET.Element, name: str) -> float | None:
    text = element.get(name, "")
    value = number(text) if text else 0.0
    return value if value > 0 else None


def _pixel_size(calibration: ET.Element) -> float | None:
    factor = micrometres(calibration.get("unit", "um"))
    edges = calibration.get("pixel_width", ""), calibration.get("pixel_height", "")
    if factor is None or not all(edges):
        return None
    size = one_length(number(edges[0]), number(edges[1]))
    return round(size * factor, 6) if size is not None and size > 0 else None
