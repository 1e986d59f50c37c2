"""Reading from ``.ozx`` files: a whole OME-Zarr plate or image in one uncompressed ZIP archive (RFC 9 of OME-NGFF)."""

import functools
import os
import threading
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from zipfile import BadZipFile, ZipFile, ZipInfo

from openhcs_runtime.stores.entry import StoreEntry

__all__ = ["entries", "files_below", "read"]

_OPEN_AT_ONCE = 16


def read(base: str, key: str) -> bytes:
    """Return a file of an archive.

    Raises:
        FileNotFoundError: If the archive, or the file in it, does not exist.
        OSError: If it can't be read or its checksum is wrong; the error names both.
    """
    archive = _archive(base)
    if key not in archive.members:
        raise FileNotFoundError(2, "No such file", f"{base}/{key}")
    try:
        with archive.lock:
            return archive.file.read(archive.members[key])
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise OSError(5, str(error), f"{base}/{key}") from error


def entries(base: str, key: str) -> Iterator[StoreEntry]:
    """Yield the files and folders directly in a folder of an archive."""
    begin, folders = f"{key}/" if key else "", set()
    for name, entry in files_below(base, key).items():
        first, slash, _ = name.partition("/")
        if not slash:
            yield entry
        elif first not in folders:
            folders.add(first)
            yield StoreEntry(first, f"{base}/{begin}{first}", folder=True)


def files_below(base: str, key: str) -> dict[str, StoreEntry]:
    """Return all files below a folder of an archive, by their path below it."""
    begin = f"{key}/" if key else ""
    archive = _archive(base)
    found = {}
    for name in archive.names[bisect_left(archive.names, begin) :]:
        if not name.startswith(begin):
            break
        info = archive.members[name]
        entry = StoreEntry(name.rpartition("/")[2], f"{base}/{name}", info.file_size, _time_ns(info) or 1)
        found[name.removeprefix(begin)] = entry
    return found


class _Archive:
    """An open archive, and its members by name. Reading it from several threads takes turns."""

    def __init__(self, path: str) -> None:
        try:
            self.file = ZipFile(path)
        except BadZipFile as error:
            raise OSError(5, f"it is not a ZIP archive, or a damaged one: {error}", path) from error
        self.members = {info.filename: info for info in self.file.infolist() if not info.is_dir()}
        self.names = sorted(self.members)
        self.lock = threading.Lock()


def _archive(path: str) -> _Archive:
    stat = os.stat(path)
    return _opened(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=_OPEN_AT_ONCE)
def _opened(path: str, size: int, mtime_ns: int) -> _Archive:
    return _Archive(path)


def _time_ns(info: ZipInfo) -> int:
    """Return the time of a member and its checksum as one number that changes when the member does."""
    try:
        seconds = datetime(*info.date_time, tzinfo=UTC).timestamp()
    except ValueError:
        seconds = 0.0
    return int(seconds) * 10**9 + info.CRC % 10**9
