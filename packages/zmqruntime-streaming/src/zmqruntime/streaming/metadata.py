"""Metadata of an array: checked when it is sent, so that exactly what was sent arrives."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from zmqruntime.codec import encode
from zmqruntime.streaming.exceptions import UnsupportedMetadataError
from zmqruntime.streaming.wire import ImageMessage, Position

__all__ = ["Meta", "plain_metadata"]

_MAX_BYTES: Final = 1024 * 1024
_MAX_DEPTH: Final = 20
_MAX_INTEGER: Final = 2**63
_LONGEST_FLOAT_BYTES: Final = 8
_REMEDIES: Final = {
    "tuple": "it would arrive as a list, so send list(...)",
    "set": "send a sorted list",
    "frozenset": "send a sorted list",
    "ndarray": "send its tolist(), or send it as an array of its own",
    "datetime": "send its isoformat() or timestamp()",
    "datetime64": "send str(...)",
    "timedelta64": "send a number of seconds",
    "longdouble": "send float(...)",
    "clongdouble": "send its real and imaginary parts",
    "complex": "send [z.real, z.imag]",
    "complex128": "send [z.real, z.imag]",
    "complex64": "send [z.real, z.imag]",
}


class Meta(dict[str, Any]):
    """The metadata of a received array, and where the array comes from.

    Attributes:
        sender: name of the sender; of an :class:`ImageStream`, the name of the layer.
        sender_id: id of the sender, which tells senders of the same name apart.
        number: number of the array among those of its sender, from 1.
        time: when it was sent, in seconds since the epoch, by the clock of the sender.
        missed: number of arrays of this sender that were sent since the previous one given to you, but skipped.
        position: place in the layer, which an :class:`ImageStream` may give.
    """

    def __init__(self, content: ImageMessage, missed: int, sender_id: str = "") -> None:
        super().__init__(content.metadata)
        self.sender: str = content.layer_name
        self.sender_id = sender_id
        self.number: int = 0 if content.stamp is None else content.stamp.number
        self.time: float | None = None if content.stamp is None else content.stamp.time
        self.missed = missed
        self.position: Position = content.position


def plain_metadata(given: Mapping[str, object]) -> dict[str, Any]:
    """Return metadata as it will arrive: None, booleans, numbers, text, bytes, and lists and dicts of those.

    Scalars of NumPy become Python's numbers of the same value.

    Raises:
        UnsupportedMetadataError: a value would not arrive as it is, or there is more than 1 MiB.
    """
    plain = {name: _plain(value, name, 0) for name, value in given.items()}
    try:
        size = len(encode(plain))
    except UnicodeEncodeError as error:
        raise UnsupportedMetadataError(f"the metadata contains text that is not UTF-8: {error}") from error
    if size > _MAX_BYTES:
        raise UnsupportedMetadataError(f"{size:,} bytes of metadata are over {_MAX_BYTES:,}; send an array instead")
    return plain


def _plain(value: object, path: str, depth: int) -> object:
    if depth > _MAX_DEPTH:
        raise UnsupportedMetadataError(f"metadata {path[:80]!r} is nested deeper than {_MAX_DEPTH} levels; flatten it")
    if isinstance(value, np.generic):
        value = _scalar(value, path)
    kind = type(value)
    if value is None or kind in (bool, float, str, bytes):
        return value
    if isinstance(value, int) and kind is int:
        if not -_MAX_INTEGER <= value < 2 * _MAX_INTEGER:
            raise UnsupportedMetadataError(f"metadata {path!r} does not fit into 64 bits; send it as text")
        return value
    if isinstance(value, list) and kind is list:
        return [_plain(part, f"{path}[{index}]", depth + 1) for index, part in enumerate(value)]
    if isinstance(value, dict) and kind in (dict, Meta):
        return {_key(key, path): _plain(part, f"{path}.{key}", depth + 1) for key, part in value.items()}
    raise _refused(value, path)


def _scalar(value: np.generic, path: str) -> object:
    is_number = isinstance(value, np.bool_ | np.integer | np.floating) and value.itemsize <= _LONGEST_FLOAT_BYTES
    if not (is_number or isinstance(value, np.str_ | np.bytes_)) or isinstance(value, np.timedelta64):
        raise _refused(value, path)
    return value.item()


def _key(key: object, path: str) -> str:
    if type(key) is not str:
        raise UnsupportedMetadataError(f"metadata {path!r} has the key {key!r}, which is not text; use str(key)")
    return key


def _refused(value: object, path: str) -> UnsupportedMetadataError:
    name = type(value).__name__
    remedy = _REMEDIES.get(name, "send text, a number, or a list or dict of those")
    return UnsupportedMetadataError(f"metadata {path!r} of type {name} cannot be sent: {remedy}")
