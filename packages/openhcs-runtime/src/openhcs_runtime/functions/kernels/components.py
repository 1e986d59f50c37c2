"""Connected components of masks, numbered in a fixed order."""

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.backend import backend

__all__ = ["components"]

_Mask = NDArray[np.bool_]
_Labels = NDArray[np.int32]


def components(mask: _Mask, *, corners: bool = False) -> tuple[_Labels, int]:
    """Number the connected components of a mask (Y, X) from 1, in the order of their first pixels, row by row.

    Args:
        mask: The mask.
        corners: Whether pixels that share only a corner are connected.

    Returns:
        Labels int32 (Y, X), and the number of components.
    """
    if not mask.size:
        return np.zeros(mask.shape, dtype=np.int32), 0
    labels, count = _by_opencv(mask, corners) if backend().opencv else _by_scipy(mask, corners)
    return _in_order(labels, count), count


def _by_opencv(mask: _Mask, corners: bool) -> tuple[_Labels, int]:
    import cv2  # noqa: PLC0415  loads slowly

    count, labels = cv2.connectedComponents(np.ascontiguousarray(mask).view(np.uint8), connectivity=8 if corners else 4)
    return np.asarray(labels, dtype=np.int32), int(count) - 1


def _by_scipy(mask: _Mask, corners: bool) -> tuple[_Labels, int]:
    from scipy import ndimage  # noqa: PLC0415  loads slowly

    labels, count = ndimage.label(mask, structure=np.ones((3, 3)) if corners else None)
    return labels.astype(np.int32, copy=False), int(count)


def _in_order(labels: _Labels, count: int) -> _Labels:
    """Renumber components by their first pixels, if a library has numbered them otherwise."""
    flat = labels.ravel()
    starts = 1 + np.flatnonzero((flat[1:] != flat[:-1]) & (flat[1:] > 0))
    starts = np.append(0, starts)
    first = np.zeros(count + 1, dtype=np.int64)
    first[flat[starts[::-1]]] = starts[::-1]  # of equal ones the last that is written, and so the first, remains
    if (np.diff(first[1:]) > 0).all():
        return labels
    numbers = np.zeros(count + 1, dtype=np.int32)
    numbers[1 + np.argsort(first[1:])] = np.arange(1, count + 1)
    ordered: _Labels = numbers[labels]
    return ordered
