"""Tables whose rows are in memory: those of images and of wells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openhcs_runtime.pipeline.cells import Cell, ColumnKind, kind_of
from openhcs_runtime.tables.arrow import arrow_column
from openhcs_runtime.tables.kinds import Kinds, add_kinds, arrow_array
from openhcs_runtime.tables.map_columns import PlateFacts
from openhcs_runtime.tables.places import table_path
from openhcs_runtime.tables.schema import Measure, TableKind, TableSchema
from openhcs_runtime.tables.write import write_table

_TEXT_KEYS = ("plate", "well")


@dataclass(slots=True)
class Row:
    """A row of a table.

    Attributes:
        key: values of its keys after those of plate and well.
        well: its well.
        values: its values by column.
    """

    well: str
    key: tuple[int, ...] = ()
    values: dict[str, Cell] = field(default_factory=dict)


def write_rows(
    run: Path,
    name: str,
    kind: TableKind,
    keys: Sequence[str],
    rows: Sequence[Row],
    measures: Mapping[str, Measure],
    plate: PlateFacts,
) -> None:
    """Write a table.

    Args:
        run: folder of the run.
        name: name of the table.
        kind: what a row is.
        keys: its keys, of which the first ones are plate and well.
        rows: its rows, in order.
        measures: its other columns, in order.
        plate: what the rows have in common.

    Raises:
        OutputError: the file can't be written, or a column has values of several kinds.
    """
    import pyarrow  # noqa: PLC0415  heavy

    of_map = plate.map_columns
    schema = TableSchema(
        table=name,
        kind=kind,
        keys=tuple(keys),
        plate_map=tuple(column.name for column in of_map),
        measures=measures,
        channels=plate.channels,
    )
    kinds = _kinds(rows, measures)
    columns: dict[str, pyarrow.Array] = {
        "plate": arrow_column([plate.name] * len(rows), pyarrow.string()),
        "well": arrow_column([row.well for row in rows], pyarrow.string()),
    }
    for place, key in enumerate(keys[len(_TEXT_KEYS) :]):
        columns[key] = arrow_column([row.key[place] for row in rows], pyarrow.int64())
    for column in of_map:
        columns[column.name] = arrow_column([column.of_well(row.well) for row in rows], column.type)
    for measure in measures:
        columns[measure] = arrow_array([row.values.get(measure) for row in rows], kinds[measure])
    types = [(each, array.type) for each, array in columns.items()]
    write_table(table_path(run, name), schema, pyarrow.table(columns, pyarrow.schema(types)))


def _kinds(rows: Iterable[Row], measures: Iterable[str]) -> Kinds:
    kinds: Kinds = {}
    first: dict[str, str] = {}
    for row in rows:
        add_kinds(kinds, {name: kind_of([value]) for name, value in row.values.items()}, row.well, first)
    return {name: kinds.get(name, ColumnKind.EMPTY) for name in measures}
