"""Writes tables as Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.tables.parquet import parquet_options
from openhcs_runtime.tables.schema import TableSchema, encode_schema

if TYPE_CHECKING:
    import pyarrow


def write_table(path: Path, schema: TableSchema, table: "pyarrow.Table", *, sync: bool = True) -> None:
    """Write a table as one Parquet file.

    Args:
        path: the file.
        schema: what its columns are.
        table: the table, with exactly these columns.
        sync: whether the file is synced to disk.

    Raises:
        OutputError: the file can't be written.
    """
    from pyarrow import parquet  # noqa: PLC0415  heavy

    assert tuple(table.column_names) == schema.columns
    described = table.replace_schema_metadata(encode_schema(schema))
    with writing_to(path), atomic_file(path, sync=sync) as file:
        parquet.write_table(described, file, **parquet_options(described.schema))
