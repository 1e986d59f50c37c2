"""The tables of a plate: `measurements.csv` with a row per image measured, `objects.csv` with a row per object.

Both begin with well, site, channel, z_index, timepoint and are sorted by these. A z_index of 0 is a projection. Empty
cells are what could not be measured. CSV as in RFC 4180, with `\\n` at the line ends and a dot in numbers.
"""

import contextlib
import csv
import io
import shutil
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey
from openhcs_runtime.outputs.atomic import atomic_file
from openhcs_runtime.outputs.wells import WellPart

KEY_COLUMNS = ("well", "site", "channel", "z_index", "timepoint")


class _Writer(Protocol):
    def writerow(self, row: Iterable[Any], /) -> Any: ...
    def writerows(self, rows: Iterable[Iterable[Any]], /) -> None: ...


class ImageObjects:
    """What was measured of the objects of one image: a table for each set of objects, so that each has one row."""

    def __init__(self) -> None:
        self.tables: list[Mapping[str, NDArray[Any]]] = []
        self._sets: list[weakref.ref[NDArray[Any]] | None] = []

    def has(self, objects_of: NDArray[Any] | None) -> bool:
        """Whether the objects of this plane of labels were measured before."""
        return objects_of is not None and any(known is not None and known() is objects_of for known in self._sets)

    def add(self, new: Mapping[str, NDArray[Any]], objects_of: NDArray[Any] | None) -> None:
        """Add a table; one of the same objects as an earlier one gives that one more columns.

        objects_of: the very plane of labels that was measured. While it is in use the objects are known by it.
        Raises ValueError when a column of the same objects is there already with other values.
        """
        for place, (known, known_set) in enumerate(zip(self.tables, self._sets, strict=True)):
            is_same = objects_of is not None and known_set is not None and known_set() is objects_of
            if is_same and "label" in known and "label" in new and np.array_equal(known["label"], new["label"]):
                _check_columns(known, new)
                self.tables[place] = {**known, **new}
                return
        self.tables.append(new)
        self._sets.append(None if objects_of is None else weakref.ref(objects_of))


def write_objects(path: Path, tables: Sequence[tuple[ImageKey, Mapping[str, NDArray[Any]]]]) -> None:
    """Write the objects of one well. Not synced. Raises OutputError."""
    columns = list(dict.fromkeys(name for _, table in tables for name in table))
    with _csv_file(path, sync=False) as writer:
        writer.writerow((*KEY_COLUMNS, *columns))
        for key, table in tables:
            where = (key.well, key.site, key.channel, key.z_index, key.timepoint)
            rows = max((len(values) for values in table.values()), default=0)
            cells = [
                [_text(value) for value in table[name].tolist()] if name in table else [""] * rows for name in columns
            ]
            writer.writerows((*where, *row) for row in zip(*cells, strict=True))


def write_measurements(path: Path, parts: Iterable[WellPart]) -> None:
    """Write one table from the parts of all wells, in the order of the parts. Raises OutputError."""
    measured = [image for part in parts for image in part.measured]
    columns = list(dict.fromkeys(name for image in measured for name in image.values))
    with _csv_file(path) as writer:
        writer.writerow((*KEY_COLUMNS, *columns))
        for image in measured:
            where = (image.well, image.site, image.channel, image.z_index, image.timepoint)
            writer.writerow((*where, *(_text(image.values.get(name)) for name in columns)))


def join_objects(path: Path, sources: Sequence[Path]) -> None:
    """Write one table from the objects of all wells, in the order of the files. Raises OutputError."""
    if _have_one_header(sources):
        _join_lines(path, sources)
        return
    columns: dict[str, None] = dict.fromkeys(KEY_COLUMNS)
    for source in sources:
        with source.open(encoding="utf-8", newline="") as part:
            columns.update(dict.fromkeys(next(csv.reader(part))))
    with _csv_file(path) as writer:
        writer.writerow(columns)
        for source in sources:
            with source.open(encoding="utf-8", newline="") as part:
                reader = csv.reader(part)
                places = {name: place for place, name in enumerate(next(reader))}
                order = [places.get(name) for name in columns]
                writer.writerows([row[place] if place is not None else "" for place in order] for row in reader)


def _check_columns(known: Mapping[str, NDArray[Any]], new: Mapping[str, NDArray[Any]]) -> None:
    for name in sorted(known.keys() & new.keys()):
        if not np.array_equal(known[name], new[name], equal_nan=known[name].dtype.kind == "f"):
            raise ValueError(f"column {name} of objects is measured twice, differently")


def columns_of(path: Path) -> tuple[str, ...]:
    """The names of a table's columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(next(csv.reader(file), ()))


def _have_one_header(sources: Sequence[Path]) -> bool:
    headers = set()
    for source in sources:
        with source.open("rb") as part:
            headers.add(part.readline())
    return len(headers) == 1 and b'"' not in next(iter(headers))


def _join_lines(path: Path, sources: Sequence[Path]) -> None:
    """The usual case: all parts have the same columns, so their lines need not be read as tables."""
    with atomic_file(path) as file:
        for number, source in enumerate(sources):
            with source.open("rb") as part:
                header = part.readline()
                if number == 0:
                    file.write(header)
                shutil.copyfileobj(part, file)


@contextlib.contextmanager
def _csv_file(path: Path, *, sync: bool = True) -> Iterator[_Writer]:
    with atomic_file(path, sync=sync) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        try:
            yield csv.writer(text, lineterminator="\n")
        finally:
            text.detach()


def _text(value: Any) -> str:
    """A cell: at most nine significant digits, empty for what is no number."""
    if value is None or value != value:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)
