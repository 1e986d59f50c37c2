"""A file with plain values and arrays: a zip archive of a head, a tree of values, and one member for each array.

The head is JSON and can be read without the rest; the tree is msgpack, with references in place of arrays; the members
of arrays are their bytes in C order, compressed with Zstandard for whole numbers. The archive's CRC-32 of each member
is checked when the member is read.
"""

import contextlib
import hashlib
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
_PACKED = ".zst"
_LEVEL = 1
_ZSTD = imagecodecs.ZstdError


class _Reference(msgspec.Struct, frozen=True, array_like=True):
    """What the tree has in place of an array."""

    member: str
    dtype: str
    shape: tuple[int, ...]


class StoredArray:
    """An array in a bundle, which is read when it is needed."""

    def __init__(self, path: Path, reference: _Reference) -> None:
        self._path = path
        self._reference = reference

    def load(self) -> NDArray[Any]:
        """Read the array; it can't be written to.

        Raises:
            DamagedResultError: it can't be read.
        """
        known = self._reference
        with _reading(self._path) as archive:
            data = archive.read(known.member)
            if known.member.endswith(_PACKED):
                data = bytes(imagecodecs.zstd_decode(data))
            return np.frombuffer(data, np.dtype(known.dtype)).reshape(known.shape)


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
    packed, arrays = _split(tree)
    with atomic_file(path, sync=sync) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_HEAD), msgspec.json.encode(head))  # of no date: equal content, equal bytes
        archive.writestr(zipfile.ZipInfo(_TREE), packed)
        for member, array in arrays.items():
            data = np.ascontiguousarray(array).tobytes()
            packed_data = imagecodecs.zstd_encode(data, level=_LEVEL) if member.endswith(_PACKED) else data
            archive.writestr(zipfile.ZipInfo(member), packed_data)


def digest_of_tree(tree: object) -> str:
    """Return the BLAKE2b digest (16 bytes, hexadecimal) of a tree with its arrays."""
    packed, arrays = _split(tree)
    digest = hashlib.blake2b(packed, digest_size=16)
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


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
        return StoredArray(path, msgspec.msgpack.decode(data, type=_Reference))

    try:
        with _reading(path) as archive:
            return msgspec.msgpack.decode(archive.read(_TREE), type=kind, ext_hook=found)
    except FileNotFoundError as error:
        raise DamagedResultError(f"{path} is missing") from error


def _split(tree: object) -> tuple[bytes, dict[str, NDArray[Any]]]:
    """Return the tree as msgpack, with references in place of arrays, and the arrays by the names of their members."""
    arrays: dict[str, NDArray[Any]] = {}

    def refer(value: object) -> msgspec.msgpack.Ext:
        if isinstance(value, StoredArray):
            value = value.load()
        if not isinstance(value, np.ndarray):
            raise TypeError(f"a bundle can't hold a value of type {type(value).__name__}")
        reference = _Reference(f"{len(arrays)}{_suffix(value)}", value.dtype.str, value.shape)
        arrays[reference.member] = value
        return msgspec.msgpack.Ext(_ARRAY, msgspec.msgpack.encode(reference))

    return msgspec.msgpack.encode(tree, enc_hook=refer), arrays


def _suffix(array: NDArray[Any]) -> str:
    return _PACKED if array.dtype.kind in "biu" else ".raw"


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
