"""Reads the cells of the first sheet of an Excel file."""

import datetime
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map.layouts import Line
from openhcs_runtime.plate_map.values import RawCell

if TYPE_CHECKING:
    from collections.abc import Iterator

ZIPPED = b"PK\x03\x04"
"""What files of Excel begin with since 2007."""
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
"""What they began with before, and what encrypted ones begin with."""


def excel_lines(data: bytes, path: Path) -> list[Line]:
    """Return the lines of the first sheet of an Excel file, with the values that its formulas had when it was saved.

    Raises:
        PlateMapError: it is not an Excel file, a formula has no value, or openpyxl is not installed.
    """
    _check_kind(data, path)
    try:
        from openpyxl.utils import get_column_letter  # noqa: PLC0415  an extra
        from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415
    except ImportError:
        raise PlateMapError(
            f"{path} is an Excel file, and openpyxl is not installed: pip install 'openhcs-runtime[xlsx]', or save it "
            "as CSV"
        ) from None
    try:
        rows, formulas = (list(_rows(data, values=values)) for values in (True, False))
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, IndexError) as error:
        raise PlateMapError(f"{path} is not a valid Excel file ({error}): save it as .xlsx again") from error
    for number, (row, written) in enumerate(zip(rows, formulas, strict=True), start=1):
        for column, (cell, formula) in enumerate(zip(row, written, strict=True), start=1):
            # a formula with an empty text as its value has the type of a text
            if formula.data_type == "f" and cell.value is None and cell.data_type == "n":
                raise PlateMapError(
                    f"{path}: cell {get_column_letter(column)}{number} has a formula without a value: open the file in "
                    "Excel and save it, or replace the formula by its value"
                )
    return [Line(number, _cells([cell.value for cell in row])) for number, row in enumerate(rows, start=1)]


def _check_kind(data: bytes, path: Path) -> None:
    if data.startswith(OLD_EXCEL):
        raise PlateMapError(f"{path} is an old or encrypted Excel file: save it as .xlsx without a password, or as CSV")
    if not data.startswith(ZIPPED) and b"\0" not in data:
        raise PlateMapError(f"{path} is not a valid Excel file, but text: rename it to .csv")


def _rows(data: bytes, *, values: bool) -> "Iterator[tuple[Any, ...]]":
    """Yield the rows of the first sheet, with values or formulas."""
    from openpyxl import load_workbook  # noqa: PLC0415  an extra

    book = load_workbook(io.BytesIO(data), read_only=True, data_only=values)
    try:
        yield from book.worksheets[0].iter_rows()
    finally:
        book.close()


def _cells(row: Sequence[object]) -> list[RawCell]:
    known: list[RawCell] = []
    for cell in row:
        known.append(cell if isinstance(cell, (str, int, float, bool)) or cell is None else _iso(cell))
    while known and known[-1] is None:
        known.pop()
    return known


def _iso(cell: object) -> str:
    """Return a date or a time as text; a date is stored as its midnight."""
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    iso = getattr(cell, "isoformat", None)
    return str(iso()) if callable(iso) else str(cell)
