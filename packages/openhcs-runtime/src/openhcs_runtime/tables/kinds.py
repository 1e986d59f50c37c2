"""Kinds of the columns of tables: how those of several wells go together, and the type that Arrow has for each."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.pipeline.cells import Cell, ColumnKind, common_kind
from openhcs_runtime.tables.arrow import arrow_column

if TYPE_CHECKING:
    import pyarrow

Kinds = dict[str, ColumnKind]
"""Kind of each column of a table, except those of its key."""


def add_kinds(kinds: Kinds, new: Mapping[str, ColumnKind], well: str, first: dict[str, str]) -> None:
    """Merge the column kinds of a well into ``kinds``; ``first`` remembers which well determined each kind.

    Raises:
        OutputError: a column has values of several kinds.
    """
    for name, kind in new.items():
        known = kinds.get(name, ColumnKind.EMPTY)
        common = common_kind(known, kind)
        if common is None:
            where = f"in well {first[name]} " if name in first else ""
            raise OutputError(f"column {name} has {known} {where}and {kind} in well {well}: return values of one kind")
        kinds[name] = common
        if kind is not ColumnKind.EMPTY:
            first.setdefault(name, well)


def arrow_type(kind: ColumnKind) -> "pyarrow.DataType":
    """Return the type of a column; one without any values has numbers."""
    import pyarrow  # noqa: PLC0415  heavy

    match kind:
        case ColumnKind.BOOL:
            return pyarrow.bool_()
        case ColumnKind.TEXT:
            return pyarrow.string()
        case ColumnKind.INT | ColumnKind.WIDE:
            return pyarrow.int64()
        case ColumnKind.FLOAT | ColumnKind.EMPTY:
            return pyarrow.float64()


def arrow_array(cells: Sequence[Cell], kind: ColumnKind) -> "pyarrow.Array":
    """Return cells as an Arrow array; None and NaN are null."""
    return arrow_column(cells, arrow_type(kind))
