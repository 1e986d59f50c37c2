"""Reading of one plane of a zarr array; separate from the listing of plates because the zarr library loads slowly.

Zarr allows a chunk to be absent if all of it has the fill value. A chunk is also absent if it was never written, or was
lost. An absent chunk is read as the fill value only if there is evidence that it is empty:

- the next resolution level, which was made from it, has only the fill value there; or
- there is no such level, and the plate's other images show that their writer leaves out empty chunks
  (``ImageRef.absent_is_fill``, see ``openhcs_runtime.plates.ome_zarr.plate``).

Otherwise, and if the next level has other pixels there, the image is damaged. Inside a shard, the shard index tells
which chunks are empty.
"""

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore, ObjectStore, StoreLike

from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates.base import ALL_X, ALL_Y, ImageRef
from openhcs_runtime.plates.image_files import TakeBytes
from openhcs_runtime.plates.ome_zarr.decode import chunk_decoder, decoded_plane
from openhcs_runtime.plates.ome_zarr.metadata import ArrayLayout, read_array, read_group
from openhcs_runtime.stores.path import AnyPath, StorePath, as_path, read_many
from openhcs_runtime.stores.remote import object_store

_DOCUMENTS = ("zarr.json", ".zarray")


def read_zarr_plane(image: ImageRef, on_bytes: TakeBytes | None = None) -> NDArray[np.generic]:
    """Read a plane (Y, X) of an array.

    Args:
        image: The image; its path is the array folder.
        on_bytes: Called with each chunk file that contains the plane, in the order of the array's axes.

    Returns:
        The pixels in the dtype they are stored in.

    Raises:
        ImageError: If the array is missing or damaged, or does not have this plane; the error names well, field and
            level.
    """
    name = "/".join(image.path.replace(os.sep, "/").split("/")[-4:])
    try:
        return _read(as_path(image.path), image, on_bytes)
    except FileNotFoundError:
        raise ImageError(f"image {name} no longer exists: {image.path}", image.path) from None
    except OSError as error:
        raise ImageError(f"image {name} can't be read: {error.strerror or error}", image.path) from error
    except Exception as error:  # a damaged chunk makes a codec raise almost anything
        raise ImageError(f"image {name} is damaged or not a zarr array: {error}", image.path) from error


def zarr_header(image: ImageRef) -> tuple[tuple[int, int], np.dtype[np.generic]]:
    """Return shape (Y, X) and dtype of a plane of an array.

    Raises:
        ImageError: If the metadata of the array can't be read.
    """
    try:
        array = zarr.open_array(store=_store(as_path(image.path), {}), mode="r")
        shape = array.shape
        place = image.index if len(image.index) == array.ndim else (*image.index, ALL_Y, ALL_X)
        size = (int(shape[place.index(ALL_Y)]), int(shape[place.index(ALL_X)]))
        return size, np.dtype(array.dtype)
    except Exception as error:  # damaged metadata can make the library raise almost anything
        raise ImageError(f"array {image.path} has no readable header: {error}", image.path) from error


def _read(folder: AnyPath, image: ImageRef, on_bytes: TakeBytes | None) -> NDArray[np.generic]:
    layout = read_array(folder)
    if len(image.index) not in (len(layout.shape), len(layout.shape) - 2):
        raise ValueError(f"it has no plane {image.index}")
    place = layout.place(image.index)
    if any(at >= length for at, length in zip(place, layout.shape, strict=True)):
        raise ValueError(f"it has no plane {image.index}")
    if isinstance(folder, StorePath):
        chunks, absent = _chunks_of_net(folder, list(layout.chunk_files(image.index)), on_bytes)
    else:
        chunks, absent = _chunks_of_disk(folder, layout, image, on_bytes)
    if absent:
        _check_absent(folder, layout, image, absent)
    decode = None if absent or layout.sharded else chunk_decoder(_document(folder))
    if decode is not None:
        plane = _native(decoded_plane(layout, image.index, chunks, decode))
        return plane.T if place.index(ALL_X) < place.index(ALL_Y) else plane
    in_place = layout.sharded and isinstance(folder, Path)  # only some chunks of a shard are read
    array = zarr.open_array(store=_whole_store(folder) if in_place else _store(folder, chunks), mode="r")
    where: tuple[Any, ...] = tuple(slice(None) if at in (ALL_Y, ALL_X) else at for at in place)
    plane = np.asarray(array[where])
    return plane.T if place.index(ALL_X) < place.index(ALL_Y) else plane


def _document(folder: AnyPath) -> bytes:
    """Return the metadata of an array."""
    try:
        return (folder / _DOCUMENTS[0]).read_bytes()
    except FileNotFoundError:
        return (folder / _DOCUMENTS[1]).read_bytes()


def _native(plane: NDArray[Any]) -> NDArray[Any]:
    """Return a plane in the byte order of this machine, and writable."""
    return plane.astype(plane.dtype.newbyteorder("="), copy=True)


def _chunks_of_disk(
    folder: Path, layout: ArrayLayout, image: ImageRef, on_bytes: TakeBytes | None
) -> tuple[dict[str, bytes], list[str]]:
    """Return the chunk files of a plane, without shards, and the names of those that are absent."""
    chunks: dict[str, bytes] = {}
    absent = []
    for name in layout.chunk_files(image.index):
        try:
            if layout.sharded:
                os.stat(folder / name)
                _hand_on(folder / name, on_bytes)
            else:
                chunks[name] = (folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            absent.append(name)
        else:
            if on_bytes is not None and name in chunks:
                on_bytes(memoryview(chunks[name]))
    return chunks, absent


def _chunks_of_net(
    folder: StorePath, names: Sequence[str], on_bytes: TakeBytes | None
) -> tuple[dict[str, bytes], list[str]]:
    """Return the chunk files or shards of a plane, read at once, and the names of those that are absent."""
    found = read_many(folder / name for name in names)
    chunks = {name: found[folder / name] for name in names if folder / name in found}
    if on_bytes is not None:
        for data in chunks.values():
            on_bytes(memoryview(data))
    return chunks, [name for name in names if name not in chunks]


def _whole_store(folder: AnyPath) -> StoreLike:
    """Return the store of an array with everything in it."""
    if isinstance(folder, Path):
        return os.fspath(folder)
    if folder.is_archive:
        return _store(folder, {name: (folder / name).read_bytes() for name in folder.files_below()})
    return ObjectStore(object_store(folder.base, folder.key), read_only=True)


def _store(folder: AnyPath, chunks: dict[str, bytes]) -> MemoryStore:
    """Return an in-memory store of the array with these chunks only."""
    files = dict(chunks)
    for document in _DOCUMENTS:
        with contextlib.suppress(FileNotFoundError):
            files[document] = (folder / document).read_bytes()
    kind = default_buffer_prototype().buffer
    return MemoryStore({name: kind.from_bytes(data) for name, data in files.items()}, read_only=True)


def _hand_on(path: Path, on_bytes: TakeBytes | None) -> None:
    if on_bytes is None:
        return
    with path.open("rb") as file:
        while part := file.read(1 << 24):
            on_bytes(memoryview(part))


def _check_absent(folder: AnyPath, layout: ArrayLayout, image: ImageRef, absent: Sequence[str]) -> None:
    """Raise ValueError unless there is evidence that these chunks are empty."""
    if len(absent) == layout.chunk_count(image.index) and not image.absent_is_fill:
        raise ValueError("none of its chunks exist: it was never written or has been lost")
    below = _next_level(folder)
    few = f"{absent[0]}" + (f" and {len(absent) - 1} more" if len(absent) > 1 else "")
    if below is None:
        if image.absent_is_fill:
            return
        raise ValueError(
            f"it lacks {len(absent)} of {layout.chunk_count(image.index)} chunks ({few}), and nothing shows that they "
            "are empty (write such plates with empty chunks, in zarr with write_empty_chunks, to make this clear)"
        )
    lower = zarr.open_array(store=_whole_store(below), mode="r")
    if lower.ndim != len(layout.shape):
        raise ValueError(f"its resolution levels differ in their axes, and it lacks the chunk {few}")
    for name in absent:
        region = _region_below(layout, image, name, lower.shape)
        if not _is_all(np.asarray(lower[region]), lower.fill_value):
            raise ValueError(f"it lacks the chunk {name}, which is not empty according to level {below.name}")
    if not image.absent_is_fill and not _has_chunks(below):
        raise ValueError(f"it lacks the chunk {few}, and nothing of level {below.name} was written")


def _is_all(pixels: NDArray[np.generic], fill: Any) -> bool:
    return np.array_equal(pixels, np.full_like(pixels, fill or 0), equal_nan=pixels.dtype.kind == "f")


def _next_level(folder: AnyPath) -> AnyPath | None:
    """Return the array of the next lower resolution."""
    metadata = read_group(folder.parent)
    paths = [dataset.path for multiscale in metadata.multiscales[:1] for dataset in multiscale.datasets]
    place = paths.index(folder.name) + 1 if folder.name in paths else len(paths)
    return folder.parent / paths[place] if place < len(paths) else None


def _region_below(layout: ArrayLayout, image: ImageRef, name: str, shape: Sequence[int]) -> tuple[Any, ...]:
    """Return the part of a lower level that is completely inside a chunk, in the plane of the image."""
    numbers = [int(number) for number in name.removeprefix(layout.prefix).split(layout.separator)]
    region: list[Any] = []
    for at, number, edge, length, lower in zip(
        layout.place(image.index), numbers, layout.chunks, layout.shape, shape, strict=True
    ):
        factor = length / lower
        if at not in (ALL_Y, ALL_X):
            region.append(min(int(at / factor), lower - 1))
        else:
            begin, end = number * edge, min((number + 1) * edge, length)
            region.append(slice(math.ceil(begin / factor), max(math.floor(end / factor), 0)))
    return tuple(region)


def _has_chunks(folder: AnyPath) -> bool:
    layout = read_array(folder)
    return any((folder / name).is_file() for name in _all_files(layout))


def _all_files(layout: ArrayLayout) -> Iterator[str]:
    grid = (range(math.ceil(length / edge)) for length, edge in zip(layout.shape, layout.chunks, strict=True))
    return (layout.chunk_file(place) for place in product(*grid))
