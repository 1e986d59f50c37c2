"""Opening of TIFF files, on this machine or on the net.

tifffile logs what it finds odd in a file, often more than once. Problems are reported by the plate and by reading, so
these lines are dropped while a file is open here; what a host program reads with tifffile is logged as usual.
"""

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import BinaryIO, cast

import tifffile

from openhcs_runtime.stores.path import AnyPath, StorePath, as_path

__all__ = ["open_tiff", "quiet"]

_IS_QUIET = ContextVar("_IS_QUIET", default=False)


def _is_logged(_: logging.LogRecord) -> bool:
    return not _IS_QUIET.get()


logging.getLogger("tifffile").addFilter(_is_logged)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what tifffile logs in this thread."""
    token = _IS_QUIET.set(True)
    try:
        yield
    finally:
        _IS_QUIET.reset(token)


@contextlib.contextmanager
def open_tiff(source: str | os.PathLike[str] | AnyPath | io.IOBase) -> Iterator[tifffile.TiffFile]:
    """Open a file, or its contents; a file on the net is read as a whole.

    Raises:
        OSError: If it can't be read.
        TiffFileError: If it is not a TIFF.
    """
    with quiet(), tifffile.TiffFile(_readable(source)) as tiff:
        yield tiff


def _readable(source: str | os.PathLike[str] | AnyPath | io.IOBase) -> os.PathLike[str] | BinaryIO:
    if isinstance(source, io.IOBase):
        return cast(BinaryIO, source)
    place = as_path(source)
    return io.BytesIO(place.read_bytes()) if isinstance(place, StorePath) else place
