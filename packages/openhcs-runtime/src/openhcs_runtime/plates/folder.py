"""A folder as the formats see it: the names of its images, its other files and its folders, listed only once."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from openhcs_runtime.plates.file_names import FileNames
from openhcs_runtime.plates.tiff.files import Entry, are_plain_tiffs, is_folder, is_tiff, scan_in_batches, tiff_files
from openhcs_runtime.stores.path import AnyPath, StorePath

__all__ = ["Folder", "Tell", "ignore"]

Tell: TypeAlias = Callable[[int, int], object]
"""Called with the numbers of files that have just been listed, and looked at."""

_MOST_IMAGES = 1000
_MOST_OTHERS = 100
_MOST_FOLDERS = 1_000_000
_BATCH = 4096


def ignore(listed: int, looked_at: int) -> None:
    """Tell nobody."""


class Folder:
    """A folder that may contain a plate. It is listed on first use; what is kept of a file takes little memory.

    Args:
        path: The folder.
        tell: Called with the numbers of files that have just been listed, and looked at.

    Attributes:
        path: The folder.
        tell: As given.
    """

    def __init__(self, path: AnyPath, tell: Tell = ignore) -> None:
        self.path = path
        self.tell = tell
        self._below: dict[str, Folder] = {}

    @cached_property
    def images(self) -> tuple[str, ...]:
        """Names of TIFF files, without hidden ones and thumbnails: all of them, or 1,000 of more."""
        return tuple(self._names.tiffs[:_MOST_IMAGES])

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders in it that are not hidden, sorted: all of them, or a million of more."""
        return tuple(self._names.folders)

    @property
    def hidden(self) -> Iterable[str]:
        """Names of the files and folders in it that are hidden."""
        return self._names.hidden

    @property
    def image_count(self) -> int:
        """Number of its TIFF files."""
        return len(self._names.tiffs)

    def tiff_files(self) -> Iterable[Entry]:
        """Return its TIFF files, without hidden ones and thumbnails; those of a local folder are listed again."""
        return tiff_files(self.path) if self.store_entries is None else self.store_entries

    @property
    def tiff_names(self) -> FileNames:
        """The names of all its TIFF files, without hidden ones and thumbnails, as they are listed."""
        return self._names.tiffs

    @property
    def store_entries(self) -> Sequence[Entry] | None:
        """Its TIFF files if it is on the net or in an archive, as ``tiff_names`` has them; else None."""
        return self._names.entries

    def named(self, suffix: str) -> tuple[str, ...]:
        """Return the names of other files that end in ``suffix``, in any case: all of them, or 100 of more."""
        return tuple(sorted(self._names.others.get(suffix.lower(), ())))

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
            self._below[name] = Folder(self.path / name, self.tell)
        return self._below[name]

    @cached_property
    def _names(self) -> "_Names":
        found = _Names(FileNames(), [] if isinstance(self.path, StorePath) else None)
        try:
            for batch in scan_in_batches(self.path, _BATCH):
                found.add(batch)
                self.tell(len(batch), 0)
        except (FileNotFoundError, NotADirectoryError):
            return _Names(FileNames(), [] if isinstance(self.path, StorePath) else None)
        found.folders.sort()
        return found


@dataclass(slots=True)
class _Names:
    """What a folder has.

    Attributes:
        tiffs: The names of its TIFF files.
        entries: These files, if the folder is not of this machine.
        others: Some names of other files, by their suffix.
        folders: The names of its folders.
        hidden: The names of what is hidden.
    """

    tiffs: FileNames
    entries: list[Entry] | None
    others: dict[str, list[str]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    hidden: FileNames = field(default_factory=FileNames)

    def add(self, batch: Sequence[Entry]) -> None:
        tiffs = batch if are_plain_tiffs(batch) else self._sorted_out(batch)
        self.tiffs.extend([entry.name for entry in tiffs])
        if self.entries is not None:
            self.entries += tiffs

    def _sorted_out(self, batch: Iterable[Entry]) -> Sequence[Entry]:
        """Return the TIFF files, and take note of everything else."""
        tiffs = []
        for entry in batch:
            if entry.name.startswith("."):
                self.hidden.extend([entry.name])
            elif is_tiff(entry):
                tiffs.append(entry)
            else:
                self._add_other(entry)
        return tiffs

    def _add_other(self, entry: Entry) -> None:
        if is_folder(entry):
            if len(self.folders) < _MOST_FOLDERS:
                self.folders.append(entry.name)
            return
        of_suffix = self.others.setdefault(os.path.splitext(entry.name)[1].lower(), [])
        if len(of_suffix) < _MOST_OTHERS:
            of_suffix.append(entry.name)
