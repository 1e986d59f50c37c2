"""The median filter with a disk, in any dtype, by operations on whole blocks of an image that stay in the cache.

Small disks by forgetful selection: of a little more than half of the values the least and the greatest cannot be the
median and are forgotten, then the next value comes in (Paeth, Median Finding on a 3 x 3 Grid, Graphics Gems, 1990).
Larger ones by bits: from the highest on, a bit of the median is set if at most half of the values are below.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.pipeline.decorators import Stack

__all__ = ["disk_median"]

_MOST_SELECTED = 29
"""Pixels of the largest disk, that of radius 3, for which selection is faster."""
_BLOCK_PX = 1 << 15
"""Pixels of a block: its values and a few buffers of the same size fit into the cache of a core."""
_TILE_PX = 128
"""Edge length of the blocks whose values are ranked, so that few bits tell them apart."""

_Parts = list[Stack]


def disk_median(plane: Stack, radius_px: int) -> Stack:
    """Return the median of each pixel's surroundings in a plane (Y, X); pixels beyond the edge repeat it.

    The same as ``scipy.ndimage.median_filter`` with a disk as its footprint and the mode ``"nearest"``, which does the
    work for planes with a NaN.

    Args:
        plane: The plane.
        radius_px: Radius of the disk, 0 or more.
    """
    disk = _disk(radius_px)
    reach, odd = divmod(len(disk), 2)
    if not odd or not plane.size or (plane.dtype.kind in "fc" and np.isnan(plane).any()):
        from scipy import ndimage  # noqa: PLC0415  loads slowly

        return np.asarray(ndimage.median_filter(plane, footprint=disk, mode="nearest"))
    padded = np.pad(plane, reach, mode="edge")
    found = np.empty_like(plane, order="C")
    by_bits = disk.sum() > _MOST_SELECTED
    for top, left, height, width in _blocks(plane.shape, square=by_bits and plane.dtype not in (np.uint8, np.uint16)):
        part = padded[top : top + height + 2 * reach, left : left + width + 2 * reach]
        medians = _by_bits(part, disk) if by_bits else _selected(_shifted(part, disk))
        found[top : top + height, left : left + width] = _unflattened(medians, height, part.shape[1])[:, :width]
    return found


def _disk(radius_px: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-radius_px : radius_px + 1, -radius_px : radius_px + 1]
    return np.asarray(y**2 + x**2 <= radius_px**2)


def _blocks(shape: tuple[int, ...], *, square: bool) -> Iterator[tuple[int, int, int, int]]:
    """Yield the first row and column of each block, and its height and width."""
    rows, columns = (_TILE_PX, _TILE_PX) if square else (max(1, _BLOCK_PX // shape[1]), shape[1])
    for top in range(0, shape[0], rows):
        for left in range(0, shape[1], columns):
            yield top, left, min(rows, shape[0] - top), min(columns, shape[1] - left)


def _shifted(part: Stack, disk: NDArray[np.bool_]) -> _Parts:
    """Return for each pixel of the disk what it covers, as a view of the flat part.

    The values of a row are followed by those beyond its end, so that each view is contiguous; ``_unflattened`` knows.
    """
    flat, width = part.ravel(), part.shape[1]
    length = flat.size - (len(disk) - 1) * (width + 1)
    return [flat[start : start + length] for start in (y * width + x for y, x in np.argwhere(disk))]


def _unflattened(medians: Stack, height: int, width: int) -> Stack:
    """Return the rows of the medians of a flat part, with meaningless values at their ends."""
    rows = np.empty(height * width, medians.dtype)
    rows[: medians.size] = medians
    return rows.reshape(height, width)


def _selected(views: _Parts) -> Stack:
    """Return the medians of an odd number of views by forgetful selection."""
    if len(views) == 1:
        return views[0]
    kept = len(views) // 2 + 2
    held = [view.copy() for view in views[:kept]]
    spare = np.empty_like(held[0])
    for view in views[kept:]:
        spare = _extremes_apart(held, spare)
        held.pop()
        np.copyto(held[0], view)
    _extremes_apart(held, spare)
    return held[1]


def _extremes_apart(held: _Parts, spare: Stack) -> Stack:
    """Put the least values first and the greatest last; returns the buffer that is free afterwards."""
    count = len(held)
    pairs = [(low, count - 1 - low) for low in range(count // 2)]
    pairs += [(0, place) for place in range(1, (count + 1) // 2)]
    pairs += [(place, count - 1) for place in range(count // 2, count - 1)]
    for low, high in pairs:
        np.minimum(held[low], held[high], out=spare)
        np.maximum(held[low], held[high], out=held[high])
        held[low], spare = spare, held[low]
    return spare


def _by_bits(part: Stack, disk: NDArray[np.bool_]) -> Stack:
    """Return the medians of a part, from their highest bit to the lowest."""
    values, ranks = _ranked(part)
    views = _shifted(ranks, disk)
    half = len(views) // 2
    below = np.empty(len(views[0]), bool)
    count = np.empty(len(below), np.min_scalar_type(len(views)))
    found = np.zeros_like(views[0])
    for bit in reversed(range(int(ranks.max()).bit_length())):
        higher = found | found.dtype.type(1 << bit)
        count.fill(0)
        for view in views:
            np.less(view, higher, out=below)
            np.add(count, below.view(np.uint8), out=count)
        np.copyto(found, higher, where=count <= half)
    return values[found] if isinstance(values, np.ndarray) else found + values


def _ranked(part: Stack) -> tuple[Stack | np.unsignedinteger, Stack]:
    """Return the different values, sorted, and the ranks of all; of small integers the least, and the rest of each."""
    if part.dtype in (np.uint8, np.uint16):
        lowest = part.min()
        return lowest, part - lowest
    values, ranks = np.unique(part, return_inverse=True)
    return values, ranks.reshape(part.shape).astype(np.min_scalar_type(len(values)))
