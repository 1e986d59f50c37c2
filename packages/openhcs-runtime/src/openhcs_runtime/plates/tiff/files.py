"""Listing of the TIFF files in a plate folder."""

import errno
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeAlias

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.base import ImageRef
from openhcs_runtime.stores.entry import StoreEntry
from openhcs_runtime.stores.path import AnyPath, StorePath, as_path

_SUFFIXES = (".tif", ".tiff")
Entry: TypeAlias = os.DirEntry[str] | StoreEntry
"""A file or folder in a listing."""

_THUMBNAIL = re.compile(r".*_thumb[^_]*", re.DOTALL)
"""``_thumb`` at the end of the name, or before an identifier; elsewhere it is part of the plate's name."""


def stem_of(name: str) -> str:
    """Return a TIFF file name without ``.tif``, ``.tiff``, ``.ome.tif`` or ``.ome.tiff``; empty for other files."""
    stem, suffix = os.path.splitext(name)
    if suffix.lower() not in _SUFFIXES:
        return ""
    return stem[:-4] if stem[-4:].lower() == ".ome" else stem


def is_tiff(entry: Entry) -> bool:
    """Return whether it is a TIFF file by its name, neither hidden nor a thumbnail.

    Broken links count too: reading them reports the error.
    """
    name = entry.name.lower()
    if not name.endswith(_SUFFIXES) or name.startswith("."):
        return False
    if "_thumb" in name and _THUMBNAIL.fullmatch(stem_of(name)):
        return False
    try:
        return entry.is_file() or _leads_nowhere(entry)
    except OSError:
        if entry.is_symlink():  # such as a link to itself
            return True
        raise


def are_plain_tiffs(entries: Sequence[Entry]) -> bool:
    """Return whether all are TIFF files beyond doubt; if not, ``is_tiff`` says which are."""
    names = "/" + "/".join([entry.name for entry in entries]).lower() + "/"
    return (
        sum(names.count(f"{suffix}/") for suffix in _SUFFIXES) == len(entries)
        and "/." not in names
        and "_thumb" not in names
        and all(entry.is_file() for entry in entries)
    )


def is_folder(entry: Entry) -> bool:
    """Return whether it is a folder, or a link to one; a link to itself is not."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise


def scan(folder: AnyPath | str) -> Iterator[Entry]:
    """Yield the files and folders directly in a folder.

    Raises:
        OSError: If it can't be listed.
    """
    path = as_path(folder)
    if isinstance(path, StorePath):
        yield from path.entries()
        return
    with os.scandir(path) as entries:
        yield from entries


def scan_in_batches(folder: AnyPath, size: int) -> Iterator[Sequence[Entry]]:
    """Yield the files and folders directly in a folder, in lists of up to ``size``.

    Raises:
        OSError: If it can't be listed.
    """
    if isinstance(folder, StorePath):
        listed = folder.entries()
        yield from iter(lambda: list(islice(listed, size)), [])
        return
    with os.scandir(folder) as entries:
        yield from iter(lambda: list(islice(entries, size)), [])


def tiff_files(folder: AnyPath | str, *, deep: bool = False) -> Iterator[Entry]:
    """Yield the TIFF files of a folder.

    Args:
        folder: The folder.
        deep: Also list all folders below, each of them once even if several links point to it.
    """
    return _files(folder, {identity(folder)}, deep=deep)


def image_of(entry: Entry, key: ImageKey) -> ImageRef:
    """Return the reference to the image in a file."""
    try:
        stat = entry.stat()
    except OSError:
        return ImageRef(key, entry.path, 0, 0)
    return ImageRef(key, entry.path, stat.st_size, stat.st_mtime_ns)


def _files(folder: AnyPath | str, seen: set[tuple[int, int] | str], *, deep: bool) -> Iterator[Entry]:
    below = []
    for entry in scan(folder):
        if is_tiff(entry):
            yield entry
        elif deep and not entry.name.startswith(".") and is_folder(entry):
            below.append(entry)
    for entry in sorted(below, key=lambda entry: (entry.is_symlink(), entry.name)):
        place = identity(entry.path)
        if place not in seen:
            seen.add(place)
            yield from _files(entry.path, seen, deep=True)


def identity(folder: AnyPath | str) -> tuple[int, int] | str:
    """Return what two paths to the same folder share."""
    path = as_path(folder)
    if isinstance(path, StorePath):
        return str(path)
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def _leads_nowhere(entry: Entry) -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)
