"""Arrays as ZeroMQ frames: a typed header and the array's own memory, copied on neither side.

This is how an array travels between hosts. Two frames make one array:

1. the :class:`ArrayHeader`, a msgpack map like every message of the protocol;
2. the elements, packed, in the order that the header names.
"""

import enum
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import zmq

from zmqruntime.codec import Decoder, encode
from zmqruntime.exceptions import MessageError
from zmqruntime.messages import ErrorCode, Message
from zmqruntime.streaming.dtypes import ElementType, Size, describe_dtype, restore_dtype
from zmqruntime.streaming.exceptions import ArrayFramesError, UnsupportedArrayError

__all__ = ["ArrayHeader", "MemoryOrder", "check_array", "count_bytes", "decode_array", "encode_array"]


class MemoryOrder(enum.StrEnum):
    """Which index of an array changes fastest in memory."""

    LAST = "C"
    """The last, as in C."""
    FIRST = "F"
    """The first, as in Fortran."""


class ArrayHeader(Message, frozen=True, kw_only=True, tag="array"):
    """What the elements in the next frame are: their type with its byte order, the shape, the memory order."""

    element: ElementType
    shape: tuple[Size, ...]
    order: MemoryOrder


_read_header: Decoder[ArrayHeader] = Decoder(ArrayHeader)


def encode_array(array: npt.NDArray[Any]) -> list[bytes | memoryview]:
    """The frames of an array, for ``socket.send_multipart(frames, copy=False)``.

    The second frame is the array's memory itself: do not change the array before it is sent (``track=True`` tells).
    An array with gaps or reversed axes is copied once. Any dtype of plain memory goes: numbers and booleans in either
    byte order, complex, dates, fixed strings, records.

    Raises:
        UnsupportedArrayError: the array is masked, or its elements are objects, long doubles or have no size.
    """
    element = check_array(array)
    plain = array.view(np.ndarray)
    if plain.flags.c_contiguous:
        order, packed = MemoryOrder.LAST, plain
    elif plain.flags.f_contiguous:
        order, packed = MemoryOrder.FIRST, plain.T
    else:
        order, packed = MemoryOrder.LAST, plain.copy(order="C")
    header = ArrayHeader(element=element, shape=array.shape, order=order)
    # As bytes, since the buffer protocol has no code for dates and numpy gives it none for big-endian records.
    return [encode(header), packed.reshape(-1).view(np.uint8).data]


def count_bytes(head: bytes | memoryview) -> int:
    """How many bytes of elements a header frame promises.

    Raises:
        ArrayFramesError: the frame is no header.
    """
    header, dtype = _read(head)
    return math.prod(header.shape) * dtype.itemsize


def check_array(array: npt.NDArray[Any]) -> ElementType:
    """The element type of an array that can be sent.

    Raises:
        UnsupportedArrayError: as by :func:`encode_array`.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise UnsupportedArrayError("a masked array would lose its mask; send array.filled(), and the mask on its own")
    return describe_dtype(array.dtype)


def decode_array(frames: Sequence[bytes | bytearray | memoryview | zmq.Frame]) -> npt.NDArray[Any]:
    """The array in the two frames, with the shape, dtype and memory order that it was sent with.

    It is a read-only view of the second frame and keeps that frame alive; ``copy()`` it to change it. Frames of
    ``socket.recv_multipart(copy=False)`` are taken as they are.

    Raises:
        ArrayFramesError: the frames are not an array, or the second one is too long or too short for the header.
    """
    if len(frames) != 2:
        raise _invalid(f"an array is two frames, a header and its elements, not {len(frames)}")
    head, body = (memoryview(frame.buffer if isinstance(frame, zmq.Frame) else frame) for frame in frames)
    header, dtype = _read(head)
    expected = math.prod(header.shape) * dtype.itemsize
    if body.nbytes != expected:
        raise _invalid(f"the header promises {expected} bytes of elements, but {body.nbytes} came")
    try:
        array = np.ndarray(header.shape, dtype, buffer=body, order=header.order.value)
    except (ValueError, OverflowError, MemoryError) as error:
        raise _invalid(f"array header: {error}") from error
    array.flags.writeable = False
    return array


def _read(head: bytes | memoryview) -> tuple[ArrayHeader, np.dtype[Any]]:
    try:
        header = _read_header(head)
        return header, restore_dtype(header.element)
    except MessageError as error:
        raise ArrayFramesError(error.code, f"array header: {error}") from error
    except (ValueError, RecursionError) as error:
        raise _invalid(f"array header: {error}") from error


def _invalid(text: str) -> ArrayFramesError:
    return ArrayFramesError(ErrorCode.INVALID, text)
