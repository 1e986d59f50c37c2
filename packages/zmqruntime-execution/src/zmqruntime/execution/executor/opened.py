"""Values on the wire, opened without the types of a program: for people and programs that only look at them.

Python's own types are restored as they are. Everything else becomes one of the classes here, which say what was sent:
a record of a type is its import path and its fields, an array its dtype, shape and bytes. Nothing is imported.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec.msgpack import Ext

from zmqruntime.execution.executor.arrays import Header, split_array
from zmqruntime.execution.executor.values import OWN_TYPES, Kind
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

__all__ = ["Array", "Failure", "Items", "Member", "Opaque", "Pairs", "Record", "is_failure", "open_value"]


class Items(msgspec.Struct, frozen=True):
    """A tuple, a set or a frozenset, which ``kind`` says."""

    kind: str
    values: list[Any]


class Pairs(msgspec.Struct, frozen=True):
    """A dict with keys that are not all text."""

    values: list[tuple[Any, Any]]


class Record(msgspec.Struct, frozen=True):
    """A dataclass, named tuple or struct, by the import path of its type."""

    reference: str
    fields: dict[str, Any]


class Member(msgspec.Struct, frozen=True):
    """A member of an enum; one without a name, as of combined flags, has only its value."""

    reference: str
    name: str | None
    value: Any


class Array(msgspec.Struct, frozen=True):
    """An array of numpy, or a scalar if ``is_scalar``.

    Attributes:
        dtype: as in the header of a ``.npy`` file.
        shape: its lengths; empty for a scalar.
        order: C or F, the order of its elements.
        data: its elements as bytes.
        values: its elements, where they are plain numbers; None otherwise.
        is_scalar: whether it is a scalar.
    """

    dtype: Any
    shape: tuple[int, ...]
    order: str
    data: bytes
    values: tuple[Any, ...] | None
    is_scalar: bool = False


class Failure(msgspec.Struct, frozen=True):
    """An exception."""

    kind: str
    text: str


class Opaque(msgspec.Struct, frozen=True):
    """What cannot be opened: a pickled object, which would run code, or an extension type of another program."""

    what: str
    code: int
    data: bytes


_FORMATS: Final = {"f2": "e", "f4": "f", "f8": "d", "b1": "?"} | {
    f"{sign}{size}": (letter if sign == "i" else letter.upper())
    for size, letter in ((1, "b"), (2, "h"), (4, "i"), (8, "q"))
    for sign in "iu"
}
_MOST_ELEMENTS: Final = 10_000
_UNREADABLE: Final = (msgspec.MsgspecError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def open_value(wire: Any) -> Any:
    """Return a value as it can be shown: plain values, Python's own types, and the classes of this module."""
    match wire:
        case Ext():
            return _opened(wire.code, memoryview(wire.data))
        case list():
            return [open_value(each) for each in wire]
        case dict():
            return {key: open_value(each) for key, each in wire.items()}
        case _:
            return wire


def is_failure(snapshot: ExecutionSnapshot) -> bool:
    """Whether what an execution has left as its result is the exception of a function, which is no result."""
    wire = snapshot.result
    return snapshot.status is ExecutionStatus.FAILED and isinstance(wire, Ext) and wire.code == Kind.ERROR


def _opened(code: int, data: memoryview) -> Any:
    try:
        return OWN_TYPES[code](bytes(data)) if code in OWN_TYPES else _OPENED[code](data)
    except _UNREADABLE:
        return Opaque(f"extension type {code}", code, bytes(data))


def _inner(data: memoryview) -> Any:
    return msgspec.msgpack.decode(data, ext_hook=_opened)


def _pairs(data: memoryview) -> Pairs:
    values = _inner(data)
    return Pairs(list(zip(values[::2], values[1::2], strict=True)))


def _failure(data: memoryview) -> Failure:
    kind, text, *_ = _inner(data)
    return Failure(str(kind), str(text))


def _array(data: memoryview, is_scalar: bool = False) -> Array:
    header, body = split_array(data)
    return Array(header.dtype, header.shape, header.order, bytes(body), _elements(header, body), is_scalar)


def _elements(header: Header, body: memoryview) -> tuple[Any, ...] | None:
    """Return the elements of a short array of one of the usual types of numbers."""
    dtype = header.dtype
    if not isinstance(dtype, str) or dtype[1:] not in _FORMATS or header.order != "C":
        return None
    order, letter = {"|": "=", "=": "="}.get(dtype[0], dtype[0]), _FORMATS[dtype[1:]]
    count = body.nbytes // struct.calcsize(order + letter)
    return struct.unpack(f"{order}{count}{letter}", body) if count <= _MOST_ELEMENTS else None


_OPENED: Final[dict[int, Callable[[memoryview], Any]]] = {
    Kind.TUPLE: lambda data: Items("tuple", _inner(data)),
    Kind.SET: lambda data: Items("set", _inner(data)),
    Kind.FROZENSET: lambda data: Items("frozenset", _inner(data)),
    Kind.MAP: _pairs,
    Kind.OBJECT: lambda data: Record(*_inner(data)),
    Kind.ENUM: lambda data: Member(*_inner(data)),
    Kind.ARRAY: _array,
    Kind.SCALAR: lambda data: _array(data, is_scalar=True),
    Kind.PICKLE: lambda data: Opaque("pickled object", int(Kind.PICKLE), bytes(data)),
    Kind.ERROR: _failure,
}
