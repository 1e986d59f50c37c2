"""A file with plain values and arrays: a zip archive of a head, a tree of values, and one member for each array.

The head is JSON and can be read without the rest; the tree is msgpack, with references in place of arrays; arrays are
in numpy's own format, those of whole numbers compressed with Zstandard. The archive's CRC-32 of each member is checked
when the member is read.
"""

import contextlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import msgspec
import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import DamagedResultError

_HEAD, _TREE = "head.json", "tree.msgpack"
_ARRAY = 1
"""The msgpack extension type of a reference to an array."""
_LEVEL = 1
_ZSTD = imagecodecs.ZstdError


class StoredArray:
    """An array in a bundle, which is read when it is needed."""

    def __init__(self, path: Path, member: str) -> None:
        self._path = path
        self._member = member

    def load(self) -> NDArray[Any]:
        """Read the array.

        Raises:
            DamagedResultError: it can't be read.
        """
        with _reading(self._path) as archive:
            data = archive.read(self._member)
            if self._member.endswith(".zst"):
                data = bytes(imagecodecs.zstd_decode(data))
            array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
            return array


def write_bundle(path: Path, head: object, tree: object, *, sync: bool) -> None:
    """Write a bundle.

    Args:
        path: the file.
        head: a msgspec structure or plain values, written as JSON.
        tree: the same, which may contain numpy arrays and ``StoredArray`` at any depth.
        sync: wait until it is on disk.

    Raises:
        OutputError: it can't be written.
    """
    arrays: list[NDArray[Any]] = []

    def refer(value: object) -> msgspec.msgpack.Ext:
        if isinstance(value, StoredArray):
            value = value.load()
        if not isinstance(value, np.ndarray):
            raise TypeError(f"a bundle can't hold a value of type {type(value).__name__}")
        arrays.append(value)
        return msgspec.msgpack.Ext(_ARRAY, str(len(arrays) - 1).encode())

    packed = msgspec.msgpack.encode(tree, enc_hook=refer)
    with atomic_file(path, sync=sync) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_HEAD, msgspec.json.encode(head))
        archive.writestr(_TREE, packed)
        for number, array in enumerate(arrays):
            name, data = _packed(number, array)
            archive.writestr(name, data)


def read_head(path: Path, kind: type[msgspec.Struct]) -> Any:
    """Return the head of a bundle as ``kind``; None if there is no such file.

    Raises:
        DamagedResultError: it can't be read.
    """
    try:
        with _reading(path) as archive:
            return msgspec.json.decode(archive.read(_HEAD), type=kind)
    except FileNotFoundError:
        return None


def read_tree(path: Path, kind: Any) -> Any:
    """Return the tree of a bundle as ``kind``, with a ``StoredArray`` in place of each array.

    Raises:
        DamagedResultError: it can't be read.
    """

    def found(code: int, data: memoryview) -> StoredArray:
        if code != _ARRAY:
            raise ValueError(f"unknown extension {code}")
        number = bytes(data).decode()
        return StoredArray(path, next(name for name in (f"{number}.npy", f"{number}.npy.zst") if name in names))

    try:
        with _reading(path) as archive:
            names = set(archive.namelist())
            return msgspec.msgpack.decode(archive.read(_TREE), type=kind, ext_hook=found)
    except FileNotFoundError as error:
        raise DamagedResultError(f"{path} is missing") from error


def _packed(number: int, array: NDArray[Any]) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    if array.dtype.kind in "biu":
        return f"{number}.npy.zst", bytes(imagecodecs.zstd_encode(buffer.getvalue(), level=_LEVEL))
    return f"{number}.npy", buffer.getvalue()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a bundle; everything that can go wrong with a damaged one is one error."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, StopIteration, ValueError, _ZSTD) as error:
        raise DamagedResultError(f"{path} can't be read: {error or type(error).__name__}") from error
