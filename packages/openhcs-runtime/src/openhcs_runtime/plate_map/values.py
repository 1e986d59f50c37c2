"""The values of a plate map: numbers, texts and yes/no, one kind per column, with empty cells as None."""

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

MapValue = str | int | float | bool
"""A value of a plate map; an empty cell is None."""

RawCell = str | int | float | bool | datetime.date | datetime.time | datetime.timedelta | None
"""A cell as a file has it: always text in CSV, typed in Excel and JSON."""

_MISSING = frozenset({"", "nan", "na", "n/a", "#n/a"})
_INTEGER = re.compile(r"[+-]?(0|[1-9]\d*)")
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d+)?")
_PLAIN_EXPONENT = re.compile(r"[+-]?\d+[eE]\d+")
"""Such as 1E5, which may be a well of another plate; spreadsheets write numbers as 1E+05."""
_TRUTH = {"true": True, "false": False}
_INT64 = range(-(2**63) + 1, 2**63)
"""Whole numbers that a column of a table can have; some programs take the lowest one for a missing value."""
_MOST_DIGITS = 400
_EXACT_FLOATS = range(-(2**53), 2**53 + 1)
"""Whole numbers that stay as they are as floats."""


class ColumnKind(StrEnum):
    """What the values of a column are."""

    NUMBER = "numbers"
    TEXT = "text"
    TRUTH = "true or false"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What is known of a column when an expression is checked.

    Attributes:
        kind: what its values are.
        why_text: of a column of texts, the first cell that is not a number and how to write it; empty for others.
    """

    kind: ColumnKind
    why_text: str = ""


def typed_column(cells: Mapping[str, RawCell], *, decimal_comma: bool = False) -> dict[str, MapValue | None]:
    """Return the values of a column by well, all of one kind.

    A column is numeric only if each of its values is a number. ``007`` and ``1E5`` are texts, so that identifiers stay
    as they are; in scientific notation a number has a point or a signed exponent, as ``1.0E5``, ``1E+05`` and
    ``1e-06`` do. A column is text, too, if it has a whole number that would be rounded: one of more than 64 bits, as
    long barcodes are, or one above 2**53 in a column that also has fractions.

    Args:
        cells: the cells by well.
        decimal_comma: whether ``0,5`` is a number.

    Returns:
        The values, None for empty cells.
    """
    present = {well: cell for well, cell in cells.items() if not _is_missing(cell)}
    values: Mapping[str, MapValue]
    if all(isinstance(cell, bool) or str(cell).strip().lower() in _TRUTH for cell in present.values()):
        values = {well: _TRUTH[str(cell).strip().lower()] for well, cell in present.items()}
    else:
        values = _numbers(present, decimal_comma) or {well: _text(cell) for well, cell in present.items()}
    return {well: values.get(well) for well in cells}


def kind_of(values: Sequence[MapValue | None]) -> ColumnKind:
    """Return the kind of the values of a column."""
    first = next((value for value in values if value is not None), None)
    if first is None:
        return ColumnKind.EMPTY
    if isinstance(first, bool):
        return ColumnKind.TRUTH
    return ColumnKind.TEXT if isinstance(first, str) else ColumnKind.NUMBER


def type_of(values: Mapping[str, MapValue | None], *, decimal_comma: bool = False) -> ColumnType:
    """Return what is known of a column from its values by well.

    Args:
        values: the values, as ``typed_column`` returns them.
        decimal_comma: whether ``0,5`` is a number.
    """
    kind = kind_of(list(values.values()))
    if kind is not ColumnKind.TEXT:
        return ColumnType(kind)
    numbers = {well: _number(value, decimal_comma) for well, value in values.items() if value is not None}
    for well, number in numbers.items():
        if number is None:
            return ColumnType(kind, f"well {well} has {values[well]!r}, {_rewritten(str(values[well]))}")
    for well, number in numbers.items():
        if isinstance(number, int) and number not in _EXACT_FLOATS:
            return ColumnType(kind, f"well {well} has {number}, which a number can't hold exactly")
    return ColumnType(kind)


def _rewritten(text: str) -> str:
    """Return why a text is not a number, and what to write for one."""
    if _PLAIN_EXPONENT.fullmatch(text):
        mantissa, exponent = re.split("[eE]", text)
        return f"which may be a name: write {mantissa}.0e{exponent} if it is a number"
    if re.fullmatch(r"[+-]?0+\d+", text, re.ASCII):
        return f"which may be a name: write {int(text)} if it is a number"
    return "which is not a number: write one, or leave the cell empty"


def _is_missing(cell: RawCell) -> bool:
    if isinstance(cell, float) and math.isnan(cell):
        return True
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in _MISSING)


def _numbers(cells: Mapping[str, RawCell], decimal_comma: bool) -> dict[str, MapValue]:
    """Return the cells as numbers; empty if one of them is not a number, or would be rounded."""
    numbers: dict[str, int | float] = {}
    for well, cell in cells.items():
        number = _number(cell, decimal_comma)
        if number is None:
            return {}
        numbers[well] = number
    whole = [number for number in numbers.values() if isinstance(number, int)]
    if len(whole) == len(numbers):
        return dict(numbers) if all(number in _INT64 for number in whole) else {}
    if not all(number in _EXACT_FLOATS for number in whole):
        return {}
    return {well: float(number) for well, number in numbers.items()}


def _number(cell: RawCell, decimal_comma: bool) -> int | float | None:
    if isinstance(cell, int) and not isinstance(cell, bool):
        return cell
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    if decimal_comma and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    if len(text) > _MOST_DIGITS:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if not any(map(str.isdigit, text)) or _PLAIN_EXPONENT.fullmatch(text) or not _NUMBER.fullmatch(text):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(cell: RawCell) -> str:
    """Return a cell as text; a whole number of a spreadsheet without the ``.0`` it is stored with."""
    if isinstance(cell, float) and cell.is_integer() and int(cell) in _EXACT_FLOATS:
        return str(int(cell))
    if isinstance(cell, (datetime.date, datetime.time)):
        return cell.isoformat()
    return str(cell).strip()
