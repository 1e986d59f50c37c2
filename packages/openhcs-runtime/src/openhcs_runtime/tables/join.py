"""Joins the tables of wells into one table for each set of objects, in groups of rows that fit into memory."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.wells import WellRecord, WellTable
from openhcs_runtime.tables.arrow import repeated
from openhcs_runtime.tables.kinds import Kinds, add_kinds, arrow_type
from openhcs_runtime.tables.map_columns import PlateFacts
from openhcs_runtime.tables.parquet import GROUP_BYTES, parquet_options
from openhcs_runtime.tables.places import table_path
from openhcs_runtime.tables.schema import OBJECT_KEYS, Measure, TableKind, TableSchema, encode_schema
from openhcs_runtime.tables.well_tables import read_well_schema, read_well_table

if TYPE_CHECKING:
    import pyarrow

_MOST_AHEAD, _CELL_BYTES = 8, 8
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class ObjectTable:
    """A table of the plate before it is written.

    Attributes:
        name: its name.
        measures: what its measures are.
        kinds: kind of each measure.
        parts: its wells, each with the file of its rows.
        plate: what the rows have in common.
    """

    name: str
    measures: Mapping[str, Measure]
    kinds: Kinds
    parts: tuple[tuple[str, Path], ...]
    plate: PlateFacts = field(default_factory=lambda: PlateFacts(""))

    @property
    def schema(self) -> TableSchema:
        """What its columns are."""
        return TableSchema(
            table=self.name,
            kind=TableKind.OBJECTS,
            keys=OBJECT_KEYS,
            plate_map=tuple(column.name for column in self.plate.map_columns),
            measures=self.measures,
            channels=self.plate.channels,
        )

    @cached_property
    def arrow_schema(self) -> "pyarrow.Schema":
        """Return the columns and their types."""
        import pyarrow  # noqa: PLC0415  heavy

        keys = [(name, pyarrow.string() if name in ("plate", "well") else pyarrow.int64()) for name in OBJECT_KEYS]
        of_map = [(column.name, column.type) for column in self.plate.map_columns]
        measures = [(name, arrow_type(kind)) for name, kind in self.kinds.items()]
        return pyarrow.schema([*keys, *of_map, *measures], encode_schema(self.schema))

    def rows_of(self, well: str, path: Path) -> "pyarrow.Table":
        """Read the rows of a well, with all columns of the table.

        Raises:
            DamagedResultError: they can't be read.
        """
        import pyarrow  # noqa: PLC0415  heavy

        found, schema = read_well_table(path), self.arrow_schema
        rows, names = found.num_rows, set(found.column_names)
        fixed = {"plate": self.plate.name, "well": well}
        of_map = {column.name: column for column in self.plate.map_columns}

        def column(field: "pyarrow.Field") -> "pyarrow.Array | pyarrow.ChunkedArray":
            if field.name in fixed:
                return repeated(fixed[field.name], field.type, rows)
            if field.name in of_map:
                return of_map[field.name].repeated(well, rows)
            if field.name not in names:
                return pyarrow.nulls(rows, field.type)
            values = found.column(field.name)
            return values if values.type == field.type else values.cast(field.type)

        return pyarrow.Table.from_arrays([column(field) for field in schema], schema=schema)


OnWell = Callable[[ObjectTable, str, "pyarrow.Table"], None]
"""Called with a table, a well and the rows of the well."""


def object_tables(run: Path, parts: Sequence[WellRecord]) -> tuple[tuple[ObjectTable, ...], tuple[str, ...]]:
    """Return the tables of objects of a plate, before they are written.

    A set of objects that was found in several channels has a table for each of them, named ``<set>_<channel>``.

    Args:
        run: folder of the run.
        parts: the records of its wells, in plate order.

    Returns:
        The tables, and a line for each that can't be written, as a column has values of different kinds in two wells,
        two tables would have the same name, or a table of a well can't be read.
    """
    channels: dict[str, dict[str, list[tuple[str, WellTable]]]] = {}
    for part in parts:
        for table in part.tables:
            channels.setdefault(table.name, {}).setdefault(table.channel, []).append((part.well, table))
    named: dict[str, ObjectTable] = {}
    problems: list[str] = []
    for name, by_channel in channels.items():
        for channel, tables in by_channel.items():
            full = name if len(by_channel) == 1 else f"{name}_{channel}"
            wells = tuple((well, run / table.file) for well, table in tables)
            try:
                if full.casefold() in named:
                    raise OutputError(f"two sets of objects would have the table {full}: give one of them another name")
                named[full.casefold()] = _object_table(full, wells)
            except OutputError as error:
                problems.append(f"table {full}: {error}")
    return tuple(named.values()), tuple(problems)


def write_object_table(run: Path, table: ObjectTable, on_well: OnWell) -> None:
    """Write a table of objects.

    Args:
        run: folder of the run.
        table: the table.
        on_well: called with the rows of each well, in a thread that reads ahead.

    Raises:
        OutputError: the file can't be written.
        DamagedResultError: a table of a well can't be read.
    """
    from pyarrow import parquet  # noqa: PLC0415  heavy

    path = table_path(run, table.name)
    schema = table.arrow_schema

    def read(part: tuple[str, Path]) -> "pyarrow.Table":
        rows = table.rows_of(*part)
        on_well(table, part[0], rows)
        return rows

    with (
        writing_to(path),
        atomic_file(path) as file,
        parquet.ParquetWriter(file, schema, **parquet_options(schema)) as writer,
    ):
        for group in _groups(_ahead(read, table.parts, _wells_ahead(table))):
            writer.write_table(group, row_group_size=max(1, group.num_rows))


def _object_table(name: str, wells: tuple[tuple[str, Path], ...]) -> ObjectTable:
    kinds: Kinds = {}
    measures: dict[str, Measure] = {}
    first: dict[str, str] = {}
    for well, path in wells:
        described = read_well_schema(path)
        add_kinds(kinds, described.kinds, well, first)
        for column, measure in described.measures.items():
            if measures.setdefault(column, measure) != measure:
                raise OutputError(f"column {column} of {name} is not the same measure in all wells: rename one of them")
    return ObjectTable(name, measures, kinds, wells)


def _wells_ahead(table: ObjectTable) -> int:
    """Return how many wells may be read ahead: those of a group of rows, as their files are as large as in memory."""
    largest = max(path.stat().st_size for _, path in table.parts)
    return max(1, min(_MOST_AHEAD, GROUP_BYTES // max(1, largest)))


def _groups(parts: Iterable["pyarrow.Table"]) -> Iterator["pyarrow.Table"]:
    """Yield the rows of the wells in groups of bounded size."""
    import pyarrow  # noqa: PLC0415  heavy

    waiting: list[pyarrow.Table] = []
    size = 0
    for rows in parts:
        waiting.append(rows)
        size += rows.num_rows * rows.num_columns * _CELL_BYTES
        if size >= GROUP_BYTES:
            yield pyarrow.concat_tables(waiting)
            waiting, size = [], 0
    if waiting:
        yield pyarrow.concat_tables(waiting)


def _ahead(function: Callable[[_T], _R], items: Sequence[_T], most: int) -> Iterator[_R]:
    """Yield the results of a function for the items, of which the next ones are computed in a thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="table-reader") as pool:
        waiting = [pool.submit(function, item) for item in items[:most]]
        rest = itertools.islice(items, most, None)
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(function, item) for item in itertools.islice(rest, 1)]
