"""The tables of a plate as Parquet, made from the CSV ones; needs the extra `parquet` (pyarrow).

Types come from the names of the columns and not from what happens to be in them, so the tables of all plates fit
together: well is text; site, channel, z_index, timepoint, label and every `..._count` are 64-bit integers; all else is
64-bit floats. An empty cell is null. A column with text in it, which only a function of one's own can give, is text.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from openhcs_runtime.outputs.atomic import atomic_file, writing_to
from openhcs_runtime.outputs.tables import KEY_COLUMNS, columns_of

MISSING = "no Parquet tables are written, as pyarrow is not installed: pip install 'openhcs-runtime[parquet]'"
_BLOCK_BYTES = 8 << 20


def can_write() -> bool:
    """Whether pyarrow is there."""
    return importlib.util.find_spec("pyarrow") is not None


def write_parquet(source: Path, target: Path) -> None:
    """Write the CSV table `source` as Parquet, a part at a time. Raises OutputError."""
    import pyarrow  # noqa: PLC0415  an extra, and heavy

    with writing_to(target):
        columns = columns_of(source)
        try:
            _convert(source, target, columns, texts=())
        except pyarrow.ArrowInvalid:
            _convert(source, target, columns, texts=_with_text(source, columns))


def _convert(source: Path, target: Path, columns: Sequence[str], texts: Sequence[str]) -> None:
    import pyarrow  # noqa: PLC0415
    from pyarrow import csv, parquet  # noqa: PLC0415

    kinds = {"text": pyarrow.string(), "whole": pyarrow.int64(), "number": pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds["text" if name in texts else _kind(name)]) for name in columns])
    convert = csv.ConvertOptions(column_types=schema, null_values=[""], strings_can_be_null=True)
    read = csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    with (
        atomic_file(target) as file,
        parquet.ParquetWriter(file, schema, compression="zstd") as writer,
        csv.open_csv(source, read_options=read, convert_options=convert) as reader,
    ):
        for batch in reader:
            writer.write_batch(batch)


def _kind(column: str) -> str:
    if column == "well":
        return "text"
    return "whole" if column in KEY_COLUMNS or column == "label" or column.endswith("_count") else "number"


def _with_text(source: Path, columns: Sequence[str]) -> list[str]:
    """The columns in which something is not a number."""
    from pyarrow import ArrowInvalid, compute, csv, float64, string  # noqa: PLC0415

    texts = []
    for name in columns:
        table = csv.read_csv(
            source, convert_options=csv.ConvertOptions(column_types={name: string()}, include_columns=[name])
        )
        values = table[name]
        try:
            compute.cast(values.filter(compute.not_equal(values, "")), float64())
        except ArrowInvalid:
            texts.append(name)
    return texts
