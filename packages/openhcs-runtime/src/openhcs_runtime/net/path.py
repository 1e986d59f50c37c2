"""Paths on the net, ``s3://``, ``gs://`` and ``https://``, with the part of ``pathlib.Path`` that plates need."""

import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, unquote, urlsplit

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.net.cache import Cache
from openhcs_runtime.net.entry import NetEntry

__all__ = ["AnyPath", "NetPath", "as_path", "is_url", "path_below", "read_many"]

_AT_ONCE = 16
_URL = re.compile(r"(?:s3|gs|https?)://[^/]+", re.IGNORECASE)
_LOOKS_LIKE_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_CACHE: Cache["NetPath"] = Cache()


def is_url(text: str) -> bool:
    """Return whether a text is a URL, or meant to be one."""
    return _LOOKS_LIKE_URL.match(text) is not None


def as_path(text: "str | os.PathLike[str] | NetPath") -> "AnyPath":
    """Return the path that a text names, on this machine or on the net.

    Raises:
        PlateError: If it is a URL of a kind that can't be read.
    """
    if isinstance(text, NetPath):
        return text
    name = os.fspath(text)
    return NetPath.parse(name) if is_url(name) else Path(name)


@dataclass(frozen=True, slots=True)
class NetPath:
    """A file or folder on the net.

    Attributes:
        base: Scheme and bucket or host, such as ``s3://bucket``.
        key: What follows, decoded and without slashes at its ends.
    """

    base: str
    key: str = ""

    @classmethod
    def parse(cls, url: str) -> "NetPath":
        """Return the path of a URL.

        Raises:
            PlateError: If it is not of a kind that can be read.
        """
        match = _URL.match(url)
        if match is None:
            raise PlateError(f"{url} can't be read: give a folder, or a URL that begins with s3://, gs:// or https://")
        base, key = match[0], url[match.end() :].strip("/")
        if not base.lower().startswith("http"):
            return cls(base, key)
        if "?" in key or "#" in key:
            raise PlateError(f"{url} can't be read: a plate has many files, so its URL can't have a query")
        return cls(base, unquote(key))

    def __str__(self) -> str:
        key = self.key if self.lists_folders else quote(self.key)
        return f"{self.base}/{key}" if key else self.base

    def __truediv__(self, name: str) -> "NetPath":
        return NetPath(self.base, f"{self.key}/{name}".strip("/"))

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.key.rpartition("/")[2] or urlsplit(self.base).netloc

    @property
    def parent(self) -> "NetPath":
        """The path without its last part."""
        return NetPath(self.base, self.key.rpartition("/")[0])

    @property
    def lists_folders(self) -> bool:
        """Whether its server can list everything in a folder, with sizes and times."""
        return not self.base.lower().startswith("http")

    def expanduser(self) -> "NetPath":
        """Return the path itself."""
        return self

    def resolve(self) -> "NetPath":
        """Return the path itself."""
        return self

    def read_bytes(self) -> bytes:
        """Return the contents, which may be up to a minute old.

        Raises:
            FileNotFoundError: If it does not exist.
            OSError: If it can't be read; the error names the URL.
        """
        from openhcs_runtime.net import store  # noqa: PLC0415  loads obstore

        return _CACHE.get(self, lambda: store.read(self.base, self.key))

    def read_start(self, count: int) -> bytes:
        """Return the first ``count`` bytes; raises what :meth:`read_bytes` raises."""
        from openhcs_runtime.net import store  # noqa: PLC0415  loads obstore

        return store.read_start(self.base, self.key, count)

    def is_file(self) -> bool:
        """Return whether it exists.

        Raises:
            OSError: If that can't be determined; the error names the URL.
        """
        try:
            self.read_bytes()
        except FileNotFoundError:
            return False
        return True

    def entries(self) -> Iterator[NetEntry]:
        """Yield what is in a folder; nothing if it does not exist, or if the server does not list folders.

        Raises:
            OSError: If the server can't be reached; the error names the URL.
        """
        from openhcs_runtime.net import store  # noqa: PLC0415  loads obstore

        yield from store.entries(self.base, self.key)

    def files_below(self) -> dict[str, NetEntry]:
        """Return all files below a folder, by their path below it; raises what :meth:`entries` raises."""
        from openhcs_runtime.net import store  # noqa: PLC0415  loads obstore

        return store.files_below(self.base, self.key)


AnyPath: TypeAlias = Path | NetPath


def path_below(path: AnyPath, folder: AnyPath) -> str:
    """Return the part of a path below a folder, with slashes; the whole path if it is not below it."""
    text, begin = str(path).replace(os.sep, "/"), str(folder).replace(os.sep, "/").rstrip("/")
    return text.removeprefix(f"{begin}/")


def read_many(paths: Iterable[NetPath]) -> dict[NetPath, bytes]:
    """Read several files at once; those that do not exist are left out.

    Raises:
        OSError: If one can't be read; the error names its URL.
    """
    wanted = list(paths)
    if len(wanted) < 2:
        found = map(_read_or_none, wanted)
        return {path: data for path, data in zip(wanted, found, strict=True) if data is not None}
    with ThreadPoolExecutor(min(_AT_ONCE, len(wanted))) as pool:
        several = pool.map(_read_or_none, wanted)
        return {path: data for path, data in zip(wanted, several, strict=True) if data is not None}


def _read_or_none(path: NetPath) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
