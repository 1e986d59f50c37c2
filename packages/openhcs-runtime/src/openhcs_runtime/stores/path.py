"""Paths in stores other than folders, with the part of ``pathlib.Path`` that plates need.

Stores are buckets (``s3://``, ``gs://``), web servers (``https://``) and archives (``plate.ozx``).
"""

import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, unquote, urlsplit

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.stores import archive, remote
from openhcs_runtime.stores.cache import Cache
from openhcs_runtime.stores.entry import StoreEntry

__all__ = ["AnyPath", "StorePath", "as_path", "is_url", "path_below", "read_many"]

_AT_ONCE = 16
_URL = re.compile(r"(?:s3|gs|https?)://[^/]+", re.IGNORECASE)
_LOOKS_LIKE_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_ARCHIVE = ".ozx"
_IN_ARCHIVE = re.compile(r"(.*?\.ozx)((?:[/\\].*)?)\Z", re.IGNORECASE | re.DOTALL)
_CACHE: Cache["StorePath"] = Cache()


def is_url(text: str) -> bool:
    """Return whether a text is a URL, or meant to be one."""
    return _LOOKS_LIKE_URL.match(text) is not None


def as_path(text: "str | os.PathLike[str] | StorePath") -> "AnyPath":
    """Return the path that a text names, in a folder or in another store.

    Raises:
        PlateError: If it is a URL of a kind that can't be read.
    """
    if isinstance(text, StorePath):
        return text
    name = os.fspath(text)
    if is_url(name):
        return StorePath.parse(name)
    if _ARCHIVE in name.lower() and (match := _IN_ARCHIVE.match(name)) and os.path.isfile(match[1]):
        return StorePath(os.path.abspath(match[1]), match[2].replace(os.sep, "/").strip("/"))
    return Path(name)


@dataclass(frozen=True, slots=True)
class StorePath:
    """A file or folder in a bucket, on a web server or in an archive.

    Attributes:
        base: Scheme and bucket or host, such as ``s3://bucket``; or the archive, an absolute path.
        key: What follows, decoded and without slashes at its ends.
    """

    base: str
    key: str = ""

    @classmethod
    def parse(cls, url: str) -> "StorePath":
        """Return the path of a URL.

        Raises:
            PlateError: If it is not of a kind that can be read.
        """
        match = _URL.match(url)
        if match is None:
            raise PlateError(f"{url} can't be read: give a folder, or a URL that begins with s3://, gs:// or https://")
        base, key = match[0], url[match.end() :].strip("/")
        try:
            parts = urlsplit(base)
            is_valid = parts.hostname is not None and parts.port != 0
        except ValueError:
            is_valid = False
        if not is_valid or (parts.username or parts.password):
            shown = url if not is_valid else url.replace(f"{parts.netloc.rpartition('@')[0]}@", "")
            reason = (
                "a user name or password in a URL is not supported" if is_valid else "its host or port is not valid"
            )
            raise PlateError(f"{shown} can't be read: {reason}")
        if not base.lower().startswith("http"):
            return cls(base, key)
        if "?" in key or "#" in key:
            raise PlateError(f"{url} can't be read: a plate has many files, so its URL can't have a query")
        return cls(base, unquote(key))

    def __str__(self) -> str:
        key = quote(self.key) if self.is_web else self.key
        return f"{self.base}/{key}" if key else self.base

    def __truediv__(self, name: str) -> "StorePath":
        return StorePath(self.base, f"{self.key}/{name}".strip("/"))

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.key.rpartition("/")[2] or urlsplit(self.base).netloc or os.path.basename(self.base)

    @property
    def parent(self) -> "StorePath":
        """The path without its last part."""
        return StorePath(self.base, self.key.rpartition("/")[0])

    @property
    def lists_folders(self) -> bool:
        """Whether everything in a folder can be listed, with sizes and times."""
        return not self.is_web

    @property
    def is_web(self) -> bool:
        """Whether it is on a web server."""
        return self.base.lower().startswith("http")

    @property
    def is_archive(self) -> bool:
        """Whether it is in an archive on this machine."""
        return not is_url(self.base)

    def resolve(self) -> "StorePath":
        """Return the path itself."""
        return self

    def read_bytes(self) -> bytes:
        """Return the contents, which may be up to a minute old.

        Raises:
            FileNotFoundError: If it does not exist.
            OSError: If it can't be read; the error names the URL.
        """
        if self.is_archive:
            return archive.read(self.base, self.key)
        return _CACHE.get(self, lambda: remote.read(self.base, self.key))

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

    def entries(self) -> Iterator[StoreEntry]:
        """Yield what is in a folder; nothing if it does not exist, or if the server does not list folders.

        Raises:
            OSError: If the server can't be reached; the error names the URL.
        """
        if self.is_archive:
            yield from archive.entries(self.base, self.key)
        else:
            yield from remote.entries(self.base, self.key)

    def files_below(self) -> dict[str, StoreEntry]:
        """Return all files below a folder, by their path below it; raises what :meth:`entries` raises."""
        if self.is_archive:
            return archive.files_below(self.base, self.key)
        return remote.files_below(self.base, self.key)


AnyPath: TypeAlias = Path | StorePath


def path_below(path: AnyPath | str, folder: AnyPath) -> str:
    """Return the part of a path below a folder, with slashes; the whole path if it is not below it."""
    text, begin = str(path).replace(os.sep, "/"), str(folder).replace(os.sep, "/").rstrip("/")
    return text.removeprefix(f"{begin}/")


def read_many(paths: Iterable[StorePath]) -> dict[StorePath, bytes]:
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


def _read_or_none(path: StorePath) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
