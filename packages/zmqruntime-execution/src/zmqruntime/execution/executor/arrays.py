"""Numpy arrays and scalars as bytes with their dtype, shape and order; numpy is imported only when one is there.

The dtype is described as in the header of a ``.npy`` file (numpy.org, ``numpy.lib.format``), so structured dtypes
and times are restored as well.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from zmqruntime.exceptions import UnsendableError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Header",
    "in_c_order",
    "is_array",
    "is_scalar",
    "pack_array",
    "pack_scalar",
    "split_array",
    "unpack_array",
    "unpack_scalar",
]


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What an array is: its dtype as in the header of a ``.npy`` file, its shape, and the order of its elements."""

    dtype: Any
    shape: tuple[int, ...]
    order: str


def is_array(value: object) -> bool:
    """Whether it is a plain array; subclasses such as masked arrays hold more than an array restores."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) is numpy.ndarray


def is_scalar(value: object) -> bool:
    """Whether it is a numpy scalar."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic)


def pack_array(array: "np.ndarray[Any, Any]") -> bytes:
    """Return an array as bytes.

    Raises:
        UnsendableError: Its elements are Python objects.
    """
    is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    order = "F" if is_fortran else "C"
    header = Header(_description(array.dtype), array.shape, order)
    return _joined(header, array.tobytes("F" if is_fortran else "C"))


def pack_scalar(scalar: "np.generic") -> bytes:
    """Return a scalar as bytes.

    Raises:
        UnsendableError: It holds a Python object.
    """
    return _joined(Header(_description(scalar.dtype), (), "C"), scalar.tobytes())


def unpack_array(data: memoryview) -> "np.ndarray[Any, Any]":
    """Return a new, writable array.

    Raises:
        ImportError: Numpy is not installed.
        ValueError: The bytes do not fit their header.
    """
    header, body = split_array(data)
    numpy = importlib.import_module("numpy")
    dtype = _dtype(header.dtype)
    if dtype.itemsize == 0:
        empty: np.ndarray[Any, Any] = numpy.zeros(header.shape, dtype)
        return empty
    flat = numpy.frombuffer(body, dtype).copy()
    array: np.ndarray[Any, Any] = flat.reshape(header.shape, order=header.order)
    return array


def in_c_order(data: memoryview) -> bytes:
    """Return the bytes of an array as those of an equal one whose last index changes first."""
    header, _ = split_array(data)
    if header.order == "C":
        return bytes(data)
    array = unpack_array(data)
    return _joined(Header(header.dtype, header.shape, "C"), array.tobytes("C"))


def unpack_scalar(data: memoryview) -> "np.generic":
    """Return the scalar; raises the same errors as :func:`unpack_array`."""
    array: Any = unpack_array(data)
    scalar: np.generic = array[()]
    return scalar


def _description(dtype: "np.dtype[Any]") -> object:
    if dtype.hasobject:
        raise UnsendableError(
            f"an array of Python objects (dtype {dtype}) cannot be sent: convert it with astype, or pass a list"
        )
    if not dtype.isbuiltin and dtype.names is None and dtype.subdtype is None and dtype.metadata is None:
        _check_described(dtype)
    described: object = importlib.import_module("numpy.lib.format").dtype_to_descr(dtype)
    return described


def _check_described(dtype: "np.dtype[Any]") -> None:
    numpy = importlib.import_module("numpy")
    if numpy.dtype(dtype.str) != dtype:
        raise UnsendableError(f"an array of dtype {dtype} cannot be sent: convert it to a dtype of numpy with astype")


def _dtype(description: object) -> "np.dtype[Any]":
    dtype: np.dtype[Any] = importlib.import_module("numpy.lib.format").descr_to_dtype(_as_written(description))
    return dtype


def _as_written(description: object) -> object:
    """Restore the tuples of a description, which travel as lists."""
    if not isinstance(description, list):
        return description
    return [tuple(_field_part(part) for part in field) for field in description]


def _field_part(part: object) -> object:
    if isinstance(part, list) and part and isinstance(part[0], list):
        return _as_written(part)
    return tuple(part) if isinstance(part, list) else part


def _joined(header: Header, body: bytes) -> bytes:
    packed = msgspec.msgpack.encode(header)
    return len(packed).to_bytes(4) + packed + body


def split_array(data: memoryview) -> tuple[Header, memoryview]:
    """Return the header of a packed array, and its elements as bytes; needs no numpy."""
    end = 4 + int.from_bytes(data[:4])
    return msgspec.msgpack.decode(data[4:end], type=Header), data[end:]
