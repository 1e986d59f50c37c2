"""Messages between a window and its preview process: a MessagePack header, then the bytes of its arrays.

Each message is the length of its header (4 bytes, little-endian), the header, and the pixels of the arrays that the
header describes, one after the other. Nothing on the socket is ever executed or unpickled.
"""

import contextlib
import socket
import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.pipeline.cells import Cell
from openhcs_runtime.preview.values import PreviewProblem, PreviewRequest, PreviewResult, PreviewStep

__all__ = [
    "FROM_STDIN",
    "ArrayHead",
    "Cancel",
    "Done",
    "FromChild",
    "Ready",
    "Run",
    "Stale",
    "StepBegun",
    "ToChild",
    "Wire",
    "done_with",
    "result_of",
]

FROM_STDIN = "stdin"
"""In place of a descriptor: the socket arrives through the standard input, on Windows."""
_LENGTH = struct.Struct("<I")
_MOST_HEADER_BYTES = 64 << 20
_MOST_ARRAY_BYTES = 8 << 30
_KINDS = "biuf"


class ArrayHead(msgspec.Struct, frozen=True):
    """Shape and type of an array whose bytes follow the header."""

    shape: tuple[int, ...]
    dtype: str


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Make a preview; one at a time."""

    number: int
    request: PreviewRequest


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """End a preview at the next step or pattern group, or don't begin it."""

    number: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The process has loaded its libraries."""


class StepBegun(msgspec.Struct, frozen=True, tag="step"):
    """The current preview has reached a step."""

    number: int
    step: str


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """A preview has ended; its arrays are the labels and then the image, if there is one.

    Attributes:
        number: number of the request.
        is_cancelled: whether it was cancelled, and has no result.
        memory_bytes: memory of the process.
        is_leaving: whether the process ends now, because a function has changed it permanently.
    """

    number: int
    is_cancelled: bool = False
    memory_bytes: int = 0
    is_leaving: bool = False
    arrays: tuple[ArrayHead, ...] = ()
    labels: tuple[str, ...] = ()
    image_title: str = ""
    image_after: int = 0
    counts: dict[str, int] = {}
    measurements: dict[str, dict[str, Cell]] = {}
    steps: tuple[PreviewStep, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    problem: PreviewProblem | None = None


class Stale(msgspec.Struct, frozen=True, tag="stale"):
    """The process ends without making a preview, because something that it has loaded was edited."""

    number: int
    reason: str


ToChild: TypeAlias = Run | Cancel
FromChild: TypeAlias = Ready | StepBegun | Done | Stale


class Wire:
    """One end of the connection; one thread may send and another one receive.

    Args:
        sock: the socket; closed with this object.
        receives: type of the messages that arrive here.
    """

    def __init__(self, sock: socket.socket, receives: Any) -> None:
        self._socket = sock
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(receives)

    def send(self, message: ToChild | FromChild, arrays: Sequence[NDArray[Any]] = ()) -> None:
        """Send a message with its arrays.

        Raises:
            OSError: the other end is closed.
        """
        header = msgspec.msgpack.encode(message)
        self._socket.sendall(_LENGTH.pack(len(header)) + header)
        for array in arrays:
            self._socket.sendall(np.ascontiguousarray(array).data.cast("B") if array.size else b"")

    def receive(self) -> tuple[Any, list[NDArray[Any]]]:
        """Return the next message and its arrays.

        Raises:
            EOFError: the other end was closed, or has sent something else.
        """
        try:
            (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
            if length > _MOST_HEADER_BYTES:
                raise EOFError(f"a header of {length:,} bytes")
            message = self._decoder.decode(self._read(length))
            heads = message.arrays if isinstance(message, Done) else ()
            return message, [self._array(head) for head in heads]
        except (OSError, msgspec.DecodeError) as error:
            raise EOFError(str(error)) from error

    def close(self) -> None:
        """Close the socket; a thread that is receiving gets an ``EOFError``."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        self._fill(memoryview(data))
        return data

    def _fill(self, view: memoryview) -> None:
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise EOFError("closed")
            view = view[count:]

    def _array(self, head: ArrayHead) -> NDArray[Any]:
        dtype = np.dtype(head.dtype)
        size = dtype.itemsize
        for length in head.shape:
            size *= length
        if dtype.kind not in _KINDS or min(head.shape, default=0) < 0 or size > _MOST_ARRAY_BYTES:
            raise EOFError(f"an array of {head}")
        array = np.empty(head.shape, dtype)
        if array.size:
            self._fill(array.data.cast("B"))
        return array


def done_with(number: int, result: PreviewResult, memory_bytes: int, *, is_leaving: bool) -> tuple[Done, list[Any]]:
    """Return the message with a result, and its arrays."""
    arrays = [*result.labels.values(), *([] if result.image is None else [result.image])]
    message = Done(
        number=number,
        memory_bytes=memory_bytes,
        is_leaving=is_leaving,
        arrays=tuple(ArrayHead(array.shape, array.dtype.str) for array in arrays),
        labels=tuple(result.labels),
        image_title=result.image_title,
        image_after=result.image_after,
        counts=dict(result.counts),
        measurements={name: dict(values) for name, values in result.measurements.items()},
        steps=result.steps,
        seconds=result.seconds,
        notes=result.notes,
        printed=result.printed,
        problem=result.problem,
    )
    return message, arrays


def result_of(message: Done, arrays: Sequence[NDArray[Any]]) -> PreviewResult:
    """Return the result in a message."""
    has_image = len(arrays) > len(message.labels)
    return PreviewResult(
        labels=dict(zip(message.labels, arrays, strict=False)),
        image=arrays[-1] if has_image else None,
        image_title=message.image_title,
        image_after=message.image_after,
        counts=message.counts,
        measurements=message.measurements,
        steps=message.steps,
        seconds=message.seconds,
        notes=message.notes,
        printed=message.printed,
        problem=message.problem,
    )
