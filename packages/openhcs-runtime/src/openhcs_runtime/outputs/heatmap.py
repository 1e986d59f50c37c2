"""One value for each well of a plate, from the tables of a run."""

import csv
import math
import statistics
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.statistic import Statistic
from openhcs_runtime.outputs.tables import OBJECT_KEY, columns_of
from openhcs_runtime.pipeline.cells import OBJECTS

_FLAGS = {"true": 1.0, "false": 0.0}
_TABLES = ("measurements.csv", "objects.csv")


@dataclass(frozen=True, slots=True)
class WellValues:
    """One measurement of each well.

    Attributes:
        measurement: name of the column.
        statistic: how the values of a well were combined.
        channel: the channel it was measured in; None if the caller did not choose one.
        table: name of the file it was read from.
        values: value of each well; wells without a value are not included.
    """

    measurement: str
    statistic: Statistic
    channel: int | None
    table: str
    values: Mapping[str, float]


def well_values(
    results: Path,
    measurement: str,
    statistic: Statistic = Statistic.MEAN,
    channel: int | None = None,
    objects: str | None = None,
) -> WellValues:
    """Read a column of a run's ``measurements.csv``, or of ``objects.csv`` if only that has it.

    True counts as 1 and False as 0.

    Args:
        results: output folder of the run.
        measurement: name of the column.
        statistic: how the values of a well are combined.
        channel: only values measured in this channel; optional if the column has values for one channel only.
        objects: only values of this set of objects; optional if the column has values for one set only.

    Returns:
        One value for each well that has any.

    Raises:
        OutputError: there is no such column (the message lists the known ones), it is empty or contains text, or it
            has values for several channels or sets of objects.
    """
    columns = {name: _columns(results / name) for name in _TABLES if (results / name).is_file()}
    if not columns:
        raise OutputError(f"{results} has no measurements.csv: give the output folder of a run with measurements")
    table = next((name for name, there in columns.items() if measurement in there), None)
    if table is None:
        known = "; ".join(f"{name} has {', '.join(there)}" for name, there in columns.items() if there)
        raise OutputError(f"no measurement {measurement!r} in {results}: {known}")
    by_channel = _read(results / table, measurement, objects)
    if channel is None and len(by_channel) > 1:
        raise OutputError(f"{measurement} was measured in channels {_listed(by_channel)}: choose one (--channel)")
    chosen = by_channel.get(channel, {}) if channel is not None else next(iter(by_channel.values()), {})
    if not chosen:
        where = f" in channel {channel}, only in {_listed(by_channel)}," if channel is not None and by_channel else ""
        raise OutputError(f"{measurement} has no values{where} in {results / table}")
    values = {well: _combined(of_well, statistic) for well, of_well in chosen.items()}
    return WellValues(measurement, statistic, channel, table, values)


def _combined(values: Sequence[float], statistic: Statistic) -> float:
    """The statistic of at least one value."""
    match statistic:
        case Statistic.MEAN:
            return statistics.fmean(values)
        case Statistic.MEDIAN:
            return statistics.median(values)
        case Statistic.SUM:
            return math.fsum(values)


def _listed(channels: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(channels)))


def _columns(path: Path) -> tuple[str, ...]:
    return tuple(name for name in columns_of(path) if name not in OBJECT_KEY)


def _read(path: Path, column: str, objects: str | None) -> dict[int, dict[str, "array[float]"]]:
    """Return the values by channel and well, all of one set of objects."""
    sets: set[str] = set()
    values: defaultdict[int, defaultdict[str, array[float]]] = defaultdict(lambda: defaultdict(lambda: array("d")))
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        places = {name: place for place, name in enumerate(next(rows))}
        well, channel, wanted = places["well"], places["channel"], places[column]
        for row in rows:
            of_set = row[places[OBJECTS]] if OBJECTS in places else ""
            if row[wanted] and objects in (None, of_set):
                sets.add(of_set)
                try:
                    number = _FLAGS[row[wanted]] if row[wanted] in _FLAGS else float(row[wanted])
                except ValueError:
                    raise OutputError(f"{column} in {path} is not a number: {row[wanted]!r}") from None
                values[int(row[channel])][row[well]].append(number)
    if len(sets) > 1:
        raise OutputError(f"{column} was measured for the objects {', '.join(sorted(sets))}: choose one (--objects)")
    return {number: dict(of_channel) for number, of_channel in values.items()}
