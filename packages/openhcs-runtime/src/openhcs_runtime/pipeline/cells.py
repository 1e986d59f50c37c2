"""What a cell of a table may hold: turns the values and tables that functions give into cells and columns.

A cell is True or False, a whole number (64 bits), a number, a text or nothing. What is none of these is refused rather
than guessed.
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
"""Columns that end so are whole numbers, and are summed up over a well and over the plate."""
LABEL, OBJECTS = "label", "objects"
"""The columns that, with the components of its image, tell each object from all others: its number and its set."""

_LONGEST = 32_767
"""Characters of a text: what spreadsheets hold, and all readers of CSV."""
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_LARGEST_EXACT = 2**53
"""Up to here a double holds every whole number."""
_WANTED = "give a number, a text, True, False or None"


class CellError(ValueError):
    """A value that no cell holds; the text goes on from "column x"."""


class ColumnKind(StrEnum):
    """What the cells of a column are."""

    EMPTY = "empty"
    """There is no value in it, so that it goes with every other kind."""
    BOOL = "true or false"
    INT = "whole numbers"
    WIDE = "whole numbers beyond 2**53"
    """Some of them are such that a double would round them."""
    FLOAT = "numbers"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Column:
    """Cells of one kind; None, and not-a-number, where there is no value."""

    kind: ColumnKind
    cells: tuple[Cell, ...]

    def __len__(self) -> int:
        return len(self.cells)


def as_cell(value: object) -> Cell:
    """The cell for a value: also for numpy scalars, arrays without axes, dates and times (as ISO 8601 text).

    Raises:
        CellError: No cell holds it exactly.
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
    """The column for a list, tuple, range, array of one axis, or column of a data frame.

    Raises:
        CellError: It is something else, or holds what no cell or no single kind of cells can.
    """
    if isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray):
        if values.ndim != 1:
            raise CellError(f"is an array of shape {values.shape}: give one value per object")
        if values.dtype.kind in "biuf":
            return _column_of_array(values)
    cells = tuple(as_cell(value) for value in _listed(values))
    kind = kind_of(cells)
    if kind is ColumnKind.FLOAT:
        cells = tuple(None if cell is None else float(cell) for cell in cells)
    elif kind is not ColumnKind.EMPTY:
        cells = tuple(None if is_missing(cell) else cell for cell in cells)
    return Column(kind, cells)


def as_table(objects: object) -> dict[str, Column]:
    """The columns of a mapping, a data frame of pandas or polars, a table of Arrow, or a structured array.

    Raises:
        CellError: It is something else; or a column, which is named, can't be one.
    """
    table: dict[str, Column] = {}
    for name, values in _named_columns(objects):
        check_name(name)
        if name in table:
            raise CellError(f"column {name!r} is there twice")
        try:
            table[name] = as_column(values)
        except CellError as error:
            raise CellError(f"column {name!r} {error}") from None
    if len({len(column) for column in table.values()}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in table.items())
        raise CellError(f"columns are of different lengths: {lengths}")
    return table


def check_name(name: object) -> None:
    """See that it can be the name of a column. Raises CellError."""
    if not isinstance(name, str) or not name.strip():
        raise CellError(f"column name {name!r} is not a text")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise CellError(f"column name {name!r} can't be written as UTF-8") from None


def kind_of(cells: Iterable[Cell]) -> ColumnKind:
    """The kind of all of these cells. Raises CellError where they are of different kinds."""
    kind = ColumnKind.EMPTY
    for each in {_kind(cell) for cell in cells}:
        common = common_kind(kind, each)
        if common is None:
            raise CellError(f"has {kind} and {each}: give one kind of values")
        kind = common
    return kind


def common_kind(one: ColumnKind, other: ColumnKind) -> ColumnKind | None:
    """The kind of a column with cells of both kinds; None where no column should have both."""
    kinds = {one, other} - {ColumnKind.EMPTY}
    if len(kinds) < 2:
        return next(iter(kinds), ColumnKind.EMPTY)
    if kinds == {ColumnKind.INT, ColumnKind.FLOAT}:
        return ColumnKind.FLOAT
    return ColumnKind.WIDE if kinds == {ColumnKind.INT, ColumnKind.WIDE} else None


def is_missing(cell: Cell) -> bool:
    """Whether there is no value: None, or not a number."""
    return cell is None or cell != cell


def cell_text(cell: Cell) -> str:
    """A cell of a CSV table: a number so that it is read back exactly, a text quoted where it must be.

    An empty text is `""`, which tells it from a cell without a value.
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
        raise CellError(f"has {value}, which 64 bits don't hold: give it as float() or str()")
    return value


def _number(value: float | np.floating[Any]) -> float:
    number = float(value)
    if isinstance(value, np.longdouble) and value == value and np.longdouble(number) != value:
        raise CellError(f"has {value!r}, which 64 bits don't hold: give it as float()")
    return number


def _text(value: str) -> str:
    text = str.__str__(value)
    if len(text) > _LONGEST:
        raise CellError(f"has a text of {len(text)} characters: a cell holds up to {_LONGEST}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CellError(f"has the text {text!r}, which can't be written as UTF-8") from None
    return text


def _column_of_array(values: NDArray[Any]) -> Column:
    match values.dtype.kind:
        case "b":
            return Column(ColumnKind.BOOL, tuple(values.tolist()))
        case "f" if values.dtype.itemsize <= 8:
            kind = ColumnKind.EMPTY if np.isnan(values).all() else ColumnKind.FLOAT
            return Column(kind, tuple(values.tolist()))
        case "f":
            return Column(ColumnKind.FLOAT, tuple(map(_number, values)))
    cells = tuple(values.tolist())
    if not cells:
        return Column(ColumnKind.EMPTY, cells)
    lowest, highest = min(cells), _whole(max(cells))
    is_wide = max(highest, -lowest) > _LARGEST_EXACT
    return Column(ColumnKind.WIDE if is_wide else ColumnKind.INT, cells)


def _listed(values: object) -> Iterable[object]:
    """The values one by one, of whatever holds them in order."""
    if isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray | memoryview):
        return values
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise CellError(f"is an array of shape {values.shape}: give one value per object")
        return list(values)
    for name in ("to_pylist", "to_list", "tolist"):  # of Arrow; of pandas and polars; of tensors
        convert = getattr(values, name, None)
        if callable(convert) and getattr(values, "ndim", 1) == 1:
            listed = convert()
            if isinstance(listed, list):
                return listed
    raise CellError(f"{_described(values)}: give a list or an array with one value per object")


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
    raise CellError(f"objects {_described(objects)}: give a dict of columns, or a data frame")


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
    """Without labels the order of the rows says which object each is of: one that was sorted by something else lies."""
    if "label" in names:
        return
    for holder in holders:
        index = getattr(holder, "index", None)
        if index is not None and not callable(index) and not getattr(index, "is_monotonic_increasing", True):
            raise CellError("objects were put into another order: give a column label, or sort them by it")


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"is an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, np.generic):
        return f"has a value of type {value.dtype}"
    kind = type(value).__name__
    return f"has {'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
