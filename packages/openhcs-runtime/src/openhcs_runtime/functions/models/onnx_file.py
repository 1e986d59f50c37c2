"""What the file of an ONNX model says of itself, without ``onnxruntime``: whether it is one, and its files of weights.

An ONNX file is a protobuf message. Only the fields on the way to ``TensorProto.external_data`` are looked at, so the
weights themselves are not read.
"""

import functools
import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path

__all__ = ["DamagedModelError", "external_files", "file_problems"]

_LFS = b"version https://git-lfs.github.com/spec/"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_INSIDE = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""Numbers of the fields of each kind of message that lead to external data."""
_KEY, _VALUE = 1, 2
_GRAPH = 7


class DamagedModelError(ValueError):
    """A file is not an ONNX model, or only a part of one."""


def file_problems(model: Path) -> Iterator[str]:
    """Yield what is wrong with the file of a model and the files of its weights, with the remedy."""
    said = _problem(model, "model")
    if said or model.suffix.lower() == ".ort":
        yield from said
        return
    try:
        files = external_files(model)
    except DamagedModelError as error:
        yield str(error)
        return
    for file in files:
        yield from _problem(file, f"model {str(model)!r}: its file of weights")


def external_files(model: Path) -> tuple[Path, ...]:
    """Return the files next to a model that hold weights of it; none for a model in the format of onnxruntime.

    Raises:
        DamagedModelError: The file is not an ONNX model.
        OSError: It can't be read.
    """
    if model.suffix.lower() == ".ort":
        return ()
    known = model.stat()
    return _external_files(model, known.st_size, known.st_mtime_ns, known.st_ctime_ns)


@functools.lru_cache(maxsize=16)
def _external_files(model: Path, size: int, _changed_ns: int, _status_ns: int) -> tuple[Path, ...]:
    try:
        with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if all(number != _GRAPH for number, *_ in _fields(content, 0, size)):
                raise DamagedModelError("it has no graph")
            names = dict.fromkeys(_locations(content, "model", 0, size))
            return tuple(model.parent / os.fsdecode(name) for name in names)
    except (ValueError, IndexError, RecursionError) as error:
        raise DamagedModelError(
            f"model {str(model)!r} is not an ONNX file, or damaged ({error}): fetch or export it again"
        ) from None


def _problem(file: Path, name: str) -> list[str]:
    """Return a line if a file can't hold a model or weights."""
    named = f"{name} {str(file)!r}"
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            return [f"{named} is {'a folder' if stat.S_ISDIR(mode) else 'not a regular file'}: give the file itself"]
        with file.open("rb") as content:
            start = content.read(len(_LFS))
    except FileNotFoundError:
        return [f"{named} does not exist: put it next to the model"]
    except OSError as error:
        return [f"{named} can't be read ({error.strerror}): check its permissions"]
    if not start:
        return [f"{named} is empty: fetch or export it again"]
    if start == _LFS:
        return [f"{named} is only the pointer of Git LFS: fetch the file itself with 'git lfs pull'"]
    return []


def _locations(content: mmap.mmap, kind: str, begin: int, end: int) -> Iterator[bytes]:
    """Yield the locations of the external data in a message of a kind."""
    for number, wire, first, last in _fields(content, begin, end):
        inside = _INSIDE[kind].get(number)
        if inside is None or wire != _BYTES:
            continue
        if inside != "entry":
            yield from _locations(content, inside, first, last)
            continue
        entry = {key: content[at:to] for key, _, at, to in _fields(content, first, last)}
        if entry.get(_KEY) == b"location":
            yield entry.get(_VALUE, b"")


def _fields(content: mmap.mmap, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, and begin and end of the value of each field of a message."""
    at = begin
    while at < end:
        tag, at = _varint(content, at)
        wire, first = tag & 7, at
        if wire == _VARINT:
            _, at = _varint(content, at)
        elif wire == _BYTES:
            length, first = _varint(content, at)
            at = first + length
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError("it is not a protobuf message")
        if at > end or not tag >> 3:
            raise ValueError("it ends too early" if at > end else "it is not a protobuf message")
        yield tag >> 3, wire, first, at


def _varint(content: mmap.mmap, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = 0
    for index in range(_LONGEST_VARINT):
        byte = content[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("it is not a protobuf message")
