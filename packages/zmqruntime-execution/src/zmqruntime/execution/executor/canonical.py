"""One form for all equal arguments, so that calls with the same key are compared by value.

Types count: ``1``, ``1.0`` and ``True`` differ. The order of a set, of the entries of a dict and of an array in memory
does not, as for ``==``.
"""

from typing import Any, Final

import msgspec
from msgspec.msgpack import Ext

from zmqruntime.codec import encode
from zmqruntime.execution.executor.arrays import in_c_order
from zmqruntime.execution.executor.calls import Call, digest_of, small_pickle
from zmqruntime.execution.executor.values import Kind

__all__ = ["content_of", "digest_of_values"]

_IN_ORDER: Final = frozenset({Kind.TUPLE, Kind.OBJECT, Kind.ENUM})
_UNORDERED: Final = frozenset({Kind.SET, Kind.FROZENSET})


def content_of(call: Call) -> tuple[object, ...]:
    """Return what makes it the same call as another one: not how it is retried, nor the state of the source file."""
    stored = call.stored
    digest = digest_of_values(call) if stored is None else stored.values or stored.digest
    return call.function, small_pickle(call.pickled), call.is_many, digest


def digest_of_values(call: Call) -> str:
    """Return the digest of the arguments by value, with the function if it is a large pickle."""
    parts = [_canonical(call.args), _canonical(call.kwargs)]
    if small_pickle(call.pickled) != call.pickled:
        parts.append(call.pickled)
    return digest_of(encode(parts))


def _canonical(wire: Any) -> Any:
    """Return the one form of a value on the wire; its depth was limited when it was put there."""
    if isinstance(wire, list):
        return [_canonical(each) for each in wire]
    if isinstance(wire, dict):
        return {key: _canonical(wire[key]) for key in sorted(wire)}
    return _extension(wire) if isinstance(wire, Ext) else wire


def _extension(wire: Ext) -> Ext:
    if wire.code == Kind.ARRAY:
        return Ext(wire.code, in_c_order(memoryview(wire.data)))
    if wire.code not in _IN_ORDER | _UNORDERED | {Kind.MAP}:
        return wire
    inner = _canonical(msgspec.msgpack.decode(wire.data))
    if wire.code in _UNORDERED:
        inner.sort(key=encode)
    elif wire.code == Kind.MAP:
        pairs = sorted(zip(inner[::2], inner[1::2], strict=True), key=lambda pair: encode(pair[0]))
        inner = [each for pair in pairs for each in pair]
    return Ext(wire.code, encode(inner))
