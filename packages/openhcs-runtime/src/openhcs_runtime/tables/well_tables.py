"""The objects of a well as tables with all channels in a row, one for each set of objects.

A well writes them as ``<run>/wells/<well>.<set>.<channel>.parquet``, where the channel is the one the objects were
found in; the tables of the plate are joined from these files.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import DamagedResultError, OutputError
from openhcs_runtime.outputs.wells import WellTable
from openhcs_runtime.pipeline.cells import LABEL, Cell, Column, ColumnKind, common_kind, is_missing
from openhcs_runtime.tables.arrow import arrow_column
from openhcs_runtime.tables.columns import column_of, measure_of
from openhcs_runtime.tables.image_objects import ImageObjects
from openhcs_runtime.tables.kinds import arrow_type
from openhcs_runtime.tables.parquet import WELL_OPTIONS
from openhcs_runtime.tables.schema import Measure

if TYPE_CHECKING:
    import pyarrow

POSITION = ("site", "z", "t")
_KEYS = (*POSITION, LABEL)
_METADATA_KEY = b"openhcs"

_Position = tuple[int, int, int]


class WellTableSchema(msgspec.Struct, frozen=True, kw_only=True):
    """What the columns of a table of a well are, except for those of its key.

    Attributes:
        kinds: kind of each column.
        measures: what each column is.
    """

    kinds: dict[str, ColumnKind]
    measures: dict[str, Measure]


@dataclass(slots=True)
class SetTable:
    """The objects of a set in one well.

    Attributes:
        name: name of the set.
        channel: short name of the channel that the objects were found in.
        labels: labels of the objects at each position, in ascending order.
        kinds: kind of each column.
        measures: what each column is.
    """

    name: str
    channel: str
    labels: dict[_Position, tuple[int, ...]]
    kinds: dict[str, ColumnKind] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    _pieces: dict[str, dict[_Position, Column]] = field(default_factory=dict)

    def add(self, position: _Position, labels: Sequence[Cell], name: str, measure: Measure, column: Column) -> None:
        """Add a column of some of the objects at a position.

        Args:
            position: site, plane and time point.
            labels: labels of the objects.
            name: name of the column.
            measure: what it is.
            column: its cells, one for each label.

        Raises:
            OutputError: the name is that of another column, or the objects have other values or values of another
                kind in it.
        """
        if name in _KEYS or self.measures.setdefault(name, measure) != measure:
            raise OutputError(f"two columns of {self.name} would be named {name}: give {measure.measure} another name")
        kind = common_kind(self.kinds.get(name, ColumnKind.EMPTY), column.kind)
        if kind is None:
            raise OutputError(f"column {name} of {self.name} has {self.kinds[name]} and {column.kind}: use one kind")
        self.kinds[name] = kind
        pieces = self._pieces.setdefault(name, {})
        if position not in pieces and labels == self.labels[position]:
            pieces[position] = column
        else:
            pieces[position] = self._merged(name, position, labels, column, kind)

    def arrays(self) -> "dict[str, pyarrow.Array]":
        """Return the columns, in the order of positions and labels."""
        import pyarrow  # noqa: PLC0415  heavy

        found = {}
        for name, pieces in self._pieces.items():
            of_column = arrow_type(self.kinds[name])
            parts = [
                arrow_column(pieces[position].values, of_column)
                if position in pieces
                else pyarrow.nulls(len(labels), of_column)
                for position, labels in self.labels.items()
            ]
            found[name] = pyarrow.concat_arrays(parts)
        return found

    def _merged(
        self, name: str, position: _Position, labels: Sequence[Cell], column: Column, kind: ColumnKind
    ) -> Column:
        """Return a column for all objects at a position, with the cells that it has already."""
        known = self._pieces[name].get(position)
        cells: list[Cell] = [None] * len(self.labels[position]) if known is None else list(known.cells)
        rows = {label: row for row, label in enumerate(self.labels[position])}
        for label, cell in zip(labels, column.cells, strict=True):
            assert isinstance(label, int)
            before = cells[rows[label]]
            if is_missing(before):
                cells[rows[label]] = cell
            elif not is_missing(cell) and before != cell:
                raise OutputError(
                    f"column {name} of {self.name} was measured twice with different values: rename one of them, or "
                    "don't list it in without_channel"
                )
        return Column(kind, tuple(cells))


def set_tables(
    objects: Mapping[ImageKey, ImageObjects], without_channel: Collection[tuple[str, str]], tokens: Mapping[int, str]
) -> list[SetTable]:
    """Return the objects of a well by set, with all channels in a row.

    Args:
        objects: the measurements of each image.
        without_channel: columns that do not depend on the channel, each with the name of its set.
        tokens: short names of the channels.

    Raises:
        OutputError: two columns would have the same name, or two values the same place.
    """
    groups: dict[tuple[str, int], list[tuple[ImageKey, Mapping[str, Column]]]] = {}
    finders: dict[tuple[str, ImageKey], str] = {}
    for key, of_image in sorted(objects.items(), key=lambda entry: entry[0]):
        for name, table in of_image.tables.items():
            found = of_image.set_of(name)
            if finders.setdefault((name, found.found_in), found.finder) != found.finder:
                raise OutputError(
                    f"two sets of objects of {found.found_in.describe()} are named {name}: give one of them another "
                    "name"
                )
            groups.setdefault((name, found.found_in.channel), []).append((key, table))
    return [
        _set_table(name, channel, images, without_channel, tokens)
        for (name, channel), images in sorted(groups.items(), key=lambda entry: entry[0])
    ]


def _set_table(
    name: str,
    channel: int,
    images: Sequence[tuple[ImageKey, Mapping[str, Column]]],
    without_channel: Collection[tuple[str, str]],
    tokens: Mapping[int, str],
) -> SetTable:
    labels: dict[_Position, set[int]] = {}
    for key, table in images:
        here = labels.setdefault(_position(key), set())
        here.update(label for label in table[LABEL].cells if isinstance(label, int))
    found = SetTable(
        name, tokens[channel], {place: tuple(sorted(numbers)) for place, numbers in sorted(labels.items())}
    )
    names: dict[tuple[str, int], tuple[str, Measure]] = {}
    for key, table in images:
        own = table[LABEL].cells
        for column, cells in table.items():
            if column == LABEL:
                continue
            if (column, key.channel) not in names:
                measure = measure_of(column, "" if (name, column) in without_channel else tokens[key.channel])
                names[column, key.channel] = column_of(measure), measure
            found.add(_position(key), own, *names[column, key.channel], cells)
    return found


def write_well_table(run: Path, well: str, table: SetTable) -> WellTable:
    """Write a table of a well, which is not synced to disk.

    Raises:
        OutputError: the file can't be written.
    """
    import pyarrow  # noqa: PLC0415  heavy
    from pyarrow import parquet  # noqa: PLC0415

    path = well_table_path(run, well, table)
    places = [(*place, label) for place, labels in table.labels.items() for label in labels]
    by_key = np.array(places, np.int64).reshape(len(places), len(_KEYS)).T
    keys = [arrow_column(column, pyarrow.int64()) for column in by_key]
    columns = table.arrays()
    schema = WellTableSchema(kinds=table.kinds, measures=table.measures)
    whole = pyarrow.Table.from_arrays([*keys, *columns.values()], [*_KEYS, *columns])
    whole = whole.replace_schema_metadata({_METADATA_KEY: msgspec.json.encode(schema)})
    with writing_to(path), atomic_file(path, sync=False) as file:
        parquet.write_table(whole, file, **WELL_OPTIONS)
    return WellTable(name=table.name, channel=table.channel, file=path.relative_to(run).as_posix(), rows=whole.num_rows)


def well_table_path(run: Path, well: str, table: SetTable) -> Path:
    """Return the path of a table of a well."""
    return run / "wells" / f"{well}.{table.name}.{table.channel}.parquet"


def read_well_schema(path: Path) -> WellTableSchema:
    """Return what the columns of a table of a well are.

    Raises:
        DamagedResultError: it can't be read.
    """
    import pyarrow  # noqa: PLC0415  heavy
    from pyarrow import parquet  # noqa: PLC0415

    try:
        metadata = parquet.read_schema(path, memory_map=True).metadata or {}
        return msgspec.json.decode(metadata[_METADATA_KEY], type=WellTableSchema)
    except (OSError, ValueError, pyarrow.ArrowException, KeyError) as error:
        raise damaged_well_table(path, error) from error


def read_well_table(path: Path) -> "pyarrow.Table":
    """Read a table of a well.

    Raises:
        DamagedResultError: it can't be read.
    """
    import pyarrow  # noqa: PLC0415  heavy
    from pyarrow import parquet  # noqa: PLC0415

    try:
        with parquet.ParquetFile(path, memory_map=True, page_checksum_verification=True) as file:
            return file.read(use_threads=False)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise damaged_well_table(path, error) from error


def damaged_well_table(path: Path, error: Exception) -> DamagedResultError:
    """Return the error for a table of a well that can't be read."""
    return DamagedResultError(f"{path} can't be read ({error}): resume the run to redo well {path.name.split('.')[0]}")


def _position(key: ImageKey) -> _Position:
    return key.site, key.z_index, key.timepoint
