"""Tables of a run in the terminal: which there are, what their columns are, and their first rows."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.tables.read import Results, closest
from openhcs_runtime.tables.schema import TableKind
from zmqruntime.execution.text import plural

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Part", "columns_document", "print_columns", "print_rows", "print_tables", "tables_document"]

_ROWS = {
    TableKind.OBJECTS: "an object",
    TableKind.IMAGES: "a site, plane and time point, with all channels",
    TableKind.WELLS: "a well",
}


@dataclass(frozen=True, slots=True)
class Part:
    """What is wanted of a table.

    Attributes:
        results: the results of the run.
        name: name of the table.
        columns: only these columns; None for all.
        where: only rows for which this is true; empty for all.
    """

    results: Results
    name: str
    columns: Sequence[str] | None
    where: str

    @classmethod
    def chosen(cls, results: Results, name: str, columns: str | None, where: str) -> "Part":
        """The part that was typed; a pattern stands for all columns that it fits.

        Raises:
            OutputError: there is no such table or column.
        """
        known = results.schema(name).columns
        if columns is None:
            return cls(results, name, None, where)
        found: dict[str, None] = {}
        for pattern in filter(None, (part.strip() for part in columns.split(","))):
            fitting = [pattern] if pattern in known else fnmatch.filter(known, pattern)
            if not fitting:
                raise OutputError(f"the table {name} has no column {pattern!r}: {closest(pattern, known)}")
            found |= dict.fromkeys(fitting)
        if not found:
            raise OutputError("--columns is empty: name columns, or leave it out for all of them")
        return cls(results, name, list(found), where)

    def check(self) -> None:
        """Read nothing but what says whether the expression is valid.

        Raises:
            OutputError: it is not.
        """
        next(self.results.batches(self.name, self.columns, self.where), None)

    def first_rows(self, rows: int) -> "tuple[pyarrow.Table, int]":
        """Its first rows, and how many there are."""
        import pyarrow  # noqa: PLC0415  heavy

        first: list[pyarrow.RecordBatch] = []
        schema, total = None, 0
        for batch in self.results.batches(self.name, self.columns, self.where):
            schema = batch.schema
            if total < rows:
                first.append(batch.slice(0, rows - total))
            total += batch.num_rows
        if schema is None:
            return self.results.arrow(self.name, self.columns, self.where), 0
        return pyarrow.Table.from_batches(first, schema), total

    def write_csv(self, file: IO[bytes]) -> None:
        """Write it as CSV."""
        from pyarrow import csv  # noqa: PLC0415  heavy

        schema = self.results.arrow_schema(self.name, self.columns)
        with csv.CSVWriter(file, schema) as writer:
            for batch in self.results.batches(self.name, self.columns, self.where):
                writer.write_batch(batch)


def tables_document(run: Results) -> list[dict[str, Any]]:
    """What the tables of a run are."""
    return [
        {
            "name": name,
            "kind": run.schema(name).kind.value,
            "rows": run.rows(name),
            "columns": len(run.schema(name).columns),
        }
        for name in run.tables
    ]


def print_tables(run: Results) -> None:
    """One row for each table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Table", no_wrap=True)
    table.add_column("Rows", justify="right", no_wrap=True)
    table.add_column("Columns", justify="right", no_wrap=True)
    table.add_column("A row is", overflow="fold")
    for each in tables_document(run):
        kind = _ROWS[TableKind(each["kind"])]
        table.add_row(Text(each["name"]), f"{each['rows']:,}", f"{each['columns']:,}", kind)
    console = Console(highlight=False)
    console.print(table)
    if (plate_map := run.plate_map) is not None:
        console.print(Text(f"\nPlate map: {', '.join(plate_map.columns)}"))


def columns_document(part: Part) -> list[dict[str, Any]]:
    """What the columns of a table are."""
    schema = part.results.schema(part.name)
    types = part.results.arrow_schema(part.name, part.columns)
    found = []
    for field in types:
        measure = schema.measures.get(field.name)
        role = "key" if field.name in schema.keys else "plate map" if measure is None else "measure"
        found.append(
            {
                "name": field.name,
                "role": role,
                "measure": measure.measure if measure else "",
                "channel": measure.channel if measure else "",
                "unit": measure.unit if measure else "",
                "type": str(field.type),
            }
        )
    return found


def print_columns(part: Part) -> None:
    """One row for each column of a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Column", "Role", "Measure", "Channel", "Unit", "Type"):
        table.add_column(heading, overflow="fold")
    for column in columns_document(part):
        table.add_row(*(Text(str(value)) for value in column.values()))
    Console(highlight=False).print(table)


def print_rows(found: "pyarrow.Table", keys: Sequence[str], total: int) -> None:
    """Rows of a table, with as many columns as fit; keys that are the same in all of them are said once.

    Args:
        found: the rows.
        keys: the columns that are keys.
        total: number of rows of the table.
    """
    console = Console(highlight=False)
    texts = {name: [_cell(value) for value in found[name].to_pylist()] for name in found.column_names}
    same = {name: texts[name][0] for name in keys if name in texts and total > 1 and len(set(texts[name])) == 1}
    shown = [name for name in texts if name not in same]
    names = _fitting({name: texts[name] for name in shown}, console.width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        is_text = str(found.schema.field(name).type) == "string"
        table.add_column(Text(name), overflow="fold", justify="left" if is_text else "right")
    for row in zip(*(texts[name] for name in names), strict=True):
        table.add_row(*map(Text, row))
    console.print(table)
    notes = [plural(total - found.num_rows, "more row")] if total > found.num_rows else []
    more = len(shown) - len(names)
    notes += [f"{plural(more, 'more column')}, which --describe lists"] if more else []
    notes += [f"in all rows shown: {', '.join(f'{name} {value}' for name, value in same.items())}"] if same else []
    if notes:
        console.print(Text(f"({'; '.join(notes)})"))


def _fitting(texts: Mapping[str, Sequence[str]], width: int) -> list[str]:
    """The first columns that fit into a line; at least one."""
    names: list[str] = []
    for name, cells in texts.items():
        width -= max(map(len, (name, *cells))) + 2
        if width < -2 and names:
            break
        names.append(name)
    return names


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
