"""Finds the TIFF files of a plate folder."""

import os
from collections.abc import Iterator

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.base import ImageRef

_SUFFIXES = (".tif", ".tiff")


def is_tiff(entry: os.DirEntry[str]) -> bool:
    """Whether it is a TIFF file by its name: no hidden one, no thumbnail."""
    name = entry.name.lower()
    return name.endswith(_SUFFIXES) and "_thumb" not in name and not name.startswith(".") and entry.is_file()


def tiff_files(folder: str | os.PathLike[str], *, deep: bool = False) -> Iterator[os.DirEntry[str]]:
    """The TIFF files of a folder, with `deep` also those of all folders below; links to folders are not followed."""
    below = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_tiff(entry):
                yield entry
            elif deep and not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
    for path in below:
        yield from tiff_files(path, deep=True)


def image_of(entry: os.DirEntry[str], key: ImageKey) -> ImageRef:
    """The image in a file."""
    stat = entry.stat()
    return ImageRef(key, entry.path, stat.st_size, stat.st_mtime_ns)
