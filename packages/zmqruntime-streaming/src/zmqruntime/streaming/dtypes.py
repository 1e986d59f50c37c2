"""Element types on the wire: converts a NumPy dtype to a typed value, and back."""

import functools
import re
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from zmqruntime.streaming.exceptions import UnsupportedArrayError

__all__ = ["ElementType", "RecordField", "describe_dtype", "restore_dtype"]

Size = Annotated[int, Meta(ge=0)]

# Byte order, kind, size in bytes and, for dates, the unit: the plain types of NumPy's array interface protocol
# (typestr, version 3). No objects ("O") and no platform-dependent long doubles ("f" or "c" beyond 8 or 16 bytes).
_TYPESTR = re.compile(r"[<>|](?:[biu][1248]|f[248]|c(?:8|16)|[SUV]\d{1,9}|[mM]8(?:\[\d{0,9}[A-Za-z]{1,2}\])?)")


class RecordField(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named field of a record, ``offset`` bytes after its start; with a ``shape``, it is a small array."""

    name: str
    type: "ElementType"
    offset: Size
    shape: tuple[Size, ...] = ()
    title: str | None = None
    """A second name, as fields of NumPy records may have one."""


class ElementType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The type of the elements of an array.

    ``typestr`` is byte order, kind and size in bytes as in NumPy's array interface protocol: ``<u2``, ``>f8``,
    ``|b1``. A record has ``fields`` and the typestr ``|V<size>``.
    """

    typestr: str
    fields: tuple[RecordField, ...] = ()


def describe_dtype(dtype: np.dtype) -> ElementType:
    """Return the wire form of a dtype.

    Raises:
        UnsupportedArrayError: the elements are references, have no size, or differ between machines.
    """
    return _describe_plain(dtype) if dtype.fields is None else _describe_checked(dtype)


@functools.lru_cache(maxsize=128)  # records aren't kept, because those that differ in their titles may be equal
def _describe_plain(dtype: np.dtype) -> ElementType:
    return _describe_checked(dtype)


def _describe_checked(dtype: np.dtype) -> ElementType:
    if dtype.hasobject:
        raise UnsupportedArrayError(f"elements of type {dtype} are references; send numbers or fixed strings")
    if dtype.itemsize == 0:
        raise UnsupportedArrayError(f"elements of type {dtype} have no size; send a type of at least one byte")
    described = _describe(dtype)
    try:
        restored = restore_dtype(described)
    except ValueError:
        restored = None
    if restored != dtype:
        raise UnsupportedArrayError(
            f"elements of type {dtype} differ between machines; convert them first, as in array.astype('f8')"
        )
    return described


def restore_dtype(described: ElementType) -> np.dtype:
    """Return the dtype for a wire form.

    Raises:
        ValueError: it does not describe a type of plain memory.
    """
    return _restore_checked(described) if described.fields else _restore_plain(described.typestr)


@functools.lru_cache(maxsize=128)
def _restore_plain(typestr: str) -> np.dtype:
    return _restore_checked(ElementType(typestr))


def _restore_checked(described: ElementType) -> np.dtype:
    if not _TYPESTR.fullmatch(described.typestr):
        raise ValueError(f"{described.typestr[:40]!r} is not a type of plain memory")
    try:
        plain = np.dtype(described.typestr)
        dtype = _restore_record(described, plain.itemsize) if described.fields else plain
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from error
    if dtype.itemsize == 0:
        raise ValueError(f"{described.typestr!r} has no size")
    return dtype


def _describe(dtype: np.dtype) -> ElementType:
    if dtype.fields is None:
        return ElementType(dtype.str)
    fields = []
    for name in dtype.names or ():
        part, offset, *rest = dtype.fields[name]
        title = rest[0] if rest and isinstance(rest[0], str) else None
        fields.append(RecordField(name, _describe(part.base), offset, part.shape, title))
    return ElementType(dtype.str, tuple(fields))


def _restore_record(described: ElementType, itemsize: int) -> np.dtype:
    if not described.typestr.startswith("|V"):
        raise ValueError(f"a record cannot be of type {described.typestr!r}")
    fields = described.fields
    return np.dtype(
        {
            "names": [field.name for field in fields],
            "formats": [(restore_dtype(field.type), field.shape) for field in fields],
            "offsets": [field.offset for field in fields],
            "titles": [field.title for field in fields],
            "itemsize": itemsize,
        }
    )
