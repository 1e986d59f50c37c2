"""Reads a plate map from a CSV, Excel or JSON file."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map.excel import OLD_EXCEL, ZIPPED, excel_lines
from openhcs_runtime.plate_map.layouts import Columns, Line, columns_of, names_wells
from openhcs_runtime.plate_map.plate_map import PlateMap, PlateMapFile
from openhcs_runtime.plate_map.values import typed_column
from openhcs_runtime.wells import well_position

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
EXCEL_SUFFIXES = (".xlsx", ".xlsm")
SUFFIXES = (*TEXT_SUFFIXES, *EXCEL_SUFFIXES, ".json")


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a plate map in a text file is written.

    Attributes:
        delimiter: what separates the cells.
        is_list: whether it has a row for each well, and not matrices of letters by numbers.
        has_comments: whether it has lines that begin with ``#``.
    """

    delimiter: str
    is_list: bool
    has_comments: bool


_MOST_BYTES = 50_000_000
_DELIMITERS = (";", "\t", ",")


def read_plate_map(path: Path) -> PlateMap:
    """Read a plate map.

    Args:
        path: a CSV file (separated by commas, semicolons or tabs; UTF-8 or Latin-1), the first sheet of an Excel file,
            or a JSON file. See ``docs/howto-try-and-sweep.md`` for the layouts.

    Raises:
        PlateMapError: the file can't be read, a line is not valid, or openpyxl is not installed.
    """
    return parse_plate_map(read_content(path), path)


def parse_plate_map(data: bytes, path: Path) -> PlateMap:
    """Read a plate map from the content of a file, which need not be on disk.

    Args:
        data: the content.
        path: the file, whose ending says what the content is; messages name it.

    Raises:
        PlateMapError: the content is not valid, or openpyxl is not installed.
    """
    suffix = path.suffix.lower()
    columns, decimal_comma = _columns(data, path, suffix)
    wells = tuple(sorted(columns.wells, key=well_position))
    return PlateMap(
        file=PlateMapFile(str(path), digest_of_plate_map(data)),
        columns=tuple(columns.cells),
        wells=wells,
        values={
            title: typed_column({well: cells.get(well) for well in wells}, decimal_comma=decimal_comma)
            for title, cells in columns.cells.items()
        },
        decimal_comma=decimal_comma,
    )


def _columns(data: bytes, path: Path, suffix: str) -> tuple[Columns, bool]:
    """Return the columns, and whether a number may have a comma."""
    if suffix in EXCEL_SUFFIXES:
        return columns_of(excel_lines(data, path), str(path)), False
    if suffix == ".json":
        return _json_columns(data, path), False
    if suffix in TEXT_SUFFIXES:
        if data.startswith((ZIPPED, OLD_EXCEL)):
            raise PlateMapError(f"{path} is an Excel file, not text: rename it to .xlsx, or save it as CSV")
        text = _decoded(data)
        delimiter = _delimiter(text)
        return columns_of(_text_lines(text, delimiter, path), str(path)), delimiter != ","
    raise PlateMapError(f"{path} is not a plate map: give a file ending in {', '.join(SUFFIXES)}")


def text_form(data: bytes) -> TextForm:
    """Return how the content of a plate map in a text file is written.

    Args:
        data: the content of a file that can be read.
    """
    text = _decoded(data)
    delimiter = _delimiter(text)
    lines = [line for line in _text_lines(text, delimiter, Path()) if not line.is_empty]
    filled = [line for line in lines if not line.text(0).startswith("#")]
    return TextForm(delimiter, bool(filled) and names_wells(filled[0]), len(filled) < len(lines))


def digest_of_plate_map(data: bytes) -> str:
    """Return the BLAKE2b digest (16 bytes, hexadecimal) of the content of a plate map."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read_content(path: Path) -> bytes:
    """Return the content of a plate map.

    Raises:
        PlateMapError: the file is not there, is too large or can't be read.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise PlateMapError(f"{path} is larger than {_MOST_BYTES // 1_000_000} MB: give a plate map")
        return path.read_bytes()
    except FileNotFoundError:
        raise PlateMapError(f"no such plate map: {path}") from None
    except OSError as error:
        raise PlateMapError(f"plate map {path} can't be read: {error.strerror or error}") from error


def _decoded(data: bytes) -> str:
    """Return the text of a file: UTF-8 and UTF-16 with or without a mark, or Latin-1 as spreadsheets write it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _delimiter(text: str) -> str:
    """Return the separator that most lines at the beginning have most often."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")][:20]
    counts = {delimiter: sum(line.count(delimiter) for line in lines) for delimiter in _DELIMITERS}
    in_all = {d: count for d, count in counts.items() if count and lines and d in lines[0]}
    considered = in_all or counts
    if considered.get(";"):  # with a decimal comma there may be as many commas
        return ";"
    return max(considered, key=lambda delimiter: considered[delimiter])


def _text_lines(text: str, delimiter: str, path: Path) -> list[Line]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    lines = []
    try:
        for cells in reader:
            lines.append(Line(reader.line_num, cells))
    except csv.Error as error:
        raise PlateMapError(f"{path}, line {reader.line_num}: {error}; save it as CSV again") from error
    return lines


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON; ValueError if it has a key twice, of which readers would silently take the last."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"an object has {key!r} twice: remove one of them")
        found[key] = value
    return found


def _refused(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON: write null for an empty cell")


_Record = dict[str, str | int | float | bool | None]


class _Document(msgspec.Struct):
    wells: list[_Record] | dict[str, _Record]


def _json_columns(data: bytes, path: Path) -> Columns:
    """Return the columns of a list of objects with a "well", of an object by well, or of either as "wells"."""
    try:
        document: object = json.loads(data, object_pairs_hook=_without_repeats, parse_constant=_refused)
        if isinstance(document, dict) and "wells" in document:
            records = msgspec.convert(document, _Document).wells
        else:
            records = msgspec.convert(document, list[_Record] | dict[str, _Record])
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise PlateMapError(
            f'{path} is not a plate map in JSON ({error}): write a list of objects with a "well", such as '
            '[{"well": "A01", "compound": "DMSO"}]'
        ) from error
    if isinstance(records, dict):
        records = [{"well": well, **record} for well, record in records.items()]
    titles = list(dict.fromkeys(title for record in records for title in record))
    if not records:
        raise PlateMapError(f"{path} describes no wells: write a list of objects with a well")
    lines = [Line(0, titles), *(Line(n, [r.get(t) for t in titles]) for n, r in enumerate(records, start=1))]
    if "well" not in {title.lower() for title in titles}:
        raise PlateMapError(f'{path}: the objects have no "well"; add it to each of them')
    return columns_of(lines, str(path))
