"""Arrow arrays from cells, built from buffers.

``pyarrow.array`` first looks whether what it is given is of pandas, and imports pandas for that where it is installed,
which takes longer than processing a well. The layout is that of https://arrow.apache.org/docs/format/Columnar.html.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.pipeline.cells import Cell, is_missing

if TYPE_CHECKING:
    import pyarrow

__all__ = ["arrow_column", "repeated"]

_EXACT = 2**53
"""Up to here a 64-bit float has all whole numbers."""


def arrow_column(cells: "Sequence[object] | NDArray[Any]", of_type: "pyarrow.DataType") -> "pyarrow.Array":
    """Return cells as an array of booleans, 64-bit integers, 64-bit floats or strings; None and NaN are null.

    Raises:
        TypeError: a cell is not of the type, or the type is another one.
        ValueError: a cell is not a value of the type.
        OverflowError: a number does not fit into 64 bits.
    """
    import pyarrow  # noqa: PLC0415  heavy

    missing = _missing(cells)
    validity = None if not missing.any() else _bits(~missing)
    if pyarrow.types.is_string(of_type):
        buffers = _text_buffers(cells, missing)
    elif pyarrow.types.is_boolean(of_type):
        buffers = [_bits(_filled(cells, missing, np.dtype(np.bool_)))]
    elif pyarrow.types.is_int64(of_type) or pyarrow.types.is_float64(of_type):
        buffers = [_filled(cells, missing, np.dtype(of_type.to_pandas_dtype()))]
    else:
        raise TypeError(f"a column of a table can't be of the type {of_type}: use numbers, texts or booleans")
    made = [None if buffer is None else pyarrow.py_buffer(buffer) for buffer in (validity, *buffers)]
    return pyarrow.Array.from_buffers(of_type, len(cells), made, int(missing.sum()))


def repeated(cell: object, of_type: "pyarrow.DataType", rows: int) -> "pyarrow.Array":
    """Return an array of equal cells; see :func:`arrow_column`."""
    import pyarrow  # noqa: PLC0415  heavy

    return pyarrow.repeat(arrow_column([cell], of_type)[0], rows)


def _missing(cells: "Sequence[object] | NDArray[Any]") -> NDArray[np.bool_]:
    if _is_numbers(cells):
        return np.asarray(np.isnan(cells), np.bool_)
    return np.fromiter((is_missing(cast("Cell", cell)) for cell in cells), np.bool_, len(cells))


def _filled(
    cells: "Sequence[object] | NDArray[Any]", missing: NDArray[np.bool_], dtype: "np.dtype[Any]"
) -> NDArray[Any]:
    """Return the values, with 0 where there is none."""
    if _is_numbers(cells) and np.can_cast(cells.dtype, dtype):
        return np.ascontiguousarray(np.where(missing, 0, cells), dtype)
    values = [0 if gone else _checked(cell, dtype.kind) for gone, cell in zip(missing, cells, strict=True)]
    return np.array(values, dtype)


def _is_numbers(cells: "Sequence[object] | NDArray[Any]") -> TypeGuard[NDArray[Any]]:
    return isinstance(cells, np.ndarray) and cells.dtype in (np.int64, np.float64)


def _checked(cell: object, kind: str) -> object:
    """Return a cell that numpy converts to a boolean, integer or float without a change.

    Raises:
        TypeError: it is of another type.
        ValueError: a float would round it.
    """
    known: tuple[type, ...] = {"b": (bool, np.bool_), "i": (int, np.integer), "f": (int, float, np.number)}[kind]
    if not isinstance(cell, known) or (kind != "b" and isinstance(cell, bool)):
        raise TypeError(f"{cell!r} is not of the kind of the other values in its column")
    if kind == "f" and isinstance(cell, int) and abs(cell) > _EXACT:
        raise ValueError(f"{cell} has too many digits for a column of numbers with fractions")
    return cell


def _bits(flags: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.packbits(flags, bitorder="little")


def _text_buffers(cells: "Sequence[object] | NDArray[Any]", missing: NDArray[np.bool_]) -> list[Any]:
    """Return where each text ends, and all texts."""
    texts = [b"" if gone else _encoded(cell) for gone, cell in zip(missing, cells, strict=True)]
    return [np.array([0, *accumulate(map(len, texts))], np.int32), b"".join(texts)]


def _encoded(cell: object) -> bytes:
    if not isinstance(cell, str):
        raise TypeError(f"{cell!r} is not a text")
    return cell.encode()
