"""Builds the table of a plate's images, from the files of its folders or from other references."""

import os
from array import array
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.base import ImageRef
from openhcs_runtime.plates.file_names import FileNames
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.image_table import Codes, Columns, Extra, ImageTable, Numbers
from openhcs_runtime.plates.tiff.files import image_of

__all__ = ["TableBuilder", "table_of"]

_BATCH = 4096
_HAS_DIR_FD = os.stat in os.supports_dir_fd
_PLAIN: Extra = ((), False)


class TableBuilder:
    """Collects images: their files are looked at in batches, for size and time."""

    def __init__(self) -> None:
        self._wells: dict[str, int] = {}
        self._places: dict[Numbers, int] = {}
        self._folders: list[tuple[str, FileNames]] = []
        self._folder_codes: dict[str, int] = {}
        self._extras: dict[Extra, int] = {_PLAIN: 0}
        self._names = FileNames()
        self._well, self._place, self._folder, self._name = array("I"), array("I"), array("I"), array("I")
        self._size, self._mtime_ns = array("q"), array("q")
        self._extra: array[int] | None = None
        self._odd_times: dict[int, int] = {}
        self._waiting: list[ImageRef] = []

    def well(self, name: str) -> int:
        """Return the code of a well."""
        return self._wells.setdefault(name, len(self._wells))

    def place(self, numbers: Numbers) -> int:
        """Return the code of site, channel, z_index and timepoint."""
        return self._places.setdefault(numbers, len(self._places))

    def read(self, folder: Folder, code_of: Callable[[str], tuple[int, int] | None]) -> None:
        """Add the TIFF files of a folder.

        Args:
            folder: The folder.
            code_of: Returns the codes of the well and of the other components for a name; None for a file to leave out.
        """
        for start, names in folder.tiff_names.batches():
            found = list(map(code_of, names))
            rows: Sequence[int] = range(start, start + len(names))
            if None in found:
                rows = [row for row, codes in zip(rows, found, strict=True) if codes is not None]
                names = [names[row - start] for row in rows]
            codes = np.array([codes for codes in found if codes is not None], np.uint32).reshape(-1, 2)
            self.extend(folder, rows, names, codes[:, 0], codes[:, 1])

    def extend(
        self,
        folder: Folder,
        rows: Sequence[int],
        names: Sequence[str],
        wells: Codes,
        places: Codes,
    ) -> None:
        """Add files of a folder: their places and names there, and the codes of their wells and other components."""
        if (entries := folder.store_entries) is not None:
            known, numbers = list(self._wells), list(self._places)
            for row, well, place in zip(rows, wells, places, strict=True):
                self.add_ref(image_of(entries[row], ImageKey(known[well], *numbers[place])))
            return
        self._add_waiting()
        self._well.frombytes(wells.tobytes())
        self._place.frombytes(places.tobytes())
        code = self._folder_code(os.path.join(str(folder.path), ""), folder.tiff_names)
        self._folder += array("I", [code]) * len(rows)
        self._name += array("I", rows)
        sizes, times = _sizes_and_times(str(folder.path), names)
        self._size += array("q", sizes)
        self._add_times(times)
        folder.tell(0, len(rows))

    def add_ref(self, image: ImageRef) -> None:
        """Add an image from anywhere."""
        self._waiting.append(image)
        if len(self._waiting) == _BATCH:
            self._add_waiting()

    def table(self) -> ImageTable:
        """Return the table; nothing can be added afterwards."""
        self._add_waiting()
        return ImageTable(
            Columns(
                wells=tuple(self._wells),
                places=tuple(self._places),
                folders=tuple(self._folders),
                extras=tuple(self._extras),
                well=np.frombuffer(self._well, np.uint32),
                place=np.frombuffer(self._place, np.uint32),
                folder=np.frombuffer(self._folder, np.uint32),
                name=np.frombuffer(self._name, np.uint32),
                size=np.frombuffer(self._size, np.int64),
                mtime_ns=np.frombuffer(self._mtime_ns, np.int64),
                extra=self._all_extras(),
                odd_times=self._odd_times,
            )
        )

    def _add_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for image in waiting:
            key = image.key
            self._well.append(self.well(key.well))
            self._place.append(self.place((key.site, key.channel, key.z_index, key.timepoint)))
            self._size.append(image.size)
            if image.index or image.absent_is_fill or self._extra is not None:
                self._add_extra((image.index, image.absent_is_fill))
        parts = [_split(image.path) for image in waiting]
        self._folder.extend([self._folder_code(start, self._names) for start, _ in parts])
        self._name.extend(range(len(self._names), len(self._names) + len(parts)))
        self._names.extend([name for _, name in parts])
        self._add_times([image.mtime_ns for image in waiting])

    def _folder_code(self, start: str, names: FileNames) -> int:
        code = self._folder_codes.get(start)
        if code is None or self._folders[code][1] is not names:
            code = self._folder_codes[start] = len(self._folders)
            self._folders.append((start, names))
        return code

    def _add_times(self, times: Sequence[int]) -> None:
        try:
            self._mtime_ns += array("q", times)
        except OverflowError:  # beyond the year 2262
            for time in times:
                if not -(2**63) <= time < 2**63:
                    self._odd_times[len(self._mtime_ns)] = time
                    time = 0
                self._mtime_ns.append(time)

    def _add_extra(self, extra: Extra) -> None:
        code = self._extras.setdefault(extra, len(self._extras))
        if code and self._extra is None:
            self._extra = array("I", bytes(4 * (len(self._well) - 1)))
        if self._extra is not None:
            self._extra.extend([0] * (len(self._well) - 1 - len(self._extra)))
            self._extra.append(code)

    def _all_extras(self) -> NDArray[np.uint32] | None:
        if self._extra is None:
            return None
        self._extra.extend([0] * (len(self._well) - len(self._extra)))
        return np.frombuffer(self._extra, np.uint32)


def table_of(images: Iterable[ImageRef]) -> ImageTable:
    """Return images as a table: the same object if they are one."""
    if isinstance(images, ImageTable):
        return images
    builder = TableBuilder()
    for image in images:
        builder.add_ref(image)
    return builder.table()


def _split(path: str) -> tuple[str, str]:
    """Return a path up to its last slash, and what follows."""
    head, slash, name = path.rpartition("/")
    return head + slash, name


def _sizes_and_times(folder: str, names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return size and modification time of files; 0 for one that can't be looked at: reading it reports why."""
    try:
        found: Sequence[os.stat_result | None] = _stats(folder, names)
    except OSError:  # one is a link to nothing, or has just been removed
        found = [_stat_if_any(os.path.join(folder, name)) for name in names]
    return [one.st_size if one else 0 for one in found], [one.st_mtime_ns if one else 0 for one in found]


def _stats(folder: str, names: Sequence[str]) -> list[os.stat_result]:
    if not _HAS_DIR_FD:
        return [os.stat(os.path.join(folder, name)) for name in names]
    at = os.open(folder, os.O_RDONLY)  # paths from there on are short
    try:
        return [os.stat(name, dir_fd=at) for name in names]
    finally:
        os.close(at)


def _stat_if_any(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
