"""``.C01`` and ``.DIB`` files: one greyscale image with the header of a Windows bitmap.

A ``.DIB`` file has a header of 40 bytes (size of the header, width, height, planes, bits, compression, size of the
pixels, pixels per metre across and down, two numbers of colours), 12 more bytes, and the rows of pixels from top to
bottom; numbers are little-endian. A ``.C01`` file has four bytes with the number 16, and the same compressed by zlib.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates.base import ImageRef, PlateProblem
from openhcs_runtime.plates.image_files import ImageFiles, ImageHeader, ImageNotes, TakeBytes
from openhcs_runtime.plates.lengths import one_length
from openhcs_runtime.plates.opened import open_file
from openhcs_runtime.plates.pages import PageOrder
from openhcs_runtime.plates.tiff.image_files import TIFF_FILES
from openhcs_runtime.stores.path import AnyPath, as_path

__all__ = ["CELLOMICS_FILES", "SUFFIXES"]

SUFFIXES = (".c01", ".dib")

_MAGIC = b"\0\0\0\x10"
_HEADER = struct.Struct("<IiiHHIIii8x")
_BEGIN = 52
_FIRST = 4096
_LARGEST = 65_536
_TYPES: dict[int, np.dtype[np.generic]] = {8: np.dtype(np.uint8), 16: np.dtype("<u2"), 32: np.dtype("<u4")}


@dataclass(frozen=True, slots=True)
class _Header:
    """The header of a file: shape (Y, X), type, and pixels per metre (Y, X)."""

    shape: tuple[int, int]
    dtype: np.dtype[np.generic]
    per_metre: tuple[int, int]

    @property
    def end(self) -> int:
        """The number of bytes of header and pixels."""
        return _BEGIN + self.shape[0] * self.shape[1] * self.dtype.itemsize


class _CellomicsFiles(ImageFiles):
    """``.C01`` and ``.DIB`` files, and the TIFF files that are exported from them."""

    def read(self, image: ImageRef, on_bytes: TakeBytes | None = None) -> NDArray[np.generic]:
        if not _is_container(image):
            return TIFF_FILES.read(image, on_bytes)
        path = as_path(image.path)
        try:
            stored = path.read_bytes()
            if on_bytes is not None:
                on_bytes(memoryview(stored))
            header = _header(_unpacked(path, stored, _BEGIN))
            content = _unpacked(path, stored, header.end)
        except (ValueError, zlib.error, OSError) as error:
            raise _damaged(path, error) from error
        if len(content) < header.end:
            raise _damaged(path, ValueError("it ends before its pixels do"))
        pixels = np.frombuffer(content, header.dtype, offset=_BEGIN, count=header.shape[0] * header.shape[1])
        return pixels.reshape(header.shape).astype(header.dtype.newbyteorder("="))

    def header(self, image: ImageRef) -> ImageHeader:
        if not _is_container(image):
            return TIFF_FILES.header(image)
        try:
            header = _first_header(as_path(image.path))
        except (ValueError, zlib.error, OSError) as error:
            raise _damaged(as_path(image.path), error) from error
        return ImageHeader(header.shape, header.dtype.newbyteorder("="))

    def refusals(self, images: Iterable[ImageRef]) -> list[str]:
        return TIFF_FILES.refusals(image for image in images if not _is_container(image))

    def with_planes(
        self, images: Sequence[ImageRef], pages: PageOrder | None = None
    ) -> tuple[Sequence[ImageRef], list[PlateProblem]]:
        is_exported = not images or not _is_container(images[0])  # a plate has files of one of the two kinds
        return TIFF_FILES.with_planes(images, pages) if is_exported else (images, [])

    def notes(self, image: ImageRef) -> ImageNotes:
        if not _is_container(image):
            return TIFF_FILES.notes(image)
        try:
            down, across = _first_header(as_path(image.path)).per_metre
        except (ValueError, zlib.error, OSError):
            return ImageNotes()  # reading the image reports it
        if down <= 0 or across <= 0:
            return ImageNotes()
        size = one_length(1e6 / across, 1e6 / down)
        return ImageNotes(pixel_size_um=round(size, 6) if size is not None else None)


CELLOMICS_FILES = _CellomicsFiles()


def _is_container(image: ImageRef) -> bool:
    return image.path.lower().endswith(SUFFIXES)


def _first_header(path: AnyPath) -> _Header:
    with open_file(path) as file:
        return _header(_unpacked(path, file.read(_FIRST), _BEGIN))


def _unpacked(path: AnyPath, stored: bytes, most: int) -> bytes:
    """Return the first bytes of the content of a file."""
    if not path.name.lower().endswith(".c01"):
        return stored[:most]
    if not stored.startswith(_MAGIC):
        raise ValueError("it does not begin like a .C01 file")
    return zlib.decompressobj().decompress(stored[len(_MAGIC) :], most)


def _header(content: bytes) -> _Header:
    if len(content) < _BEGIN:
        raise ValueError("it ends before its pixels do")
    _, width, height, planes, bits, compression, _, across, down = _HEADER.unpack_from(content)
    if not (0 < width <= _LARGEST and 0 < height <= _LARGEST):
        raise ValueError(f"it states a size of {height} x {width} pixels")
    if planes != 1 or bits not in _TYPES or compression:
        raise ValueError(f"it has {planes} plane(s) of {bits} bits with compression {compression}; export it as TIFF")
    return _Header((height, width), _TYPES[bits], (down, across))


def _damaged(path: AnyPath, error: Exception) -> ImageError:
    reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    return ImageError(f"image {path.name} is damaged or not one that can be read: {reason}", str(path))
