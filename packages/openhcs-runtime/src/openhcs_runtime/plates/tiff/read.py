"""Reading of a plane of a TIFF file, or only of its tags."""

import contextlib
import io
import os
from collections.abc import Iterator

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates.image_files import TakeBytes
from openhcs_runtime.plates.tiff.opened import open_tiff
from openhcs_runtime.plates.tiff.page import black_zero, check_ends, check_whole, contiguous, refusal
from openhcs_runtime.stores.path import AnyPath, StorePath, as_path


def read_plane(
    path: str | os.PathLike[str], index: tuple[int, ...] = (), on_bytes: TakeBytes | None = None
) -> NDArray[np.generic]:
    """Read a greyscale plane of a TIFF as an array (Y, X) with zero for black.

    Args:
        path: The file.
        index: The page number, from 0; () for the only plane of a file.
        on_bytes: Called with the whole file, or with each strip or tile of a page of a multi-page file.

    Returns:
        The pixels in the dtype they are stored in and the native byte order.

    Raises:
        ImageError: If the file is missing, truncated, damaged, or not one greyscale plane; the error names the file.
    """
    with errors_named(path):
        return _page(path, index[0], on_bytes) if index else _whole_file(path, on_bytes)


def _whole_file(path: str | os.PathLike[str], on_bytes: TakeBytes | None) -> NDArray[np.generic]:
    """Read the file once and decode it from memory."""
    data = _contents(as_path(path))
    if on_bytes is not None:
        on_bytes(data.data)
    with open_tiff(_Memory(data)) as tiff:
        page = tiff.pages.first
        assert isinstance(page, tifffile.TiffPage)
        if several := stored_planes(tiff):
            raise _RefusedError(f"it is not one greyscale plane ({several})")
        _check(page, data.size)
        check_ends(page, data)
        plane = contiguous(page, data)
        return black_zero(page, page.asarray() if plane is None else plane)


def _page(path: str | os.PathLike[str], number: int, on_bytes: TakeBytes | None) -> NDArray[np.generic]:
    with open_tiff(path) as tiff:
        try:
            page = tiff.pages[number]
        except IndexError:
            raise ValueError(f"it has no page {number + 1}") from None
        assert isinstance(page, tifffile.TiffPage)
        size = tiff.filehandle.size
        _check(page, size)
        if on_bytes is not None:
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
                tiff.filehandle.seek(offset)
                on_bytes(memoryview(tiff.filehandle.read(count)))
        return black_zero(page, page.asarray())


def plane_header(
    path: str | os.PathLike[str], index: tuple[int, ...] = ()
) -> tuple[tuple[int, int], np.dtype[np.generic]]:
    """Return shape (Y, X) and dtype of a plane of a TIFF, from its tags.

    Args:
        path: The file.
        index: The page number, from 0; () for the only plane of a file.

    Raises:
        ImageError: If it is not a plane that can be read; the error names the file.
    """
    with errors_named(path), open_tiff(path) as tiff:
        page = tiff.pages[index[0]] if index else tiff.pages.first
        assert isinstance(page, tifffile.TiffPage)
        if reason := refusal(page):
            raise _RefusedError(reason)
        return (page.imagelength, page.imagewidth), np.dtype(page.dtype)


def stored_planes(tiff: tifffile.TiffFile) -> str:
    """Describe the planes of a file with more than one, not counting thumbnails; empty if there is one plane."""
    if (pages := full_pages(tiff)) > 1:
        first = tiff.pages.first
        return f"{pages} pages of {'x'.join(map(str, first.shape))}"
    planes = planes_of_first_page(tiff)
    return f"{planes} planes in one page" if planes > 1 else ""


def full_pages(tiff: tifffile.TiffFile) -> int:
    """Return the number of pages that are not thumbnails of other pages."""
    if len(tiff.pages) == 1:
        return 1
    return sum(not (isinstance(page, tifffile.TiffPage) and page.is_reduced) for page in tiff.pages)


def planes_of_first_page(tiff: tifffile.TiffFile) -> int:
    """Return how many planes the first page has by its description; further ones have no pages of their own."""
    if tiff.is_imagej:
        images = (tiff.imagej_metadata or {}).get("images", 1)
        return int(images) if isinstance(images, int) else 1
    if tiff.is_shaped or tiff.is_stk:
        *rest, _, _ = (1, 1, *tiff.series[0].shape)
        return int(np.prod(rest))
    return 1


def _check(page: tifffile.TiffPage, size: int) -> None:
    if reason := refusal(page):
        raise _RefusedError(reason)
    check_whole(page, size)


def _contents(path: AnyPath) -> NDArray[np.uint8]:
    """Return all bytes of a file."""
    if isinstance(path, StorePath):
        return np.frombuffer(path.read_bytes(), np.uint8)
    with open(path, "rb", buffering=0) as file:
        data = np.empty(os.fstat(file.fileno()).st_size, np.uint8)
        _fill(file, data)
    return data


def _fill(file: io.FileIO, data: NDArray[np.uint8]) -> None:
    """Read until the array is full; raise ValueError if the file has become shorter."""
    done = 0
    while done < data.size:
        count = file.readinto(data[done:].data)
        if not count:
            raise ValueError(f"it was truncated while being read ({done} of {data.size} bytes)")
        done += count


class _RefusedError(Exception):
    """The file is not a readable plane, although it may be intact."""


@contextlib.contextmanager
def errors_named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Convert any error into an ImageError that names the file."""
    name = os.path.basename(path)
    try:
        yield
    except FileNotFoundError:
        raise ImageError(f"image {name} no longer exists: {path}", os.fspath(path)) from None
    except OSError as error:
        raise ImageError(f"image {name} can't be read: {error.strerror or error}", os.fspath(path)) from error
    except _RefusedError as error:
        raise ImageError(f"image {name} can't be used: {error}", os.fspath(path)) from None
    except MemoryError as error:
        raise ImageError(f"image {name} can't be read: not enough memory", os.fspath(path)) from error
    except Exception as error:  # a damaged file makes the decoder raise almost anything
        raise ImageError(f"image {name} is damaged or not a TIFF: {error}", os.fspath(path)) from error


class _Memory(io.RawIOBase):
    """A file object over the bytes of an array, without a copy."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        super().__init__()
        self._data = data.data
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: len(self._data)}[whence]
        self._place = max(begin + offset, 0)
        return self._place

    def read(self, size: int = -1) -> bytes:
        end = len(self._data) if size is None or size < 0 else self._place + size
        part = bytes(self._data[self._place : end])
        self._place += len(part)
        return part

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer).cast("B")
        part = self._data[self._place : self._place + len(view)]
        view[: len(part)] = part
        self._place += len(part)
        return len(part)
