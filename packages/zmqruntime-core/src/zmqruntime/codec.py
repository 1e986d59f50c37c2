"""Messages to bytes and back, with one kind of error for whatever is wrong with the bytes."""

import typing
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from zmqruntime.base_messages import PROTOCOL_VERSION, ErrorCode, Message
from zmqruntime.exceptions import MessageError, UnsendableError
from zmqruntime.shape import MAX_DEPTH, MAX_ELEMENTS, problem_in

__all__ = ["Decoder", "clean_text", "encode", "encode_given", "pack_given"]

T = TypeVar("T")


def _as_known(value: object) -> object:
    """A text of a class that derives from ``str`` is a text."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"Encoding objects of type {type(value).__qualname__} is unsupported")


encode = msgspec.msgpack.Encoder(enc_hook=_as_known).encode
"""Any message, or any msgpack value, as bytes."""


def encode_given(value: object, what: str) -> bytes:
    """As ``encode``, for what holds values of a user.

    Raises:
        TypeError: it holds something of a type that cannot be sent.
        UnsendableError: it is too deep, has too many elements, or text that is not UTF-8.
    """
    data = _encode_any(value, what)
    problem = problem_in(data, is_message=isinstance(value, Message))
    if problem is not None:
        raise UnsendableError(f"{what} cannot be sent: {problem}")
    return data


def _encode_any(value: object, what: str) -> bytes:
    try:
        return encode(value)
    except TypeError as error:
        raise TypeError(
            f"{what} may hold None, booleans, numbers, text, bytes, times, and lists and maps of those: {error}"
        ) from None
    except RecursionError:
        raise UnsendableError(f"{what} holds itself, or is nested deeper than {MAX_DEPTH}") from None
    except UnicodeEncodeError as error:
        raise UnsendableError(
            f"{what} has text that is not UTF-8 ({error}); a path can be sent as os.fsencode(path)"
        ) from None
    except (OverflowError, ValueError) as error:
        raise UnsendableError(f"{what} cannot be sent: {error}") from None
    except Exception as error:
        raise TypeError(f"{what} cannot be sent: {type(error).__name__} in a class of yours: {error}") from error


def pack_given(value: object, what: str, *, max_bytes: int, max_elements: int = MAX_ELEMENTS) -> bytes:
    """A value of a user as bytes that whoever they reach can read.

    Args:
        value: what is to be sent or kept.
        what: how an error names it, for example "the result of the task".
        max_bytes: how long it may be.
        max_elements: how many elements its lists and maps may have together.

    Raises:
        TypeError: it holds something of a type that cannot be sent.
        UnsendableError: it is too long, too deep, has too many elements, or text that is not UTF-8.
    """
    data = _encode_any(value, what)
    if len(data) > max_bytes:
        raise UnsendableError(
            f"{what} is {len(data):,} bytes, at most {max_bytes:,} may be; write a file and pass its path instead"
        )
    problem = problem_in(data, max_elements=max_elements)
    if problem is not None:
        raise UnsendableError(f"{what} cannot be sent: {problem}")
    return data


def clean_text(text: str, limit: int | None = None) -> str:
    """Text that can be encoded: what is not UTF-8, as in names of files, is escaped; cut to ``limit`` characters."""
    cut = text if limit is None else text[:limit]
    return cut.encode("utf-8", "backslashreplace").decode()


class _Envelope(msgspec.Struct):
    type: str
    protocol: int = PROTOCOL_VERSION


_read_envelope = msgspec.msgpack.Decoder(_Envelope).decode


_CONTAINERS = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
_STEPS = 2_000


def _problem_with(data: bytes) -> str | None:
    """Looks into what could be too much, and not at all at what is too short to be."""
    is_long = len(data) > MAX_ELEMENTS
    if not is_long and len(data) - len(data.translate(None, _CONTAINERS)) <= MAX_DEPTH:
        return None
    return problem_in(data, is_message=True, max_steps=_STEPS)


class Decoder(Generic[T]):
    """Decodes bytes to one of the message types that it was made for.

    Args:
        messages: a message type or a union of them.
        explain_unknown: what to raise for a message of another type, by its tag; by default a ``MessageError`` with
            code ``invalid``.
    """

    def __init__(self, messages: object, explain_unknown: Callable[[str], MessageError] | None = None) -> None:
        self._decode = msgspec.msgpack.Decoder(messages).decode
        self._explain_unknown = explain_unknown
        known = () if explain_unknown is None else typing.get_args(messages) or (messages,)
        self._tags = {each.__struct_config__.tag for each in known}

    def __call__(self, data: bytes | memoryview) -> T:
        """The message in ``data``.

        Raises:
            MessageError: the bytes are no such message; its code says whether the version is to blame.
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
        f"protocol version {version} is not spoken here, only {PROTOCOL_VERSION}; "
        "install the same release on both sides",
    )
