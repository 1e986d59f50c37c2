"""What the names of a plate's image files say, in columns: each well and each place is kept only once."""

from array import array
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.image_table import Codes, ImageTable, Numbers, Rows
from openhcs_runtime.plates.table_builder import TableBuilder

__all__ = ["NameReader", "SaidNames"]

_Well = TypeVar("_Well", bound=Hashable)
_Place = TypeVar("_Place", bound=Hashable)


@dataclass(frozen=True, slots=True, eq=False)
class SaidNames(Generic[_Well, _Place]):
    """What names say, in the order in which the files were found.

    Attributes:
        wells: What they say of wells.
        places: What they say of the other components.
        folders: The folders of the files.
        well: Code of what a name says of the well.
        place: Code of what it says of the other components.
        folder: Code of the folder.
        row: Place of the name among those of its folder.
    """

    wells: Sequence[_Well]
    places: Sequence[_Place]
    folders: Sequence[Folder]
    well: Codes
    place: Codes
    folder: Codes
    row: Codes

    def __len__(self) -> int:
        return len(self.well)

    def name(self, at: int) -> str:
        """Return the name of a file."""
        return self.folders[int(self.folder[at])].tiff_names[int(self.row[at])]

    def names(self, rows: Rows) -> list[str]:
        """Return the names of some files."""
        return [self.name(at) for at in rows.tolist()]

    def used_wells(self) -> list[_Well]:
        """Return what the names say of wells, each once."""
        return [self.wells[code] for code in _used(self.well)]

    def used_places(self) -> list[_Place]:
        """Return what the names say of the other components, each once."""
        return [self.places[code] for code in _used(self.place)]

    def of_wells(self, is_wanted: Callable[[_Well], bool]) -> NDArray[np.bool_]:
        """Return for each file whether what its name says of the well is wanted."""
        return np.array([is_wanted(well) for well in self.wells], np.bool_)[self.well]

    def of_places(self, is_wanted: Callable[[_Place], bool]) -> NDArray[np.bool_]:
        """Return for each file whether what its name says of the other components is wanted."""
        return np.array([is_wanted(place) for place in self.places], np.bool_)[self.place]

    def take(self, chosen: NDArray[np.bool_]) -> "SaidNames[_Well, _Place]":
        """Return the chosen files only."""
        return replace(
            self,
            well=self.well[chosen],
            place=self.place[chosen],
            folder=self.folder[chosen],
            row=self.row[chosen],
        )

    def pairs(self) -> Iterator[tuple[_Well, _Place]]:
        """Yield well and other components as names say them together, each pair once."""
        for pair in np.unique(self._pairs).tolist():
            well, place = divmod(pair, len(self.places))
            yield self.wells[well], self.places[place]

    def with_places(self, place_of: Callable[[_Well, _Place], _Place]) -> "SaidNames[_Well, _Place]":
        """Return the files with other components than their names say."""
        codes: dict[_Place, int] = {}
        found, at = np.unique(self._pairs, return_inverse=True)
        pairs = [divmod(pair, len(self.places)) for pair in found.tolist()]
        said = [place_of(self.wells[well], self.places[place]) for well, place in pairs]
        new = np.array([codes.setdefault(one, len(codes)) for one in said], np.uint32)
        return replace(self, places=tuple(codes), place=new[at])

    @property
    def _pairs(self) -> NDArray[np.int64]:
        return self.well * np.int64(len(self.places)) + self.place

    def table(self, well_of: Callable[[_Well], str], numbers_of: Callable[[_Place], Numbers]) -> ImageTable:
        """Look at the files, and return them as images.

        Args:
            well_of: Returns the name of the well for what a name says of it.
            numbers_of: Returns the other components for what a name says of them.
        """
        builder = TableBuilder()
        wells, places = np.zeros(len(self.wells), np.uint32), np.zeros(len(self.places), np.uint32)
        for code in _used(self.well):
            wells[code] = builder.well(well_of(self.wells[code]))
        for code in _used(self.place):
            places[code] = builder.place(numbers_of(self.places[code]))
        ends = np.flatnonzero(np.diff(self.folder)) + 1
        for start, end in zip([0, *ends.tolist()], [*ends.tolist(), len(self)], strict=True):
            if start < end:
                at = slice(start, end)
                folder = self.folders[int(self.folder[start])]
                _add(builder, folder, self.row[at], wells[self.well[at]], places[self.place[at]])
        return builder.table()


class NameReader(Generic[_Well, _Place]):
    """Reads the names of files, folder by folder."""

    def __init__(self) -> None:
        self._wells: dict[_Well, int] = {}
        self._places: dict[_Place, int] = {}
        self._folders: list[Folder] = []
        self._well, self._place, self._folder, self._row = array("I"), array("I"), array("I"), array("I")

    def read(self, folder: Folder, said_by: Callable[[str], tuple[_Well, _Place] | None]) -> None:
        """Read the names of the TIFF files of a folder.

        Args:
            folder: The folder.
            said_by: Returns what a name says of the well and of the other components; None for a file to leave out.
        """
        wells, places = self._wells, self._places
        first = len(self._row)
        for start, names in folder.tiff_names.batches():
            for row, said in enumerate(map(said_by, names), start):
                if said is not None:
                    well, place = said
                    self._well.append(wells.setdefault(well, len(wells)))
                    self._place.append(places.setdefault(place, len(places)))
                    self._row.append(row)
        self._folder.extend([len(self._folders)] * (len(self._row) - first))
        self._folders.append(folder)

    def said(self) -> SaidNames[_Well, _Place]:
        """Return what the names say; nothing can be read afterwards."""
        columns = (np.frombuffer(one, np.uint32) for one in (self._well, self._place, self._folder, self._row))
        return SaidNames(tuple(self._wells), tuple(self._places), self._folders, *columns)


def _used(codes: Codes) -> list[int]:
    used: list[int] = np.flatnonzero(np.bincount(codes)).tolist()
    return used


def _add(builder: TableBuilder, folder: Folder, rows: Codes, wells: Codes, places: Codes) -> None:
    """Add files of a folder in batches; ``rows`` are in order."""
    for start, names in folder.tiff_names.batches():
        first, last = np.searchsorted(rows, [start, start + len(names)]).tolist()
        if first == last:
            continue
        of_batch = rows[first:last].tolist()
        if len(of_batch) < len(names):
            names = [names[row - start] for row in of_batch]
        builder.extend(folder, of_batch, names, wells[first:last], places[first:last])
