"""The images of a plate in columns of numbers: for a million files, references would take five times the memory.

``ImageTable`` has the images in the order in which they were found, ``WellImages`` those of a well in plate order. Both
are sequences that make each ``ImageRef`` when it is asked for.
"""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey, well_position
from openhcs_runtime.plates.base import ImageRef
from openhcs_runtime.plates.file_names import FileNames

__all__ = ["Codes", "Columns", "Extra", "ImageTable", "Numbers", "Rows", "WellImages", "images_of_sites", "layout_of"]

Numbers: TypeAlias = tuple[int, int, int, int]
"""Site, channel, z_index and timepoint."""
Rows: TypeAlias = NDArray[np.intp]
"""Numbers of rows of a table."""
Codes: TypeAlias = NDArray[np.uint32]
"""Places in a list of values."""
Extra: TypeAlias = tuple[tuple[int, ...], bool]
"""The ``index`` and the ``absent_is_fill`` of an image."""
_CHANNEL = 1


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What the rows of a table have, and the values that their codes stand for.

    Attributes:
        wells: The names of wells.
        places: The other components.
        folders: The beginning of paths, with the names that follow it.
        extras: What only some kinds of images have.
        well: Code of the well.
        place: Code of the other components.
        folder: Code of the folder.
        name: Place of the name among those of its folder.
        size: Size of the file in bytes.
        mtime_ns: Modification time of the file.
        extra: Code of the extra; None if all have the first one.
        odd_times: Modification times that are no 64-bit numbers, by row.
    """

    wells: Sequence[str]
    places: Sequence[Numbers]
    folders: Sequence[tuple[str, FileNames]]
    extras: Sequence[Extra]
    well: Codes
    place: Codes
    folder: Codes
    name: Codes
    size: NDArray[np.int64]
    mtime_ns: NDArray[np.int64]
    extra: Codes | None = None
    odd_times: Mapping[int, int] = field(default_factory=dict)

    def take(self, rows: Rows) -> "Columns":
        """Return the columns with some rows only, in that order."""
        kept = {int(row): place for place, row in enumerate(rows)} if self.odd_times else {}
        return replace(
            self,
            well=self.well[rows],
            place=self.place[rows],
            folder=self.folder[rows],
            name=self.name[rows],
            size=self.size[rows],
            mtime_ns=self.mtime_ns[rows],
            extra=None if self.extra is None else self.extra[rows],
            odd_times={kept[row]: time for row, time in self.odd_times.items() if row in kept},
        )

    def path(self, row: int) -> str:
        """Return the path of an image."""
        start, names = self.folders[int(self.folder[row])]
        return start + names[int(self.name[row])]

    def numbers(self, row: int) -> Numbers:
        """Return the components of an image other than the well."""
        return self.places[int(self.place[row])]

    def ref(self, row: int) -> ImageRef:
        """Return an image."""
        index, absent_is_fill = self.extras[0 if self.extra is None else int(self.extra[row])]
        time = self.odd_times[row] if row in self.odd_times else int(self.mtime_ns[row])
        key = ImageKey(self.wells[int(self.well[row])], *self.numbers(row))
        return ImageRef(key, self.path(row), int(self.size[row]), time, index, absent_is_fill)


class ImageTable(Sequence[ImageRef]):
    """Images in the order in which they were found."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns.well)

    def __iter__(self) -> Iterator[ImageRef]:
        return map(self.columns.ref, range(len(self)))

    @overload
    def __getitem__(self, place: int) -> ImageRef: ...

    @overload
    def __getitem__(self, place: slice) -> list[ImageRef]: ...

    def __getitem__(self, place: int | slice) -> ImageRef | list[ImageRef]:
        if isinstance(place, slice):
            return [self.columns.ref(row) for row in range(*place.indices(len(self)))]
        return self.columns.ref(range(len(self))[place])

    def take(self, rows: Rows) -> "ImageTable":
        """Return a table of some rows, in that order; the same object for all of them as they are."""
        if len(rows) == len(self) and np.array_equal(rows, np.arange(len(self))):
            return self
        return ImageTable(self.columns.take(rows))

    def with_places(self, numbers: Mapping[int, Numbers]) -> "ImageTable":
        """Return a table in which some rows have other components than before, except for the well."""
        places = dict(zip(self.columns.places, range(len(self.columns.places)), strict=True))
        codes = self.columns.place.copy()
        for row, place in numbers.items():
            codes[row] = places.setdefault(place, len(places))
        return ImageTable(replace(self.columns, places=tuple(places), place=codes))

    @property
    def places(self) -> list[Numbers]:
        """The components other than the well that images have, each once."""
        counts = np.bincount(self.columns.place, minlength=len(self.columns.places))
        return [self.columns.places[code] for code in np.flatnonzero(counts).tolist()]

    def channel_codes(self) -> Codes:
        """Return a number for each image that differs if its channel does."""
        code_of: dict[int, int] = {}
        codes = [code_of.setdefault(place[_CHANNEL], len(code_of)) for place in self.columns.places]
        return np.array(codes, np.uint32)[self.columns.place]

    @cached_property
    def order(self) -> Rows:
        """The rows in plate order: well, then site, channel, z_index and timepoint; equal ones as they were found."""
        return np.argsort(self._ranks(), kind="stable")

    def doubles(self) -> Rows:
        """Return the rows of images that have the same components as others, in plate order."""
        ranks = self._ranks()[self.order]
        same = np.flatnonzero(ranks[1:] == ranks[:-1])
        return self.order[np.union1d(same, same + 1)]

    def wells(self) -> dict[str, "WellImages"]:
        """Return the images of each well that has some, in plate order."""
        names, found, start = self.columns.wells, {}, 0
        counts = np.bincount(self.columns.well, minlength=len(names)).tolist()
        for code in sorted(range(len(names)), key=lambda code: well_position(names[code])):
            if counts[code]:
                found[names[code]] = WellImages(self, start, start + counts[code])
                start += counts[code]
        return found

    def one_of_each_size(self) -> Rows:
        """Return the last image of each file size and channel, in the order in which these first appear."""
        channels = self.channel_codes()
        kinds = self.columns.size * (int(channels.max()) + 1) + channels
        _, first = np.unique(kinds, return_index=True)
        _, from_end = np.unique(kinds[::-1], return_index=True)
        last: Rows = len(kinds) - 1 - from_end
        return last[np.argsort(first)]

    def _ranks(self) -> NDArray[np.int64]:
        wells, places = self._code_ranks
        return wells[self.columns.well] * len(places) + places[self.columns.place]

    @cached_property
    def _code_ranks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return _ranks_of([well_position(well) for well in self.columns.wells]), _ranks_of(self.columns.places)


class WellImages(Sequence[ImageRef]):
    """The images of a well in plate order; equal to a tuple of the same images, and pickled as one.

    Attributes:
        table: The images of the plate.
    """

    __slots__ = ("_start", "_stop", "table")

    def __init__(self, table: ImageTable, start: int, stop: int) -> None:
        self.table, self._start, self._stop = table, start, stop

    @property
    def codes(self) -> Codes:
        """The codes of the components other than the well."""
        return self.table.columns.place[self._rows]

    def places(self) -> list[Numbers]:
        """Return the components other than the well of each image."""
        values = self.table.columns.places
        return [values[code] for code in self.codes.tolist()]

    @property
    def _rows(self) -> Rows:
        return self.table.order[self._start : self._stop]

    def __len__(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[ImageRef]:
        return map(self.table.columns.ref, self._rows.tolist())

    @overload
    def __getitem__(self, place: int) -> ImageRef: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[ImageRef, ...]: ...

    def __getitem__(self, place: int | slice) -> ImageRef | tuple[ImageRef, ...]:
        if isinstance(place, slice):
            return tuple(map(self.table.columns.ref, self._rows[place].tolist()))
        return self.table.columns.ref(int(self._rows[place]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WellImages | tuple):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[type[tuple[ImageRef, ...]], tuple[list[ImageRef]]]:
        return tuple, (list(self),)


def layout_of(images: Sequence[ImageRef]) -> Hashable:
    """Return what two wells of a plate share if their images have the same components other than the well."""
    if isinstance(images, WellImages):
        return images.codes.tobytes()
    return tuple((key.site, key.channel, key.z_index, key.timepoint) for key in (image.key for image in images))


def images_of_sites(images: Mapping[str, Sequence[ImageRef]], sites: Collection[int]) -> dict[str, Sequence[ImageRef]]:
    """Return the images of some sites for each well of a plate."""
    tables = {images.table for images in images.values() if isinstance(images, WellImages)}
    if len(tables) != 1 or not all(isinstance(of_well, WellImages) for of_well in images.values()):
        return {well: tuple(one for one in of_well if one.key.site in sites) for well, of_well in images.items()}
    (table,) = tables
    wanted = np.array([numbers[0] in sites for numbers in table.columns.places], np.bool_)
    taken = table.take(np.flatnonzero(wanted[table.columns.place]))
    found = taken.wells()
    return {well: found.get(well, WellImages(taken, 0, 0)) for well in images}


def _ranks_of(values: Sequence[tuple[int, ...]]) -> NDArray[np.int64]:
    """Return the place of each value among the sorted ones."""
    ranks = np.empty(len(values), np.int64)
    ranks[sorted(range(len(values)), key=values.__getitem__)] = np.arange(len(values))
    return ranks
