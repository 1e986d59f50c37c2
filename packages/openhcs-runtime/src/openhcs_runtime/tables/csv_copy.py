"""Writes a table as CSV, from its Parquet file and in batches of rows."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.tables.places import table_path

if TYPE_CHECKING:
    import pyarrow


def write_csv(run: Path, name: str) -> Path:
    """Write the table of a run as ``<run>/tables/<name>.csv``.

    Raises:
        OutputError: the file can't be written.
    """
    from pyarrow import parquet  # noqa: PLC0415  heavy

    source = table_path(run, name)
    target = source.with_suffix(".csv")
    with parquet.ParquetFile(source) as table:
        write_batches(target, table.schema_arrow, table.iter_batches())
    return target


def write_batches(path: Path, schema: "pyarrow.Schema", batches: Iterable["pyarrow.RecordBatch"]) -> None:
    """Write batches of rows as CSV (RFC 4180): an empty cell is a missing value, and an empty text is ``""``.

    Raises:
        OutputError: the file can't be written.
    """
    from pyarrow import csv  # noqa: PLC0415  heavy

    with (
        writing_to(path),
        atomic_file(path) as file,
        csv.CSVWriter(file, schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
