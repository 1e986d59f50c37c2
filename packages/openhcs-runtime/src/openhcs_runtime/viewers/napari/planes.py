"""Converts arrays to the planes that napari shows, depending on the kind of the layer.

| elements | images | labels |
|---|---|---|
| bool | uint8, 0 and 1 | uint8, 0 and 1 |
| integers | unchanged | unchanged; 64-bit ones up to 2**63 - 1 |
| float16 | float32 | refused |
| floats | unchanged | refused |
| complex | their magnitude | refused |

RGB is 8 bits: 16 bits are divided by 257, floats from 0 to 1 are multiplied by 255. Everything else is refused.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs_runtime.viewers.metadata import Kind
from zmqruntime.streaming import UnsupportedArrayError

__all__ = ["common_dtype", "to_plane"]

_LARGEST_LABEL = 2**63 - 1


def to_plane(array: npt.NDArray[Any], kind: Kind, *, rgb: bool) -> npt.NDArray[Any]:
    """Return a copy of a plane, (Y, X) or (Y, X, samples), converted according to the table above.

    Raises:
        UnsupportedArrayError: the elements can't be shown.
    """
    if array.dtype.kind not in "buifc":
        raise UnsupportedArrayError(f"napari shows numbers, not elements of type {array.dtype}; send a numeric array")
    if kind is Kind.LABELS:
        return _labels(array)
    if rgb:
        return _rgb(array)
    match array.dtype.kind:
        case "b":
            return array.astype(np.uint8)
        case "c":
            magnitude: npt.NDArray[Any] = np.abs(array)
            return magnitude
        case "f" if array.dtype.itemsize == 2:
            return array.astype(np.float32)
        case _:
            return _native(array)


def common_dtype(one: np.dtype[Any], other: np.dtype[Any], kind: Kind) -> np.dtype[Any]:
    """Return a dtype for the values of both; always an integer type for labels."""
    found = np.result_type(one, other)
    return np.dtype(np.int64) if kind is Kind.LABELS and found.kind == "f" else found


def _labels(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.dtype.kind not in "bui":
        raise UnsupportedArrayError(f"labels must be integers, not {array.dtype}; convert them first")
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.itemsize == 8 and array.dtype.kind == "u":
        if array.max() > _LARGEST_LABEL:
            raise UnsupportedArrayError("labels beyond 2**63 - 1 cannot be shown; renumber them")
        return array.astype(np.int64)
    return _native(array)


def _rgb(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    match array.dtype.kind, array.dtype.itemsize:
        case "u", 1:
            return _native(array)
        case "u", 2:
            return (array // 257).astype(np.uint8)
        case ("f", _) | ("b", _):
            return (np.clip(np.nan_to_num(array.astype(np.float32)), 0, 1) * 255).round().astype(np.uint8)
        case _:
            raise UnsupportedArrayError(f"RGB must be uint8, uint16 or float from 0 to 1, not {array.dtype}")


def _native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
