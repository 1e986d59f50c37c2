"""The tables of a plate as Parquet, made from the CSV tables; needs the extra ``parquet`` (pyarrow).

``well`` and ``objects`` are strings; ``site``, ``channel``, ``z_index``, ``timepoint``, ``label`` and every
``..._count`` are 64-bit integers. Columns of True and False are bool, columns of text are strings. All other numbers
are 64-bit floats, so that the tables of different plates have the same types, except for whole numbers that a float
would round: these are 64-bit integers. An empty cell is null.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.tables import OBJECT_KEY, columns_of
from openhcs_runtime.pipeline.cells import COUNT_SUFFIX, OBJECTS, ColumnKind

MISSING = "no Parquet tables were written because pyarrow is not installed: pip install 'openhcs-runtime[parquet]'"
_BLOCK_BYTES = 8 << 20


def can_write() -> bool:
    """Return whether pyarrow is installed."""
    return importlib.util.find_spec("pyarrow") is not None


def write_parquet(source: Path, target: Path, kinds: Mapping[str, ColumnKind]) -> None:
    """Write a CSV table as Parquet, in blocks.

    Args:
        source: the CSV table.
        target: the Parquet file.
        kinds: kind of each column, except those of the key.

    Raises:
        OutputError: the file cannot be written, or a cell does not fit the kind of its column.
    """
    import pyarrow  # noqa: PLC0415  an extra, and heavy
    from pyarrow import csv, parquet  # noqa: PLC0415

    types = {
        "text": pyarrow.string(),
        "whole": pyarrow.int64(),
        "number": pyarrow.float64(),
        "bool": pyarrow.bool_(),
    }
    schema = pyarrow.schema([(name, types[_type(name, kinds)]) for name in columns_of(source)])
    convert = csv.ConvertOptions(
        column_types=schema,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=["true"],
        false_values=["false"],
    )
    read = csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    parse = csv.ParseOptions(newlines_in_values=True)
    try:
        with (
            writing_to(target),
            atomic_file(target) as file,
            parquet.ParquetWriter(file, schema, compression="zstd") as writer,
            csv.open_csv(source, read_options=read, parse_options=parse, convert_options=convert) as reader,
        ):
            for batch in reader:
                writer.write_batch(batch)
    except pyarrow.ArrowInvalid as error:
        raise OutputError(f"{target} can't be made from {source.name}: {error}") from error


def _type(column: str, kinds: Mapping[str, ColumnKind]) -> str:
    if column in ("well", OBJECTS):
        return "text"
    if column in OBJECT_KEY:
        return "whole"
    match kinds.get(column, ColumnKind.EMPTY):
        case ColumnKind.BOOL:
            return "bool"
        case ColumnKind.TEXT:
            return "text"
        case ColumnKind.WIDE:
            return "whole"
        case ColumnKind.FLOAT:
            return "number"
        case ColumnKind.INT | ColumnKind.EMPTY:
            return "whole" if column.endswith(COUNT_SUFFIX) else "number"
