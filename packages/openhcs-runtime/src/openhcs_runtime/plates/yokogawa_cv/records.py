"""``MeasurementData.mlf``: a record of every image that a CV7000 or CV8000 has taken, and of every error.

Records have attributes in the namespace ``bts`` (Type, Row, Column, FieldIndex, ZIndex, Ch, TimePoint, TimelineIndex,
ActionIndex, X, Y, Z, Time) and the name of the file as text. X, Y and Z are in micrometres, X and Y relative to the
centre of the well with y pointing up. A record of the type ``ERR``, such as for a failed autofocus, has no file but a
sentence. A record with ``ZImageProcessing`` is a projection that the microscope has made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from openhcs_runtime.components import ImageKey, well_name
from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.xml import attributes, elements, number, text_of, whole_number
from openhcs_runtime.stores.path import AnyPath

__all__ = ["Origin", "Record", "Records", "read_records"]


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """The timeline of a protocol, and the action in it, that an image comes from."""

    timeline: int = 1
    action: int = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What a record, or a file name, says about an image.

    Attributes:
        key: What it shows.
        origin: What has taken it.
        is_projection: Whether the microscope has made it from planes.
        position: Its stage position.
        z_um: The height of its plane.
        time_s: When it was taken, in seconds from any time.
    """

    key: ImageKey
    origin: Origin = Origin()
    is_projection: bool = False
    position: StagePosition | None = None
    z_um: float | None = None
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a measurement.

    Attributes:
        images: The records of images, by file name, or by path with slashes if they are in folders.
        errors: The wells with errors, with the first sentence for each; the well is empty if none is stated.
        error_count: Number of error records.
    """

    images: Mapping[str, Record] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    error_count: int = 0


def read_records(path: AnyPath) -> Records:
    """Read a ``MeasurementData.mlf``.

    Raises:
        ValueError: If it is not XML, or a value in it is invalid; the message says which.
        OSError: If it can't be read.
    """
    images: dict[str, Record] = {}
    errors: dict[str, str] = {}
    count = 0
    for element in elements(path, "MeasurementRecord"):
        said, text = attributes(element), text_of(element)
        kind = said.get("Type", "")
        if kind == "IMG" and text:
            images[text.replace("\\", "/")] = _record(said, text)
        elif kind == "ERR":
            count += 1
            errors.setdefault(_well(said, "an ERR record") if said.get("Row") else "", text)
    return Records(images, errors, count)


def _record(said: Mapping[str, str], name: str) -> Record:
    x, y = _length(said, "X", name), _length(said, "Y", name)
    is_projection = bool(said.get("ZImageProcessing", "").strip())
    return Record(
        ImageKey(
            _well(said, name),
            site=_whole(said, "FieldIndex", name),
            channel=_whole(said, "Ch", name),
            z_index=_whole(said, "ZIndex", name, lowest=0 if is_projection else 1),
            timepoint=_whole(said, "TimePoint", name),
        ),
        Origin(_whole(said, "TimelineIndex", name, "1"), _whole(said, "ActionIndex", name, "1")),
        is_projection=is_projection,
        position=StagePosition(-y if y else 0.0, x) if y is not None and x is not None else None,
        z_um=_length(said, "Z", name),
        time_s=_seconds(said.get("Time", "")),
    )


def _well(said: Mapping[str, str], name: str) -> str:
    return well_name(_whole(said, "Row", name) - 1, _whole(said, "Column", name) - 1)


def _whole(said: Mapping[str, str], attribute: str, name: str, default: str = "", *, lowest: int = 1) -> int:
    try:
        return whole_number(said.get(attribute, default), lowest)
    except ValueError as error:
        raise ValueError(f"{attribute} of {name}: {error}") from None


def _length(said: Mapping[str, str], attribute: str, name: str) -> float | None:
    text = said.get(attribute, "")
    try:
        return number(text) if text else None
    except ValueError as error:
        raise ValueError(f"{attribute} of {name}: {error}") from None


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
