"""A folder as the formats see it: the names of its images, its other files and its folders, listed only once."""

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from openhcs_runtime.plates.tiff.files import Entry, is_folder, is_tiff, scan, tiff_files
from openhcs_runtime.stores.path import AnyPath

__all__ = ["Folder"]

_MOST_IMAGES = 1000
_MOST_OTHERS = 100
_MOST_FOLDERS = 1_000_000
_MOST_KEPT = 100_000


class Folder:
    """A folder that may contain a plate. Listings are made on first use, in bounded memory, and then kept.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: AnyPath) -> None:
        self.path = path
        self._below: dict[str, Folder] = {}

    @property
    def images(self) -> tuple[str, ...]:
        """Names of TIFF files, without hidden ones and thumbnails: all of them, or 1,000 of more."""
        return self._names.images

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders in it that are not hidden, sorted: all of them, or a million of more."""
        return self._names.folders

    @property
    def image_count(self) -> int:
        """Number of its TIFF files."""
        return self._names.number

    def tiff_files(self) -> Iterable[Entry]:
        """Return its TIFF files, without hidden ones and thumbnails; of a very large folder they are listed again."""
        if self._names.entries is not None:
            return self._names.entries
        return tiff_files(self.path)

    def named(self, suffix: str) -> tuple[str, ...]:
        """Return the names of other files that end in ``suffix``, in any case: all of them, or 100 of more."""
        return self._names.others.get(suffix.lower(), ())

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffixes of other files, in lower case, such as ``.htd``."""
        return tuple(self._names.others)

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        return (self.path / name).is_file()

    def below(self, name: str) -> "Folder":
        """Return a folder in it; it need not exist, and has no names then."""
        if name not in self._below:
            self._below[name] = Folder(self.path / name)
        return self._below[name]

    @cached_property
    def _names(self) -> "_Names":
        tiffs: list[Entry] = []
        others: dict[str, list[str]] = {}
        folders: list[str] = []
        count = 0
        try:
            for entry in scan(self.path):
                if entry.name.startswith("."):
                    continue
                if is_tiff(entry):
                    count += 1
                    if count <= _MOST_KEPT:
                        tiffs.append(entry)
                elif not is_folder(entry):
                    of_suffix = others.setdefault(os.path.splitext(entry.name)[1].lower(), [])
                    if len(of_suffix) < _MOST_OTHERS:
                        of_suffix.append(entry.name)
                elif len(folders) < _MOST_FOLDERS:
                    folders.append(entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return _Names()
        grouped = {suffix: tuple(sorted(names)) for suffix, names in others.items()}
        images = tuple(entry.name for entry in tiffs[:_MOST_IMAGES])
        return _Names(images, grouped, tuple(sorted(folders)), count, tiffs if count <= _MOST_KEPT else None)


class _Names(NamedTuple):
    images: tuple[str, ...] = ()
    others: dict[str, tuple[str, ...]] = {}  # noqa: RUF012  never changed
    folders: tuple[str, ...] = ()
    number: int = 0
    entries: Sequence[Entry] | None = ()
