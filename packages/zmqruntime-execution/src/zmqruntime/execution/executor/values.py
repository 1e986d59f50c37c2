"""Values on the wire: what a function takes and returns, as msgpack that restores the same types.

``None``, booleans, 64-bit integers, floats, text, bytes, lists, and maps with text keys are themselves, so that a
client in another language reads them. All else is an extension type (github.com/msgpack/msgpack, ``spec.md``) with one
of the numbers of :class:`Kind`.
"""

import datetime
import decimal
import enum
import os
import pathlib
import struct
import uuid
import zoneinfo
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import msgspec
from msgspec.msgpack import Ext

from zmqruntime.codec import encode
from zmqruntime.exceptions import UnsendableError
from zmqruntime.execution.executor import arrays, objects

__all__ = ["OWN_TYPES", "Kind", "Pickler", "Values"]

_MAX_DEPTH: Final = 100
_SCALARS: Final = frozenset({type(None), bool, float, bytes})
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_COMPLEX = struct.Struct(">dd")


class Kind(enum.IntEnum):
    """Numbers of the extension types; part of the format, so never changed."""

    TUPLE = 1
    SET = 2
    FROZENSET = 3
    MAP = 4
    LARGE_INT = 5
    COMPLEX = 6
    DECIMAL = 7
    UUID = 8
    PATH = 9
    DATETIME = 10
    DATE = 11
    TIME = 12
    TIMEDELTA = 13
    OBJECT = 14
    ENUM = 15
    ARRAY = 16
    SCALAR = 17
    TEXT = 18
    BYTEARRAY = 19
    RANGE = 20
    PICKLE = 21
    ERROR = 22


class Values:
    """Converts values to what msgpack encodes, and back.

    Args:
        pickler: Sends what has no other way; None to refuse it.
    """

    def __init__(self, pickler: "Pickler | None" = None) -> None:
        self._pickler = pickler

    def to_wire(self, value: object) -> Any:
        """Return a value that msgpack encodes and :meth:`from_wire` restores to the same types.

        Raises:
            UnsendableError: It cannot be restored in another process, or contains itself.
        """
        try:
            return self._wire(value, 0)
        except RecursionError:
            raise UnsendableError(f"it contains itself, or is nested deeper than {_MAX_DEPTH} levels") from None

    def pickled(self, value: object) -> Ext:
        """Return an object by value for the wire.

        Raises:
            UnsendableError: Pickles are not asked for, or it cannot be pickled.
        """
        return self._pickled(value, type(value))

    def from_wire(self, wire: Any) -> Any:
        """Return the value that was sent.

        Raises:
            ImportError: A type cannot be imported here.
            UnsendableError: A value has no meaning here, for example because its type has changed.
        """
        kind = type(wire)
        if kind is Ext:
            return self._restore(wire.code, memoryview(wire.data))
        if kind is list:
            return wire if _is_plain(wire) else [self.from_wire(each) for each in wire]
        if kind is dict:
            return wire if _is_plain(wire.values()) else {key: self.from_wire(each) for key, each in wire.items()}
        return wire

    # --- to the wire ---------------------------------------------------------------------------------------------

    def _wire(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is int:
            return value if _SMALLEST <= value <= _LARGEST else Ext(Kind.LARGE_INT.value, _int_bytes(value))
        if kind is str:
            return (
                value
                if value.isascii() or _is_text(value)
                else Ext(Kind.TEXT.value, value.encode("utf-8", _SURROGATES))
            )
        if depth > _MAX_DEPTH:
            raise UnsendableError(f"it contains itself, or is nested deeper than {_MAX_DEPTH} levels")
        if kind is list:
            return self._wire_list(value, depth)
        if kind is dict:
            return self._wire_map(value, depth)
        return self._extension(value, kind, depth)

    def _wire_list(self, value: list[Any], depth: int) -> list[Any]:
        if set(map(type, value)) <= _SCALARS:
            return value
        return [self._wire(each, depth + 1) for each in value]

    def _wire_map(self, value: dict[Any, Any], depth: int) -> Any:
        if all(type(key) is str and (key.isascii() or _is_text(key)) for key in value):
            return {key: self._wire(each, depth + 1) for key, each in value.items()}
        pairs = [self._wire(each, depth + 1) for pair in value.items() for each in pair]
        return Ext(Kind.MAP.value, encode(pairs))

    def _extension(self, value: Any, kind: type, depth: int) -> Ext:
        simple = _SIMPLE.get(kind)
        if simple is not None:
            return Ext(simple[0].value, simple[1](value))
        if kind in _SEQUENCES:
            return Ext(_SEQUENCES[kind].value, encode([self._wire(each, depth + 1) for each in value]))
        if isinstance(value, enum.Enum):
            return self._member(value, kind, depth)
        if objects.is_record(value):
            return self._record(value, kind, depth)
        if arrays.is_array(value):
            return Ext(Kind.ARRAY.value, arrays.pack_array(value))
        if arrays.is_scalar(value):
            return Ext(Kind.SCALAR.value, arrays.pack_scalar(value))
        return self._pickled(value, kind)

    def _member(self, value: enum.Enum, kind: type, depth: int) -> Ext:
        try:
            reference = objects.reference_of_type(kind)
        except UnsendableError:
            if self._pickler is not None:
                return self._pickled(value, kind)
            raise
        name = value.name if value.name in kind.__members__ else None  # type: ignore[attr-defined]
        raw = self._wire(value.value, depth + 1) if name is None else None
        return Ext(Kind.ENUM.value, encode([reference, name, raw]))

    def _record(self, value: object, kind: type, depth: int) -> Ext:
        try:
            reference = objects.reference_of_type(kind)
            state = objects.state_of(value)
        except UnsendableError:
            if self._pickler is not None:
                return self._pickled(value, kind)
            raise
        fields = {name: self._wire(each, depth + 1) for name, each in state.items()}
        return Ext(Kind.OBJECT.value, encode([reference, fields]))

    def _pickled(self, value: object, kind: type) -> Ext:
        if self._pickler is not None:
            return Ext(Kind.PICKLE.value, self._pickler.dumps(value))
        raise UnsendableError(
            f"a value of type {kind.__module__}.{kind.__qualname__} cannot be sent as data: pass numbers, text, paths, "
            "arrays, dataclasses or containers of those, or a path to a file; "
            "Executor(..., allow_pickle=True) sends other objects by cloudpickle"
        )

    # --- from the wire -------------------------------------------------------------------------------------------

    def _restore(self, code: int, data: memoryview) -> Any:
        restore = OWN_TYPES.get(code)
        if restore is not None:
            return restore(bytes(data))
        match code:
            case Kind.ARRAY:
                return arrays.unpack_array(data)
            case Kind.SCALAR:
                return arrays.unpack_scalar(data)
            case Kind.PICKLE:
                return self._unpickled(data)
        inner = msgspec.msgpack.decode(data, ext_hook=self._restore)
        match code:
            case Kind.TUPLE:
                return tuple(inner)
            case Kind.SET:
                return set(inner)
            case Kind.FROZENSET:
                return frozenset(inner)
            case Kind.MAP:
                return dict(zip(inner[::2], inner[1::2], strict=True))
            case Kind.OBJECT:
                return objects.restore_record(*inner)
            case Kind.ENUM:
                return objects.restore_enum(*inner)
        raise UnsendableError(f"a value of unknown kind {code} arrived: install the same release on both sides")

    def _unpickled(self, data: memoryview) -> Any:
        if self._pickler is None:
            raise UnsendableError(
                "a pickled value arrived, which is only read where Executor(..., allow_pickle=True) asks for it"
            )
        return self._pickler.loads(data)


class Pickler(Protocol):
    """Sends objects by value, and whatever code they bring along."""

    def dumps(self, value: object) -> bytes:
        """Return the pickled value; raises ``UnsendableError`` if it cannot be pickled."""

    def loads(self, data: memoryview) -> Any:
        """Return the value; this may run any code."""


_SURROGATES: Final = "surrogatepass"
_PLAIN: Final = frozenset({*_SCALARS, int, str})
_SEQUENCES: Final[dict[type, Kind]] = {tuple: Kind.TUPLE, set: Kind.SET, frozenset: Kind.FROZENSET}


def _is_plain(values: Iterable[object]) -> bool:
    return set(map(type, values)) <= _PLAIN


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _int_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, signed=True)


def _int_from(data: bytes) -> int:
    return int.from_bytes(data, signed=True)


def _zone_of(zone: datetime.tzinfo | None) -> Any:
    """Return a time zone as text, or as an offset in microseconds with its name."""
    if zone is None:
        return None
    if isinstance(zone, zoneinfo.ZoneInfo) and zone.key:
        return zone.key
    if type(zone) is datetime.timezone:
        offset = zone.utcoffset(None)
        return [offset.days, offset.seconds, offset.microseconds, zone.tzname(None)]
    raise UnsendableError(
        f"a time in a zone of type {type(zone).__qualname__} cannot be sent: use datetime.timezone or zoneinfo.ZoneInfo"
    )


def _zone_from(zone: Any) -> datetime.tzinfo | None:
    if zone is None:
        return None
    if isinstance(zone, str):
        return zoneinfo.ZoneInfo(zone)
    days, seconds, microseconds, name = zone
    offset = datetime.timedelta(days, seconds, microseconds)
    plain = datetime.timezone(offset)
    if not offset:
        plain = datetime.UTC
    return plain if plain.tzname(None) == name else datetime.timezone(offset, name)


def _pack_moment(value: datetime.datetime | datetime.time) -> bytes:
    return encode([value.replace(tzinfo=None, fold=0).isoformat(), value.fold, _zone_of(value.tzinfo)])


def _datetime_from(data: bytes) -> datetime.datetime:
    text, fold, zone = msgspec.msgpack.decode(data)
    return datetime.datetime.fromisoformat(text).replace(fold=fold, tzinfo=_zone_from(zone))


def _time_from(data: bytes) -> datetime.time:
    text, fold, zone = msgspec.msgpack.decode(data)
    return datetime.time.fromisoformat(text).replace(fold=fold, tzinfo=_zone_from(zone))


def _pack_path(value: pathlib.PurePath) -> bytes:
    kind = "" if isinstance(value, pathlib.Path) else type(value).__name__
    return encode([kind, os.fsencode(str(value))])


def _path_from(data: bytes) -> pathlib.PurePath:
    kind, text = msgspec.msgpack.decode(data)
    path = os.fsdecode(text)
    if kind == "PurePosixPath":
        return pathlib.PurePosixPath(path)
    return pathlib.PureWindowsPath(path) if kind == "PureWindowsPath" else pathlib.Path(path)


_SIMPLE: Final[dict[type, tuple[Kind, Callable[[Any], bytes]]]] = {
    complex: (Kind.COMPLEX, lambda value: _COMPLEX.pack(value.real, value.imag)),
    decimal.Decimal: (Kind.DECIMAL, lambda value: str(value).encode()),
    uuid.UUID: (Kind.UUID, lambda value: value.bytes),
    type(pathlib.Path()): (Kind.PATH, _pack_path),
    pathlib.PurePosixPath: (Kind.PATH, _pack_path),
    pathlib.PureWindowsPath: (Kind.PATH, _pack_path),
    datetime.datetime: (Kind.DATETIME, _pack_moment),
    datetime.time: (Kind.TIME, _pack_moment),
    datetime.date: (Kind.DATE, lambda value: value.isoformat().encode()),
    datetime.timedelta: (Kind.TIMEDELTA, lambda value: encode([value.days, value.seconds, value.microseconds])),
    bytearray: (Kind.BYTEARRAY, bytes),
    range: (Kind.RANGE, lambda value: encode([_int_bytes(part) for part in (value.start, value.stop, value.step)])),
}

OWN_TYPES: Final[dict[int, Callable[[bytes], Any]]] = {
    Kind.LARGE_INT: _int_from,
    Kind.TEXT: lambda data: data.decode("utf-8", _SURROGATES),
    Kind.COMPLEX: lambda data: complex(*_COMPLEX.unpack(data)),
    Kind.DECIMAL: lambda data: decimal.Decimal(data.decode()),
    Kind.UUID: lambda data: uuid.UUID(bytes=data),
    Kind.PATH: _path_from,
    Kind.DATETIME: _datetime_from,
    Kind.TIME: _time_from,
    Kind.DATE: lambda data: datetime.date.fromisoformat(data.decode()),
    Kind.TIMEDELTA: lambda data: datetime.timedelta(*msgspec.msgpack.decode(data)),
    Kind.BYTEARRAY: bytearray,
    Kind.RANGE: lambda data: range(*map(_int_from, msgspec.msgpack.decode(data))),
}
"""What restores the kinds of Python's own types that contain no other values."""
