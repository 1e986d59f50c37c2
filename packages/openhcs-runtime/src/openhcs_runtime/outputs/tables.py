r"""The tables of a plate: ``measurements.csv`` with a row per measured image, ``objects.csv`` with a row per object.

Both begin with the columns well, site, channel, z_index and timepoint, and are sorted by them. The table of objects
continues with the set an object belongs to (named after the function that found it) and its label. These columns
together are unique. A z_index of 0 is a projection. An empty cell is a value that could not be measured. The format
is CSV as in RFC 4180, with ``\n`` line ends and decimal points; numbers are read back exactly as they were.
"""

import contextlib
import csv
import io
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import DamagedResultError, OutputError
from openhcs_runtime.outputs.wells import WellRecord
from openhcs_runtime.pipeline.cells import (
    COUNT_SUFFIX,
    LABEL,
    OBJECTS,
    Cell,
    CellError,
    Column,
    ColumnKind,
    cell_text,
    common_kind,
    is_missing,
    kind_of,
)

KEY_COLUMNS = ("well", "site", "channel", "z_index", "timepoint")
OBJECT_KEY = (*KEY_COLUMNS, OBJECTS, LABEL)

Kinds = dict[str, ColumnKind]
"""Kind of each column of a table, except those of its key."""

_RAW_CELL = re.compile(r'("(?:[^"]|"")*"|[^,\n"]*)(,|\n)')


class ImageObjects:
    """Measurements of the objects of one image: one table per set of objects, one row per object."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Column]] = {}
        self._found_in: dict[str, ImageKey] = {}

    def has(self, name: str, found_in: ImageKey) -> bool:
        """Return whether these objects have been measured before."""
        return self._found_in.get(name) == found_in

    def found_in(self, name: str) -> ImageKey:
        """Return the image in which the objects of a set were found."""
        return self._found_in[name]

    def add(self, new: Mapping[str, Column], name: str, found_in: ImageKey) -> None:
        """Add columns, including ``label``, for the objects of a set found in this image.

        Raises:
            ValueError: another set of objects has the same name, or a column already exists with other values.
        """
        if self._found_in.setdefault(name, found_in) != found_in:
            raise ValueError(
                f"objects of {name} found in channel {self._found_in[name].channel} and others found in channel "
                f"{found_in.channel} can't be told apart"
            )
        known = self.tables.get(name)
        self.tables[name] = dict(new) if known is None else _joined(known, new)


def write_objects(path: Path, tables: Sequence[tuple[ImageKey, str, Mapping[str, Column]]]) -> Kinds:
    """Write the objects of one well, given by image and set. The file is not synced to disk.

    Returns:
        The kind of each column.

    Raises:
        OutputError: the file cannot be written, two rows have the same key, or a column has values of several kinds.
    """
    kinds: Kinds = {}
    keys: set[tuple[ImageKey, str]] = set()
    for key, name, table in tables:
        if (key, name) in keys or len(set(table[LABEL].cells)) < len(table[LABEL]):
            raise OutputError(f"objects of {name} in {key.describe()} have several rows with the same label")
        keys.add((key, name))
        _add_kinds(kinds, {column: values.kind for column, values in table.items() if column != LABEL}, key.well, {})
    with _text_file(path, sync=False) as file:
        _write_row(file, (*OBJECT_KEY, *kinds))
        for key, name, table in tables:
            place: tuple[Cell, ...] = (key.well, key.site, key.channel, key.z_index, key.timepoint, name)
            where = ",".join(map(cell_text, place))
            cells = [_texts(table, column) for column in (LABEL, *kinds)]
            file.writelines(f"{where},{','.join(row)}\n" for row in zip(*cells, strict=True))
    return kinds


def write_measurements(path: Path, parts: Iterable[WellRecord]) -> Kinds:
    """Write one table from the records of all wells, in the order given. Counts come first.

    Returns:
        The kind of each column.

    Raises:
        OutputError: the file cannot be written, two rows have the same key, or a column has values of several kinds.
    """
    measured = [image for part in parts for image in part.measured]
    kinds: Kinds = {}
    first: dict[str, str] = {}
    for image in measured:
        _add_kinds(kinds, {name: kind_of([value]) for name, value in image.values.items()}, image.well, first)
    kinds = dict(sorted(kinds.items(), key=lambda column: not column[0].endswith(COUNT_SUFFIX)))
    seen: set[tuple[Cell, ...]] = set()
    with _text_file(path) as file:
        _write_row(file, (*KEY_COLUMNS, *kinds))
        for image in measured:
            where = (image.well, image.site, image.channel, image.z_index, image.timepoint)
            if where in seen:
                raise OutputError(f"well {image.well} has two rows for the same image: {where}")
            seen.add(where)
            _write_row(file, (*where, *(image.values.get(name) for name in kinds)))
    return kinds


def join_objects(path: Path, folder: Path, parts: Sequence[WellRecord]) -> Kinds:
    """Write one table from the object tables of all wells, which are in ``folder``, in the order given.

    Returns:
        The kind of each column.

    Raises:
        OutputError: the file cannot be written, a table of a well is missing or damaged, or a column has values of
            several kinds.
    """
    kinds: Kinds = {}
    first: dict[str, str] = {}
    sources: list[Path] = []
    wells: set[str] = set()
    for part in parts:
        if part.objects is None:
            continue
        if part.well in wells:
            raise OutputError(f"well {part.well} has two object tables: {part.objects}")
        wells.add(part.well)
        _add_kinds(kinds, part.object_kinds, part.well, first)
        sources.append(folder / part.objects)
        _check_size(sources[-1], part)
    if len({tuple(part.object_kinds) for part in parts if part.objects}) == 1:
        _join_lines(path, sources)
        return kinds
    with _text_file(path) as file:
        _write_row(file, (*OBJECT_KEY, *kinds))
        for source in sources:
            rows = _raw_rows(source)
            places = {name: place for place, name in enumerate(columns_of(source))}
            order = [places.get(name) for name in (*OBJECT_KEY, *kinds)]
            next(rows)
            file.writelines(",".join("" if place is None else row[place] for place in order) + "\n" for row in rows)
    return kinds


def columns_of(path: Path) -> tuple[str, ...]:
    """Return the column names of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(next(csv.reader(file), ()))


def _joined(known: Mapping[str, Column], new: Mapping[str, Column]) -> dict[str, Column]:
    """Return one table with the objects and columns of both."""
    rows = {label: place for place, label in enumerate(known[LABEL].cells)}
    new_rows = {label: place for place, label in enumerate(new[LABEL].cells)}
    labels = sorted(rows.keys() | new_rows.keys(), key=lambda label: label if isinstance(label, int) else 0)
    joined = {LABEL: Column(ColumnKind.INT if labels else ColumnKind.EMPTY, tuple(labels))}
    for name in dict.fromkeys([*known, *new]):
        if name == LABEL:
            continue
        one = _spread(known.get(name), rows, labels)
        other = _spread(new.get(name), new_rows, labels)
        cells = tuple(second if is_missing(first) else first for first, second in zip(one, other, strict=True))
        if any(not is_missing(second) and cell != second for cell, second in zip(cells, other, strict=True)):
            raise ValueError(f"column {name} of objects was measured twice with different values")
        try:
            joined[name] = Column(kind_of(cells), cells)
        except CellError as error:
            raise ValueError(f"column {name} of objects {error}") from None
    return joined


def _spread(column: Column | None, rows: Mapping[Cell, int], labels: Sequence[Cell]) -> Sequence[Cell]:
    """Return the cells of a column for these labels."""
    if column is None:
        return (None,) * len(labels)
    if len(rows) == len(labels) and tuple(rows) == tuple(labels):
        return column.cells
    return [column.cells[rows[label]] if label in rows else None for label in labels]


def _add_kinds(kinds: Kinds, new: Mapping[str, ColumnKind], well: str, first: dict[str, str]) -> None:
    """Merge the column kinds of a well into ``kinds``; ``first`` remembers which well determined each kind."""
    for name, kind in new.items():
        known = kinds.get(name, ColumnKind.EMPTY)
        common = common_kind(known, kind)
        if common is None:
            where = f"in well {first[name]} " if name in first else ""
            raise OutputError(f"column {name} has {known} {where}and {kind} in well {well}: return values of one kind")
        kinds[name] = common
        if kind is not ColumnKind.EMPTY:
            first.setdefault(name, well)


def _texts(table: Mapping[str, Column], name: str) -> Iterable[str]:
    if name in table:
        return map(cell_text, table[name].cells)
    return [""] * len(table[LABEL])


def _check_size(source: Path, part: WellRecord) -> None:
    try:
        size = source.stat().st_size
    except OSError as error:
        raise DamagedResultError(
            f"{source} can't be read: {error.strerror or error}; resume the run to redo well {part.well}"
        ) from error
    known = next((file.size for file in part.files if file.name == part.objects), size)
    if size != known:
        raise DamagedResultError(
            f"{source} is damaged, it has {size} bytes instead of {known}: resume the run to redo well {part.well}"
        )


def _join_lines(path: Path, sources: Sequence[Path]) -> None:
    """Join tables that all have the same columns (the usual case), without parsing their lines."""
    with atomic_file(path) as file:
        for number, source in enumerate(sources):
            with source.open("rb") as part:
                header = part.readline()
                while header.count(b'"') % 2:  # a column name that spans several lines
                    header += part.readline()
                if number == 0:
                    file.write(header)
                shutil.copyfileobj(part, file)


def _raw_rows(path: Path) -> Iterator[list[str]]:
    """Yield the rows of a table with their cells as written, including quotes."""
    row: list[str] = []
    for match in _RAW_CELL.finditer(path.read_bytes().decode()):
        row.append(match[1])
        if match[2] == "\n":
            yield row
            row = []


def _write_row(file: TextIO, cells: Iterable[Cell]) -> None:
    file.write(",".join(map(cell_text, cells)) + "\n")


@contextlib.contextmanager
def _text_file(path: Path, *, sync: bool = True) -> Iterator[TextIO]:
    with atomic_file(path, sync=sync) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=False)
        try:
            yield text
            text.flush()
        finally:
            text.detach()
