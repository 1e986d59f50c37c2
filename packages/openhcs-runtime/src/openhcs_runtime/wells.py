"""The names of wells and their places on a plate."""

import functools
import re

__all__ = ["MAX_COLUMNS", "MAX_ROWS", "normal_well", "well_name", "well_position"]

MAX_ROWS = 32
MAX_COLUMNS = 48
_WELL = re.compile(r"([A-Za-z]{1,2})(\d{1,2})")


def well_name(row: int, column: int) -> str:
    """Return the name of a well from its row and column, counted from 0: ``(0, 0)`` is A01, ``(31, 47)`` is AF48.

    Raises:
        ValueError: the position is outside a 1536-well plate.
    """
    if not (0 <= row < MAX_ROWS and 0 <= column < MAX_COLUMNS):
        raise ValueError(f"row {row}, column {column} is outside a 1536-well plate")
    letters = chr(ord("A") + row) if row < 26 else "A" + chr(ord("A") + row - 26)
    return f"{letters}{column + 1:02d}"


@functools.lru_cache(maxsize=8192)
def normal_well(text: str) -> str:
    """Return the name of a well as ``well_name`` does, for another spelling of it, such as ``b6``.

    Raises:
        ValueError: it is not the name of a well in a 1536-well plate.
    """
    return well_name(*well_position(text))


def well_position(name: str) -> tuple[int, int]:
    """Return row and column of a well, counted from 0; the inverse of ``well_name``, and the sort key of wells.

    Raises:
        ValueError: it is not the name of a well in a 1536-well plate.
    """
    match = _WELL.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not a well name; expected a form like B06")
    letters, column = match[1].upper(), int(match[2]) - 1
    row = ord(letters[-1]) - ord("A") + 26 * (len(letters) - 1)
    if len(letters) == 2 and letters[0] != "A":
        raise ValueError(f"{name!r} is not a well of a 1536-well plate (A01 to AF48)")
    if not (0 <= row < MAX_ROWS and 0 <= column < MAX_COLUMNS):
        raise ValueError(f"{name!r} is not a well of a 1536-well plate (A01 to AF48)")
    return row, column
