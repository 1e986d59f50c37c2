"""Converts arrays to the planes that ImageJ supports: 8 bits, 16 bits, or 32-bit floats.

| elements | converted to |
|---|---|
| uint8 | 8 bits |
| bool | 8 bits, 0 and 255, as in ImageJ's masks |
| uint16 | 16 bits |
| all other integers and floats | float32; integers beyond 2**24 and doubles are rounded |
| complex | float32, their magnitude |

A window has one element type, the widest received for it: 8 bits fit into 16, and both fit exactly into float32.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs_runtime.viewers.components import split_planes
from zmqruntime.streaming import Position, UnsupportedArrayError

__all__ = ["Element", "fill", "grey_planes"]


class Element(IntEnum):
    """Element types of a window by their bits; a wider type can represent all values of a narrower one."""

    UINT8 = 8
    UINT16 = 16
    FLOAT32 = 32

    @classmethod
    def of(cls, dtype: np.dtype[Any]) -> "Element":
        """Return the element type for an array.

        Raises:
            UnsupportedArrayError: the elements are not numbers.
        """
        if dtype.kind not in "buifc":
            raise UnsupportedArrayError(f"ImageJ shows numbers, not elements of type {dtype}; send a numeric array")
        if dtype.kind in "bu" and dtype.itemsize <= 2:
            return cls.UINT8 if dtype.itemsize == 1 else cls.UINT16
        return cls.FLOAT32

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype, in native byte order."""
        return np.dtype({8: np.uint8, 16: np.uint16, 32: np.float32}[self])


def grey_planes(array: npt.NDArray[Any], metadata: Mapping[str, Any]) -> Iterator[tuple[Position, npt.NDArray[Any]]]:
    """Yield the planes (Y, X) of an array, each with what it adds to the position.

    An array (..., Y, X) has a plane for every ``z_index`` from 1. With ``rgb`` true in the metadata it is
    (Y, X, 3 or 4), and red, green and blue become channels 1 to 3.

    Yields:
        Additional components of the position, and the plane.

    Raises:
        UnsupportedArrayError: If the array has no rows and columns.
    """
    for place, plane in split_planes(array, {}, rgb=bool(metadata.get("rgb"))):
        if plane.ndim == 2:
            yield place, plane
        else:
            for channel in range(3):
                yield {"channel": channel + 1}, plane[:, :, channel]


def fill(target: npt.NDArray[Any], plane: npt.NDArray[Any]) -> None:
    """Write a plane (Y, X) into an array with the dtype of an element type, as described in the module's docstring."""
    if plane.dtype.kind == "b":
        np.multiply(plane, 255, out=target, casting="unsafe")
    elif plane.dtype.kind == "c":
        np.copyto(target, np.abs(plane), casting="unsafe")
    else:
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, as in a cast
            np.copyto(target, plane, casting="unsafe")
