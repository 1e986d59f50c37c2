"""Arrays as ZeroMQ frames: a typed header and the memory of the array, not copied on either side.

This is how arrays are sent between hosts. An array consists of two frames:

1. the :class:`ArrayHeader`, a msgpack map like every message of the protocol;
2. the elements, contiguous, in the order given in the header.
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

__all__ = ["ArrayHeader", "MemoryOrder", "check_array", "count_bytes", "decode_array", "encode_array", "encode_header"]


class MemoryOrder(enum.StrEnum):
    """Which index of an array changes fastest in memory."""

    LAST = "C"
    """The last, as in C."""
    FIRST = "F"
    """The first, as in Fortran."""


class ArrayHeader(Message, frozen=True, kw_only=True, tag="array"):
    """Describes the elements in the next frame: their type with byte order, the shape, and the memory order."""

    element: ElementType
    shape: tuple[Size, ...]
    order: MemoryOrder


_read_header: Decoder[ArrayHeader] = Decoder(ArrayHeader)


def encode_array(array: npt.NDArray[Any]) -> list[bytes | memoryview]:
    """Return the frames of an array, for ``socket.send_multipart(frames, copy=False)``.

    The second frame is the memory of the array itself: do not change the array until it has been sent (use
    ``track=True`` to find out). Arrays with gaps or reversed axes are copied once. All dtypes of plain memory are
    supported: numbers and booleans in either byte order, complex numbers, dates, fixed-length strings, and records.

    Raises:
        UnsupportedArrayError: the array is masked, or its elements are objects or long doubles, or have no size.
    """
    element = check_array(array)
    plain = array.view(np.ndarray)
    if plain.flags.c_contiguous:
        order, packed = MemoryOrder.LAST, plain
    elif plain.flags.f_contiguous:
        order, packed = MemoryOrder.FIRST, plain.T
    else:
        order, packed = MemoryOrder.LAST, plain.copy(order="C")
    # As bytes, because the buffer protocol has no code for dates, and NumPy none for big-endian records.
    return [encode_header(element, array.shape, order), packed.reshape(-1).view(np.uint8).data]


def encode_header(element: ElementType, shape: tuple[int, ...], order: MemoryOrder) -> bytes:
    """Return the header frame of an array whose elements are in memory in this order."""
    return encode(ArrayHeader(element=element, shape=shape, order=order))


def count_bytes(head: bytes | memoryview) -> int:
    """Return the number of bytes of elements announced in a header frame.

    Raises:
        ArrayFramesError: the frame is not a header.
    """
    header, dtype = _read(head)
    return math.prod(header.shape) * dtype.itemsize


def check_array(array: npt.NDArray[Any]) -> ElementType:
    """Check that an array can be sent, and return its element type.

    Raises:
        UnsupportedArrayError: as in :func:`encode_array`.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise UnsupportedArrayError("a masked array would lose its mask; send array.filled(), and the mask separately")
    return describe_dtype(array.dtype)


def decode_array(frames: Sequence[bytes | bytearray | memoryview | zmq.Frame]) -> npt.NDArray[Any]:
    """Return the array in two frames, with its original shape, dtype and memory order.

    It is a read-only view of the second frame and keeps that frame alive; ``copy()`` it to modify it. Frames from
    ``socket.recv_multipart(copy=False)`` can be passed directly.

    Raises:
        ArrayFramesError: the frames are not an array, or the length of the second one does not match the header.
    """
    if len(frames) != 2:
        raise _invalid(f"an array must be two frames, a header and its elements, not {len(frames)}")
    head, body = (memoryview(frame.buffer if isinstance(frame, zmq.Frame) else frame) for frame in frames)
    header, dtype = _read(head)
    expected = math.prod(header.shape) * dtype.itemsize
    if body.nbytes != expected:
        raise _invalid(f"the header announces {expected} bytes of elements, but {body.nbytes} were received")
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
