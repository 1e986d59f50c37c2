"""Table cells: conversion of the values and tables that functions return to cells and columns.

A cell is True or False, an integer (64 bits), a float, a string or empty. Anything else is rejected rather than
guessed.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COUNT_SUFFIX",
    "LABEL",
    "OBJECTS",
    "Cell",
    "CellError",
    "Column",
    "ColumnKind",
    "as_cell",
    "as_column",
    "as_table",
    "cell_text",
    "check_name",
    "common_kind",
    "is_missing",
    "kind_of",
]

Cell: TypeAlias = bool | int | float | str | None

COUNT_SUFFIX = "_count"
"""Columns with this suffix have whole numbers, which are summed up over a well and over the plate."""
LABEL, OBJECTS = "label", "objects"
"""The columns that, with the components of its image, identify an object: its number and its set."""

_LONGEST = 32_767
"""The most characters in a string that spreadsheets and all CSV readers accept."""
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_LARGEST_EXACT = 2**53
"""A double can represent all integers up to this one."""
_WANTED = "use a number, a string, True, False or None"


class CellError(ValueError):
    """A value that can't be stored in a cell; the message continues after "column x"."""


class ColumnKind(StrEnum):
    """The kinds of values in a column."""

    EMPTY = "empty"
    """It has no values, so it is compatible with every other kind."""
    BOOL = "true or false"
    INT = "whole numbers"
    WIDE = "whole numbers beyond 2**53"
    """A double would round some of them."""
    FLOAT = "numbers"
    TEXT = "text"


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Cells of one kind; None or NaN for missing values.

    Attributes:
        kind: The kind of the cells.
        values: The cells; numbers may be an array (n,) of float64 or int64, which is much smaller than a tuple.
    """

    kind: ColumnKind
    values: "tuple[Cell, ...] | NDArray[np.float64] | NDArray[np.int64]"

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells as Python values."""
        return self.values if isinstance(self.values, tuple) else tuple(self.values.tolist())

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Column) and (self.kind, self.cells) == (other.kind, other.cells)

    def __hash__(self) -> int:
        return hash((self.kind, self.cells))


def as_cell(value: object) -> Cell:
    """Convert a value to a cell; accepts numpy scalars, 0-d arrays, dates and times (as ISO 8601 text), too.

    Raises:
        CellError: If a cell can't store it exactly.
    """
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer) and not isinstance(value, np.timedelta64):
        return _whole(int(value))
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, float | np.floating):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if getattr(value, "shape", None) == () and hasattr(value, "item") and not isinstance(value, np.generic):
        return as_cell(value.item())
    raise CellError(f"{_described(value)}: {_WANTED}")


def as_column(values: object) -> Column:
    """Convert a list, tuple, range, 1-d array or data frame column to a column.

    A masked array of integers has whole numbers even if all of them are missing.

    Raises:
        CellError: If it is anything else, or its values can't be stored in cells of one kind.
    """
    if isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray):
        if values.ndim != 1:
            raise CellError(f"is an array of shape {values.shape}: give one value per object")
        if values.dtype.kind in "biuf":
            return _column_of_array(values)
    cells = tuple(as_cell(value) for value in _listed(values))
    kind = kind_of(cells)
    if kind is ColumnKind.EMPTY and isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "iu" and cells:
        kind = ColumnKind.INT
    if kind is ColumnKind.FLOAT:
        cells = tuple(None if cell is None else float(cell) for cell in cells)
    elif kind is not ColumnKind.EMPTY:
        cells = tuple(None if is_missing(cell) else cell for cell in cells)
    return Column(kind, cells)


def as_table(objects: object) -> dict[str, Column]:
    """Convert a mapping, a pandas or polars data frame, an Arrow table or a structured array to columns.

    Raises:
        CellError: If it is anything else, or a column can't be converted; the message names the column.
    """
    table: dict[str, Column] = {}
    for name, values in _named_columns(objects):
        check_name(name)
        if name in table:
            raise CellError(f"column {name!r} exists twice")
        try:
            table[name] = as_column(values)
        except CellError as error:
            raise CellError(f"column {name!r} {error}") from None
    if len({len(column) for column in table.values()}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in table.items())
        raise CellError(f"columns differ in length: {lengths}")
    return table


def check_name(name: object) -> None:
    """Raise CellError if a value can't be the name of a column."""
    if not isinstance(name, str) or not name.strip():
        raise CellError(f"column name {name!r} is not a string")
    if not name.isprintable():
        raise CellError(f"column name {name!r} has characters that can't be seen: leave them out")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise CellError(f"column name {name!r} can't be written as UTF-8") from None


def kind_of(cells: Iterable[Cell]) -> ColumnKind:
    """Return the kind of cells; raise CellError if they are of different kinds."""
    kind = ColumnKind.EMPTY
    for each in {_kind(cell) for cell in cells}:
        common = common_kind(kind, each)
        if common is None:
            raise CellError(f"has {kind} and {each}: use one kind of values")
        kind = common
    return kind


def common_kind(one: ColumnKind, other: ColumnKind) -> ColumnKind | None:
    """Return the kind of a column with cells of both kinds; None if a column can't have both."""
    kinds = {one, other} - {ColumnKind.EMPTY}
    if len(kinds) < 2:
        return next(iter(kinds), ColumnKind.EMPTY)
    if kinds == {ColumnKind.INT, ColumnKind.FLOAT}:
        return ColumnKind.FLOAT
    return ColumnKind.WIDE if kinds == {ColumnKind.INT, ColumnKind.WIDE} else None


def is_missing(cell: Cell) -> bool:
    """Return whether a cell has no value: None or NaN."""
    return cell is None or cell != cell


def cell_text(cell: Cell) -> str:
    """Return a cell as CSV: numbers so that they can be read back exactly, strings quoted if necessary.

    An empty string is ``""``, unlike a cell without a value.
    """
    if isinstance(cell, str):
        needs_quotes = not cell or cell != cell.strip() or any(sign in cell for sign in ',"\r\n')
        return '"' + cell.replace('"', '""') + '"' if needs_quotes else cell
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return repr(cell)


def _kind(cell: Cell) -> ColumnKind:
    if is_missing(cell):
        return ColumnKind.EMPTY
    if isinstance(cell, bool):
        return ColumnKind.BOOL
    if isinstance(cell, int):
        return ColumnKind.INT if abs(cell) <= _LARGEST_EXACT else ColumnKind.WIDE
    return ColumnKind.FLOAT if isinstance(cell, float) else ColumnKind.TEXT


def _whole(value: int) -> int:
    if not _SMALLEST <= value <= _LARGEST:
        raise CellError(f"has {value}, which does not fit in 64 bits: convert it with float() or str()")
    return value


def _number(value: float | np.floating[Any]) -> float:
    number = float(value)
    if isinstance(value, np.longdouble) and value == value and np.longdouble(number) != value:
        raise CellError(f"has {value!r}, which does not fit in 64 bits: convert it with float()")
    return number


def _text(value: str) -> str:
    text = str.__str__(value)
    if len(text) > _LONGEST:
        raise CellError(f"has a string of {len(text)} characters: a cell can have at most {_LONGEST}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CellError(f"has the string {text!r}, which can't be written as UTF-8") from None
    return text


def _column_of_array(values: NDArray[Any]) -> Column:
    match values.dtype.kind:
        case "b":
            return Column(ColumnKind.BOOL, tuple(values.tolist()))
        case "f" if values.dtype.itemsize <= 8:
            kind = ColumnKind.EMPTY if np.isnan(values).all() else ColumnKind.FLOAT
            return Column(kind, np.array(values, np.float64))
        case "f":
            return Column(ColumnKind.FLOAT, tuple(map(_number, values)))
    if not len(values):
        return Column(ColumnKind.EMPTY, ())
    lowest, highest = int(values.min()), _whole(int(values.max()))
    is_wide = max(highest, -lowest) > _LARGEST_EXACT
    return Column(ColumnKind.WIDE if is_wide else ColumnKind.INT, np.array(values, np.int64))


def _listed(values: object) -> Iterable[object]:
    """Return the values of any ordered collection."""
    if isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray | memoryview):
        return values
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise CellError(f"is an array of shape {values.shape}: give one value per object")
        return list(values)
    for name in ("to_pylist", "to_list", "tolist"):  # Arrow; pandas and polars; tensors
        convert = getattr(values, name, None)
        if callable(convert) and getattr(values, "ndim", 1) == 1:
            listed = convert()
            if isinstance(listed, list):
                return listed
    raise CellError(f"{_described(values)}: use a list or an array with one value per object")


def _named_columns(objects: object) -> list[tuple[Any, object]]:
    if isinstance(objects, Mapping):
        _check_order(objects, objects.values())
        return list(objects.items())
    if isinstance(objects, np.ndarray) and objects.dtype.names:
        return [(name, objects[name]) for name in objects.dtype.names]
    frame: Any = objects
    if hasattr(frame, "iloc") and hasattr(frame, "columns"):  # pandas
        return _columns_of_pandas(frame)
    if hasattr(frame, "get_column") and hasattr(frame, "columns"):  # polars
        return [(name, frame.get_column(name)) for name in frame.columns]
    if hasattr(frame, "column_names") and hasattr(frame, "column"):  # Arrow
        return [(name, frame.column(place)) for place, name in enumerate(frame.column_names)]
    raise CellError(f"objects {_described(objects)}: use a dict of columns, or a data frame")


def _columns_of_pandas(frame: Any) -> list[tuple[Any, object]]:
    names = list(frame.columns)
    columns: list[tuple[Any, object]] = [(name, frame.iloc[:, place]) for place, name in enumerate(names)]
    if "label" in names:
        return columns
    if frame.index.name == "label":
        return [("label", frame.index), *columns]
    _check_order({}, [frame])
    return columns


def _check_order(names: Mapping[Any, object], holders: Iterable[object]) -> None:
    """Check that rows without labels are in their original order, which tells which object each row belongs to."""
    if "label" in names:
        return
    for holder in holders:
        index = getattr(holder, "index", None)
        if index is not None and not callable(index) and not getattr(index, "is_monotonic_increasing", True):
            raise CellError("objects have been reordered: add a column label, or restore the order of the labels")


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"is an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, np.generic):
        return f"has a value of type {value.dtype}"
    kind = type(value).__name__
    return f"has {'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
