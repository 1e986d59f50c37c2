"""``experiment_descriptor.xml`` and ``AcquisitionLog.dat``: settings and stage positions of an Olympus ScanR.

The descriptor is what LabVIEW writes: elements with a ``Name`` and a ``Val``, in clusters. Some files are in the code
page of the computer without saying so. The log has a line for each image, ``W=1<tab>P=1<tab>T=0<tab>Z=0<tab>X=...``,
with the stage position in micrometres; y points up.
"""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.opened import open_file
from openhcs_runtime.plates.xml import children, number, text_of, tree, whole_number
from openhcs_runtime.stores.path import AnyPath

__all__ = ["Descriptor", "read_descriptor", "read_positions"]

_PIXEL, _STEP, _DELAY = "conversion factor um/pixel", "slices distance", "timeloop delay [ms]"
_LAYOUT = "format typedef"
_LINE = re.compile(r"W=(\d{1,6})\tP=(\d{1,6})\t.*?\tX=([^\t]*)\tY=([^\t\r\n]*)")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What an ``experiment_descriptor.xml`` says.

    Attributes:
        shape: Numbers of rows and columns of the plate.
        names: Names in the order of the file; those of the channels are among them.
        pixel_size_um: Edge length of a pixel.
        z_step_um: Distance between planes.
        time_step_s: Time between time points.
    """

    shape: tuple[int, int] | None = None
    names: tuple[str, ...] = field(default=())
    pixel_size_um: float | None = None
    z_step_um: float | None = None
    time_step_s: float | None = None


def read_descriptor(path: AnyPath) -> Descriptor:
    """Read an ``experiment_descriptor.xml``.

    Raises:
        ValueError: If it is not XML, or a value in it is invalid; the message says which.
        OSError: If it can't be read.
    """
    root = tree(path, fallback="cp1252")
    values = list(_values(root))
    first = dict(reversed(values))
    delay = _positive(first, _DELAY)
    return Descriptor(
        shape=_shape(root),
        names=tuple(dict.fromkeys(value for name, value in values if name == "name")),
        pixel_size_um=_positive(first, _PIXEL),
        z_step_um=_positive(first, _STEP),
        time_step_s=delay / 1000 if delay else None,
    )


def read_positions(path: AnyPath) -> dict[tuple[int, int], StagePosition]:
    """Return the stage position of each well and site in an ``AcquisitionLog.dat``, both by number.

    Raises:
        ValueError: If a number in it is invalid.
        OSError: If it can't be read.
    """
    found: dict[tuple[int, int], StagePosition] = {}
    with io.TextIOWrapper(open_file(path), encoding="utf-8", errors="replace") as file:
        for line in file:
            if (match := _LINE.match(line)) and (where := (int(match[1]), int(match[2]))) not in found:
                x, y = number(match[3]), number(match[4])
                found[where] = StagePosition(-y if y else 0.0, x)
    return found


def _values(root: ET.Element) -> Iterator[tuple[str, str]]:
    for element in root.iter():
        parts = children(element)
        if "Name" in parts and "Val" in parts:
            yield text_of(parts["Name"]), text_of(parts["Val"])


def _shape(root: ET.Element) -> tuple[int, int] | None:
    for element in root.iter():
        if text_of(children(element).get("Name")) == _LAYOUT:
            said = dict(_values(element))
            if "Rows" in said and "Columns" in said:
                return whole_number(said["Rows"]), whole_number(said["Columns"])
    return None


def _positive(values: Mapping[str, str], name: str) -> float | None:
    text = values.get(name, "")
    try:
        value = number(text) if text else 0.0
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return value if value > 0 else None
