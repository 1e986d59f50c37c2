"""The measurements of a run that can be chosen, from all of its tables, in words. Without Qt."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs_runtime.tables.schema import Measure, TableKind, TableSchema

if TYPE_CHECKING:
    from openhcs_runtime.tables.read import Results

__all__ = ["MeasureChoice", "measure_choices", "numeric_columns"]

_ORDER = (TableKind.OBJECTS, TableKind.IMAGES, TableKind.WELLS)


@dataclass(frozen=True, slots=True)
class MeasureChoice:
    """A measurement in a table.

    Attributes:
        table: name of the table.
        kind: what a row of it is.
        column: name of the column; for the number of objects, a name that is not a column of the table.
        title: the measurement in words, without its unit.
        unit: its unit in words, such as ``µm²``; empty for counts and camera counts.
        is_count: whether it is the number of rows of the table.
    """

    table: str
    kind: TableKind
    column: str
    title: str
    unit: str = ""
    is_count: bool = False

    @property
    def name(self) -> str:
        """What people see in the list: the table, the measurement and its unit."""
        unit = f" ({self.unit})" if self.unit else ""
        return self.title if self.is_count else f"{self.table}: {self.title}{unit}"

    @property
    def axis(self) -> str:
        """What an axis of a plot says: the measurement and its unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def has_statistic(self) -> bool:
        """Whether a well has several values of it, so that a mean or a median says something."""
        return self.kind is not TableKind.WELLS and not self.is_count


def measure_choices(results: "Results") -> tuple[MeasureChoice, ...]:
    """Return the measurements of all tables that are numbers: those of objects first, counts before others.

    Raises:
        OutputError: a table was written by a newer release.
        DamagedResultError: a table can't be read.
    """
    schemas = [results.schema(name) for name in results.tables]
    found = [choice for schema in schemas for choice in _of_table(results, schema)]
    return tuple(sorted(found, key=lambda choice: (not choice.is_count, _ORDER.index(choice.kind))))


def numeric_columns(results: "Results", table: str) -> tuple[str, ...]:
    """Return the columns of a table that are numbers, the keys and the plate map among them.

    Raises:
        OutputError: there is no such table.
        DamagedResultError: it can't be read.
    """
    from pyarrow import types  # noqa: PLC0415  heavy

    schema = results.arrow_schema(table)
    return tuple(
        field.name
        for field in schema
        if types.is_integer(field.type) or types.is_floating(field.type) or types.is_boolean(field.type)
    )


def _of_table(results: "Results", schema: TableSchema) -> Iterator[MeasureChoice]:
    count = f"{schema.table}_count"
    if schema.kind is TableKind.OBJECTS and count not in schema.measures:
        yield MeasureChoice(schema.table, schema.kind, count, f"{schema.table} count", is_count=True)
    numeric = frozenset(numeric_columns(results, schema.table))
    for name, measure in schema.measures.items():
        if name in numeric and measure.is_quantity:
            title, unit = _words(measure)
            yield MeasureChoice(schema.table, schema.kind, name, title, unit)


def _words(measure: Measure) -> tuple[str, str]:
    """Return a measurement and its unit in words."""
    from openhcs_runtime.report.measures import measure_title, unit_title  # noqa: PLC0415  loads readers of tables

    return measure_title(Measure(measure=measure.measure, channel=measure.channel)), unit_title(measure.unit)
