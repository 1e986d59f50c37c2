"""Gates: named parts of a histogram or a scatter plot that choose objects, kept per plate. Without Qt.

A gate is stored with its measurements and limits in readable JSON, so that it can be applied to other runs.
"""

import hashlib
import keyword
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import DamagedResultError, OutputError
from openhcs_runtime.text import file_slug

__all__ = [
    "Gate",
    "GateCounts",
    "GateStore",
    "PolygonGate",
    "RangeGate",
    "RectangleGate",
    "chosen_by",
    "count_gate",
    "gate_columns",
    "limited",
    "limits_of",
    "renamed",
    "where_of",
]

FORMAT_VERSION = 1
MOST_GATES = 500
"""Gates of a plate."""
MOST_CORNERS = 2000
"""Corners of a polygon."""

MOST_LETTERS = 80
"""Letters of the name of a gate."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_LETTERS)]


class RangeGate(msgspec.Struct, frozen=True, kw_only=True, tag="range"):
    """A range of one measurement, its ends included.

    Attributes:
        name: its name.
        table: the table of the objects.
        x: column of the measurement.
        low: lowest value.
        high: highest value.
    """

    name: _Name
    table: str
    x: str
    low: float
    high: float


class RectangleGate(msgspec.Struct, frozen=True, kw_only=True, tag="rectangle"):
    """Ranges of two measurements, their ends included.

    Attributes:
        name: its name.
        table: the table of the objects.
        x: column of the first measurement.
        y: column of the second measurement.
        x_low: lowest value of the first.
        x_high: highest value of the first.
        y_low: lowest value of the second.
        y_high: highest value of the second.
    """

    name: _Name
    table: str
    x: str
    y: str
    x_low: float
    x_high: float
    y_low: float
    y_high: float


class PolygonGate(msgspec.Struct, frozen=True, kw_only=True, tag="polygon"):
    """A polygon in a scatter plot of two measurements.

    Attributes:
        name: its name.
        table: the table of the objects.
        x: column of the first measurement.
        y: column of the second measurement.
        corners: the corners (x, y), in units of the measurements.
        x_log: whether its edges are straight on a logarithmic axis of the first measurement.
        y_log: the same for the second measurement.
    """

    name: _Name
    table: str
    x: str
    y: str
    corners: tuple[tuple[float, float], ...]
    x_log: bool = False
    y_log: bool = False


Gate = RangeGate | RectangleGate | PolygonGate


@dataclass(frozen=True, slots=True, eq=False)
class GateCounts:
    """How many objects a gate chooses.

    Attributes:
        chosen: whether each row is chosen (rows,).
        inside: number of chosen objects in wells that are not excluded.
        total: number of objects in these wells.
        percent: percentage of chosen objects by well; wells without objects are left out.
    """

    chosen: NDArray[np.bool_]
    inside: int
    total: int
    percent: dict[str, float]

    def sentence(self, label_set: str) -> str:
        """Return the counts in words: "132 of 1,961 nuclei (6.7 %)"."""
        share = f" ({100 * self.inside / self.total:.1f} %)" if self.total else ""
        return f"{self.inside:,} of {self.total:,} {label_set}{share}"


def gate_columns(gate: Gate) -> tuple[str, ...]:
    """Return the columns that a gate uses."""
    return (gate.x,) if isinstance(gate, RangeGate) else (gate.x, gate.y)


def renamed(gate: Gate, name: str) -> Gate:
    """Return the gate with another name.

    Raises:
        ValueError: the name is empty or too long.
    """
    if not 0 < len(name) <= MOST_LETTERS:
        raise ValueError(f"a gate needs a name of up to {MOST_LETTERS} letters")
    return msgspec.structs.replace(gate, name=name)


def limits_of(gate: Gate) -> tuple[float, ...]:
    """Return the limits of a gate, first those of x; none for a polygon."""
    if isinstance(gate, RangeGate):
        return gate.low, gate.high
    return (gate.x_low, gate.x_high, gate.y_low, gate.y_high) if isinstance(gate, RectangleGate) else ()


def limited(gate: Gate, limits: Sequence[float]) -> Gate:
    """Return the gate with other limits, in the order of :func:`limits_of`.

    Raises:
        ValueError: a limit is not a finite number, or a lower one is above its upper one.
    """
    if not all(map(math.isfinite, limits)):
        raise ValueError("limits are finite numbers")
    if any(low > high for low, high in zip(limits[::2], limits[1::2], strict=True)):
        raise ValueError("a lower limit is above the upper one: exchange them")
    if isinstance(gate, RangeGate):
        return msgspec.structs.replace(gate, low=limits[0], high=limits[1])
    if isinstance(gate, RectangleGate):
        names = ("x_low", "x_high", "y_low", "y_high")
        return msgspec.structs.replace(gate, **dict(zip(names, limits, strict=True)))
    return gate


def chosen_by(gate: Gate, x: NDArray[np.float64], y: NDArray[np.float64] | None = None) -> NDArray[np.bool_]:
    """Return which objects are in a gate (rows,); those with a missing value are not.

    Args:
        gate: the gate.
        x: values of its first measurement (rows,).
        y: values of its second measurement (rows,); not used for a range.
    """
    if isinstance(gate, RangeGate):
        return _between(x, gate.low, gate.high)
    assert y is not None
    if isinstance(gate, RectangleGate):
        return _between(x, gate.x_low, gate.x_high) & _between(y, gate.y_low, gate.y_high)
    return _in_polygon(gate, x, y)


def count_gate(
    chosen: NDArray[np.bool_], codes: NDArray[np.intp], wells: Sequence[str], excluded: frozenset[str] = frozenset()
) -> GateCounts:
    """Count what a gate chooses, in all and by well.

    Args:
        chosen: whether each object is chosen (rows,).
        codes: which of the wells each object is in (rows,).
        wells: names of the wells.
        excluded: wells that are left out.
    """
    of_well = np.bincount(codes, minlength=len(wells))
    inside = np.bincount(codes[chosen], minlength=len(wells))
    kept = [place for place, well in enumerate(wells) if well not in excluded]
    percent = {wells[place]: 100.0 * int(inside[place]) / int(of_well[place]) for place in kept if of_well[place]}
    return GateCounts(chosen, int(inside[kept].sum()), int(of_well[kept].sum()), percent)


def where_of(gate: Gate) -> str:
    """Return the gate as an expression for ``openhcs-runtime table --where``; empty for a polygon, which has none."""
    if isinstance(gate, RangeGate):
        return _range_text(gate.x, gate.low, gate.high)
    if isinstance(gate, RectangleGate):
        x, y = _range_text(gate.x, gate.x_low, gate.x_high), _range_text(gate.y, gate.y_low, gate.y_high)
        return f"{x} and {y}"
    return ""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    format_version: int = FORMAT_VERSION
    plate: str
    gates: tuple[Gate, ...] = ()


class GateStore:
    """The gates of plates, in a JSON file for each plate.

    Args:
        folder: the folder of the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, plate_path: str) -> Path:
        """Return the file of a plate."""
        digest = hashlib.blake2b(plate_path.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
        return self._folder / f"{file_slug(Path(plate_path).name)}-{digest}.json"

    def load(self, plate_path: str) -> tuple[Gate, ...]:
        """Return the gates of a plate.

        Raises:
            DamagedResultError: the file can't be read.
            OutputError: it was written by a newer release.
        """
        path = self.path(plate_path)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise DamagedResultError(f"{path} can't be read ({error.strerror or error}): make it readable") from error
        try:
            found = msgspec.json.decode(data, type=_File)
            _check(found.gates)
        except ValueError as error:
            raise DamagedResultError(f"{path} is damaged ({error}): restore or delete it") from error
        if found.format_version > FORMAT_VERSION:
            raise OutputError(
                f"{path} was written by a newer release (format {found.format_version}): install that release"
            )
        return found.gates

    def save(self, plate_path: str, gates: Sequence[Gate]) -> None:
        """Save the gates of a plate in place of those before.

        Raises:
            OutputError: there are too many, or the file can't be written.
            DamagedResultError: the file that is there can't be read; it is left as it is.
        """
        self.load(plate_path)
        if len(gates) > MOST_GATES:
            raise OutputError(f"a plate can have {MOST_GATES} gates: delete some that are not needed")
        data = msgspec.json.encode(_File(plate=plate_path, gates=tuple(gates)))
        with atomic_file(self.path(plate_path)) as file:
            file.write(msgspec.json.format(data, indent=1))


def _check(gates: Sequence[Gate]) -> None:
    for gate in gates:
        if isinstance(gate, PolygonGate) and not 3 <= len(gate.corners) <= MOST_CORNERS:
            raise ValueError(f"gate {gate.name!r} has {len(gate.corners)} corners")


def _between(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    return (values >= low) & (values <= high)


def _in_polygon(gate: PolygonGate, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    from skimage.measure import points_in_poly  # noqa: PLC0415  heavy

    corners = np.array(gate.corners, dtype=np.float64)
    places = [_on_axis(x, gate.x_log), _on_axis(y, gate.y_log)]
    edges = [_on_axis(corners[:, 0], gate.x_log), _on_axis(corners[:, 1], gate.y_log)]
    near = np.isfinite(places[0]) & np.isfinite(places[1])
    for values, edge in zip(places, edges, strict=True):
        near &= _between(values, float(edge.min()), float(edge.max()))
    found = np.zeros(len(x), dtype=np.bool_)
    rows = np.flatnonzero(near)
    found[rows] = points_in_poly(np.column_stack([values[rows] for values in places]), np.column_stack(edges))
    return found


def _on_axis(values: NDArray[np.float64], is_log: bool) -> NDArray[np.float64]:
    if not is_log:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(values), math.nan)


def _range_text(column: str, low: float, high: float) -> str:
    is_plain = column.isascii() and column.isidentifier() and not keyword.iskeyword(column)
    name = column if is_plain else f"`{column}`"
    return f"{name} >= {low!r} and {name} <= {high!r}"
