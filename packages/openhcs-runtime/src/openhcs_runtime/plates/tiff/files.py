"""Listing of the TIFF files in a plate folder."""

import os
import re
from collections.abc import Iterator

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.base import ImageRef

_SUFFIXES = (".tif", ".tiff")
_THUMBNAIL = re.compile(r".*_thumb[^_]*", re.DOTALL)
"""``_thumb`` at the end of the name, or before an identifier; elsewhere it is part of the plate's name."""


def stem_of(name: str) -> str:
    """Return a TIFF file name without ``.tif``, ``.tiff``, ``.ome.tif`` or ``.ome.tiff``; empty for other files."""
    stem, suffix = os.path.splitext(name)
    if suffix.lower() not in _SUFFIXES:
        return ""
    return stem[:-4] if stem[-4:].lower() == ".ome" else stem


def is_tiff(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a TIFF file by its name, neither hidden nor a thumbnail.

    Broken links count too: reading them reports the error.
    """
    name = entry.name.lower()
    if not name.endswith(_SUFFIXES) or name.startswith("."):
        return False
    if "_thumb" in name and _THUMBNAIL.fullmatch(stem_of(name)):
        return False
    return entry.is_file() or _leads_nowhere(entry)


def tiff_files(folder: str | os.PathLike[str], *, deep: bool = False) -> Iterator[os.DirEntry[str]]:
    """Yield the TIFF files of a folder.

    Args:
        folder: The folder.
        deep: Also list all folders below, each of them once even if several links point to it.
    """
    return _files(folder, {_identity(os.stat(folder))}, deep=deep)


def image_of(entry: os.DirEntry[str], key: ImageKey) -> ImageRef:
    """Return the reference to the image in a file."""
    try:
        stat = entry.stat()
    except OSError:
        return ImageRef(key, entry.path, 0, 0)
    return ImageRef(key, entry.path, stat.st_size, stat.st_mtime_ns)


def _files(folder: str | os.PathLike[str], seen: set[tuple[int, int]], *, deep: bool) -> Iterator[os.DirEntry[str]]:
    below = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_tiff(entry):
                yield entry
            elif deep and not entry.name.startswith(".") and entry.is_dir():
                below.append(entry)
    for entry in sorted(below, key=lambda entry: (entry.is_symlink(), entry.name)):
        place = _identity(os.stat(entry.path))
        if place not in seen:
            seen.add(place)
            yield from _files(entry.path, seen, deep=True)


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)
