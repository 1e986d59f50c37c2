"""Turns an Arrow table into a data frame of pandas or polars."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from openhcs_runtime.exceptions import OutputError

if TYPE_CHECKING:
    import pyarrow


class FrameLibrary(StrEnum):
    """A library of data frames."""

    PANDAS = "pandas"
    POLARS = "polars"


def to_frame(table: "pyarrow.Table", library: FrameLibrary) -> Any:
    """Return a table as a data frame; whole numbers and truth values with gaps keep their type in both libraries.

    Raises:
        OutputError: the library is not installed.
    """
    try:
        return _pandas(table) if library is FrameLibrary.PANDAS else _polars(table)
    except ImportError as error:
        raise OutputError(
            f"{library} is not installed: pip install 'openhcs-runtime[{library}]', or read the table with arrow()"
        ) from error


def _pandas(table: "pyarrow.Table") -> Any:
    import pandas  # noqa: PLC0415  an extra
    import pyarrow  # noqa: PLC0415  heavy

    with_gaps = {pyarrow.int64(): pandas.Int64Dtype(), pyarrow.bool_(): pandas.BooleanDtype()}
    types = {
        field.name: with_gaps[field.type]
        for field, column in zip(table.schema, table.columns, strict=True)
        if field.type in with_gaps and column.null_count
    }
    frame = table.replace_schema_metadata(None).to_pandas(
        integer_object_nulls=True, types_mapper=None, split_blocks=True, self_destruct=False
    )
    return frame.astype(types) if types else frame


def _polars(table: "pyarrow.Table") -> Any:
    import polars  # noqa: PLC0415  an extra

    return polars.from_arrow(table)
