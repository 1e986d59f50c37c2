"""Encoding and decoding of messages, with a single error type for everything that can be wrong with the bytes."""

import functools
import typing
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from zmqruntime.base_messages import PROTOCOL_VERSION, ErrorCode, Message
from zmqruntime.exceptions import MessageError, UnsendableError
from zmqruntime.shape import MAX_DEPTH, MAX_ELEMENTS, problem_in, simple_parts

__all__ = ["Decoder", "clean_text", "encode", "encode_given", "pack_given"]

T = TypeVar("T")

_CLOSED = {bool, int, float, str, bytes, type(None)}


def _as_known(value: object) -> object:
    """Encode instances of ``str`` subclasses as plain text."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"Encoding objects of type {type(value).__qualname__} is unsupported")


encode = msgspec.msgpack.Encoder(enc_hook=_as_known).encode
"""Encode any message, or any msgpack value."""


def encode_given(value: object, what: str) -> bytes:
    """Encode something that holds values from a user.

    Args:
        value: the message or value to encode.
        what: its name in error messages, for example "the result of the task".

    Raises:
        TypeError: it contains a value of a type that cannot be sent.
        UnsendableError: it is nested too deeply, has too many elements, or contains text that is not UTF-8.
    """
    data = _encode_any(value, what)
    if isinstance(value, Message) and len(data) <= MAX_ELEMENTS and _is_closed(type(value)):
        return data
    problem = problem_in(data, is_message=isinstance(value, Message))
    if problem is not None:
        raise UnsendableError(f"{what} cannot be sent: {problem}")
    return data


@functools.lru_cache(maxsize=256)
def _is_closed(kind: type[Message]) -> bool:
    """Return whether a message of this type holds only single values, which a server checks by its fields."""
    hints = typing.get_type_hints(kind)
    return all(_CLOSED.issuperset(typing.get_args(hints[name]) or (hints[name],)) for name in kind.__struct_fields__)


def _encode_any(value: object, what: str) -> bytes:
    try:
        return encode(value)
    except TypeError as error:
        raise TypeError(
            f"{what} may contain only None, booleans, numbers, text, bytes, times, and lists and maps of those: {error}"
        ) from None
    except RecursionError:
        raise UnsendableError(f"{what} contains itself, or is nested deeper than {MAX_DEPTH} levels") from None
    except UnicodeEncodeError as error:
        raise UnsendableError(
            f"{what} contains text that is not UTF-8 ({error}); to send a path, use os.fsencode(path)"
        ) from None
    except (OverflowError, ValueError) as error:
        raise UnsendableError(f"{what} cannot be sent: {error}") from None
    except Exception as error:
        raise TypeError(f"{what} cannot be sent: one of your classes raised {type(error).__name__}: {error}") from error


def pack_given(value: object, what: str, *, max_bytes: int, max_elements: int = MAX_ELEMENTS) -> bytes:
    """Encode a user's value as bytes that every receiver can decode.

    Args:
        value: the value to send or store.
        what: its name in error messages, for example "the result of the task".
        max_bytes: maximum length of the encoded value.
        max_elements: maximum number of elements in all its lists and maps together.

    Raises:
        TypeError: it contains a value of a type that cannot be sent.
        UnsendableError: it is too long or nested too deeply, has too many elements, or contains text that is not UTF-8.
    """
    data = _encode_any(value, what)
    if len(data) > max_bytes:
        raise UnsendableError(
            f"{what} is {len(data):,} bytes, the limit is {max_bytes:,}; write it to a file and pass the path instead"
        )
    problem = problem_in(data, max_elements=max_elements)
    if problem is not None:
        raise UnsendableError(f"{what} cannot be sent: {problem}")
    return data


def clean_text(text: str, limit: int | None = None) -> str:
    """Return text that can be encoded: non-UTF-8 parts, as in file names, are escaped; cut to ``limit`` characters."""
    cut = text if limit is None else text[:limit]
    return cut.encode("utf-8", "backslashreplace").decode()


class _Envelope(msgspec.Struct):
    type: str
    protocol: int = PROTOCOL_VERSION


_read_envelope = msgspec.msgpack.Decoder(_Envelope).decode


_STEPS = 2_000


def _problem_with(data: bytes) -> str | None:
    """Return what is wrong with a message, without scanning those too short to have too many elements or levels."""
    if len(data) <= MAX_ELEMENTS and simple_parts(data) is not None:
        return None
    return problem_in(data, is_message=True, max_steps=_STEPS)


class Decoder(Generic[T]):
    """Decoder from bytes to one of a given set of message types.

    Args:
        messages: a message type or a union of message types.
        explain_unknown: returns the error to raise for a message of another type, given its tag
            [default: a ``MessageError`` with code ``invalid``].
    """

    def __init__(self, messages: object, explain_unknown: Callable[[str], MessageError] | None = None) -> None:
        self._decode = msgspec.msgpack.Decoder(messages).decode
        self._explain_unknown = explain_unknown
        known = () if explain_unknown is None else typing.get_args(messages) or (messages,)
        self._tags = {each.__struct_config__.tag for each in known}

    def __call__(self, data: bytes | memoryview) -> T:
        """Decode the message in ``data``.

        Raises:
            MessageError: the bytes are not one of these messages; its code tells whether the version is the reason.
        """
        problem = _problem_with(bytes(data))
        if problem is not None:
            raise MessageError(ErrorCode.INVALID, f"not a message of this protocol: {problem}")
        try:
            message: T = self._decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
            raise self._explain(data, error) from error
        version = message.protocol if isinstance(message, Message) else PROTOCOL_VERSION
        if version != PROTOCOL_VERSION:
            raise _wrong_version(version)
        return message

    def _explain(self, data: bytes | memoryview, error: Exception) -> MessageError:
        try:
            envelope = _read_envelope(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return MessageError(ErrorCode.INVALID, f"not a message of this protocol: {error}")
        if envelope.protocol != PROTOCOL_VERSION:
            return _wrong_version(envelope.protocol)
        if self._explain_unknown is not None and envelope.type not in self._tags:
            return self._explain_unknown(envelope.type)
        return MessageError(ErrorCode.INVALID, f"{envelope.type!r} message: {error}")


def _wrong_version(version: int) -> MessageError:
    return MessageError(
        ErrorCode.PROTOCOL,
        f"protocol version {version} is not supported, only {PROTOCOL_VERSION}; install the same release on both sides",
    )
