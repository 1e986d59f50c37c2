"""The table of a sweep, with a row for each combination of values and each well."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.pipeline.cells import Cell


def write_table(path: Path, rows: Sequence[Mapping[str, Cell]], first: Sequence[str], last: Sequence[str]) -> None:
    r"""Write a CSV table as in RFC 4180 with ``\n`` line ends; a cell without a value is empty.

    Args:
        path: the file.
        rows: the rows, which need not have the same columns.
        first: columns at the beginning.
        last: columns at the end.

    Raises:
        OutputError: the file can't be written.
    """
    between = dict.fromkeys(name for row in rows for name in row if name not in first and name not in last)
    columns = [*first, *between, *last]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow("" if (value := row.get(name)) is None else value for name in columns)
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())
