"""One value for each well of a plate, from the tables of a run."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs_runtime.exceptions import OutputError, PlateMapError
from openhcs_runtime.tables.columns import column_of
from openhcs_runtime.tables.places import IMAGES, WELLS
from openhcs_runtime.tables.read import Results, closest
from openhcs_runtime.tables.schema import Measure, TableSchema
from openhcs_runtime.tables.statistic import Statistic

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True)
class WellValues:
    """One measurement of each well.

    Attributes:
        measurement: name of the column.
        statistic: how the values of a well were combined.
        table: name of the table that it was read from.
        values: value of each well; wells without a value are not included.
    """

    measurement: str
    statistic: Statistic
    table: str
    values: Mapping[str, float]


def well_values(
    results: Results,
    measurement: str,
    statistic: Statistic = Statistic.MEAN,
    channel: str | None = None,
    objects: str | None = None,
    where: str = "",
) -> WellValues:
    """Read a column of the table of images of a run, or of a table of objects if only that has it.

    True counts as 1 and False as 0. The column may also be one of numbers of the plate map.

    Args:
        results: the results of a run.
        measurement: name of the column, such as ``intensity_mean_DAPI``, or without its channel, ``intensity_mean``.
        statistic: how the values of a well are combined.
        channel: number or short name of the channel; optional if the name has it, or there is only one.
        objects: name of the table of objects; optional if only one has the column.
        where: only rows for which this expression is true, such as ``"site == 2"``.

    Returns:
        One value for each well that has any.

    Raises:
        OutputError: there is no such column (the message lists the known ones), it is empty or has texts, or there are
            several: in several channels, or tables of objects; or the expression is not valid.
    """
    table, column = _find(results, measurement, channel, objects)
    read = results.arrow(table, ["well", column], where)
    values = {well: _combined(of_well, statistic) for well, of_well in _by_well(read, column, table).items()}
    if not values:
        raise OutputError(f"{column} has no values in the table {table} of {results.folder}")
    return WellValues(column, statistic, table, values)


def known_measurements(results: Results) -> dict[str, tuple[str, ...]]:
    """Return the columns that :func:`well_values` reads, by the table that they are read from.

    Raises:
        OutputError: a table can't be read.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in dict.fromkeys([IMAGES, *results.tables]):
        if name in results.tables and name != WELLS:
            schema = results.schema(name)
            seen = {column for columns in found.values() for column in columns}
            found[name] = tuple(column for column in (*schema.measures, *schema.plate_map) if column not in seen)
    return {table: columns for table, columns in found.items() if columns}


def map_labels(results: Results, column: str) -> dict[str, str]:
    """Return the values of a column of the plate map of a run as texts, by well.

    Raises:
        OutputError: the run has no plate map, or that has no such column.
    """
    try:
        if (plate_map := results.plate_map) is None:
            raise OutputError(f"{results.folder} has no plate map: put platemap.csv next to the plate and run again")
        in_tables = column.removeprefix("map_")
        source = in_tables if column not in plate_map.columns and in_tables in plate_map.columns else column
        values = {well: plate_map.value(well, source) for well in plate_map.wells}
    except PlateMapError as error:
        raise OutputError(str(error)) from error
    texts = {well: f"{value:g}" if isinstance(value, float) else str(value) for well, value in values.items()}
    return {well: text for well, text in texts.items() if values[well] is not None}


def _find(results: Results, measurement: str, channel: str | None, objects: str | None) -> tuple[str, str]:
    """Return the table and the column that are meant."""
    names = [IMAGES, *results.tables] if objects is None else [objects]
    schemas = [results.schema(name) for name in dict.fromkeys(names) if name in results.tables and name != WELLS]
    if not schemas:
        results.schema(objects or IMAGES)
    found = {schema.table: columns for schema in schemas if (columns := _columns(schema, measurement, channel))}
    if not found:
        known = list(dict.fromkeys(name for schema in schemas for name in (*schema.measures, *schema.plate_map)))
        where = "" if channel is None else f" of channel {channel}"
        raise OutputError(f"no measurement {measurement!r}{where} in {results.folder}: {closest(measurement, known)}")
    table = IMAGES if IMAGES in found else next(iter(found))
    if len(found) > 1 and table != IMAGES:
        raise OutputError(f"{measurement} was measured for the objects {', '.join(found)}: choose one (--objects)")
    if len(found[table]) > 1:
        schema = next(schema for schema in schemas if schema.table == table)
        channels = ", ".join(schema.measures[column].channel for column in found[table])
        raise OutputError(f"{measurement} was measured in channels {channels}: choose one (--channel)")
    return table, found[table][0]


def _columns(schema: TableSchema, measurement: str, channel: str | None) -> list[str]:
    """Return the columns of a table that a measurement and a channel may mean; only one if it is named exactly."""
    numbers = {str(number): name for name, number in schema.channels.items()}
    wanted = None if channel is None else numbers.get(channel, channel)
    if measurement in (*schema.measures, *schema.plate_map):
        measure = schema.measures.get(measurement, Measure(measure=measurement))
        return [measurement] if wanted in (None, measure.channel) else []
    return [
        name
        for name, measure in schema.measures.items()
        if column_of(Measure(measure=measure.measure, unit=measure.unit)) == measurement
        and wanted in (None, measure.channel)
    ]


def _by_well(read: "pyarrow.Table", column: str, table: str) -> dict[str, list[float]]:
    """Return the values of a column by well."""
    from pyarrow import types  # noqa: PLC0415  heavy

    kind = read.schema.field(column).type
    if types.is_string(kind):
        first = next(filter(None, read.column(column).to_pylist()), "")
        raise OutputError(f"{column} in the table {table} is not a number: {first!r}")
    found: dict[str, list[float]] = {}
    for well, value in zip(read.column("well").to_pylist(), read.column(column).to_pylist(), strict=True):
        if value is not None and not math.isnan(value):
            found.setdefault(well, []).append(float(value))
    return found


def _combined(values: Sequence[float], statistic: Statistic) -> float:
    """The statistic of at least one value."""
    match statistic:
        case Statistic.MEAN:
            return statistics.fmean(values)
        case Statistic.MEDIAN:
            return statistics.median(values)
        case Statistic.SUM:
            return math.fsum(values)
