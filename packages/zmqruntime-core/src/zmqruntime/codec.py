"""Messages to bytes and back, with one kind of error for whatever is wrong with the bytes."""

from typing import Generic, TypeVar

import msgspec

from zmqruntime.exceptions import MessageError
from zmqruntime.messages import PROTOCOL_VERSION, ErrorCode, Message

__all__ = ["Decoder", "encode", "encode_given"]

T = TypeVar("T")


def _as_known(value: object) -> object:
    """A text of a class that derives from ``str`` is a text."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"Encoding objects of type {type(value).__qualname__} is unsupported")


encode = msgspec.msgpack.Encoder(enc_hook=_as_known).encode
"""Any message, or any msgpack value, as bytes."""


def encode_given(value: object, what: str) -> bytes:
    """As ``encode``, for what holds values of a user. Raises TypeError, which says what ``what`` may hold."""
    try:
        return encode(value)
    except TypeError as error:
        raise TypeError(
            f"{what} may hold None, booleans, numbers, text, bytes, times, and lists and maps of those: {error}"
        ) from None


class _Envelope(msgspec.Struct):
    type: str
    protocol: int


_read_envelope = msgspec.msgpack.Decoder(_Envelope).decode


class Decoder(Generic[T]):
    """Decodes bytes to one of the message types that it was made for."""

    def __init__(self, messages: object) -> None:
        self._decode = msgspec.msgpack.Decoder(messages).decode

    def __call__(self, data: bytes | memoryview) -> T:
        """The message in ``data``.

        Raises:
            MessageError: the bytes are no such message; its code says whether the version is to blame.
        """
        try:
            message: T = self._decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _explain(data, error) from error
        version = message.protocol if isinstance(message, Message) else PROTOCOL_VERSION
        if version != PROTOCOL_VERSION:
            raise _wrong_version(version)
        return message


def _explain(data: bytes | memoryview, error: Exception) -> MessageError:
    try:
        envelope = _read_envelope(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return MessageError(ErrorCode.INVALID, f"not a message of this protocol: {error}")
    if envelope.protocol != PROTOCOL_VERSION:
        return _wrong_version(envelope.protocol)
    return MessageError(ErrorCode.INVALID, f"{envelope.type!r} message: {error}")


def _wrong_version(version: int) -> MessageError:
    return MessageError(
        ErrorCode.PROTOCOL,
        f"protocol version {version} is not spoken here, only {PROTOCOL_VERSION}; "
        "install the same release on both sides",
    )
