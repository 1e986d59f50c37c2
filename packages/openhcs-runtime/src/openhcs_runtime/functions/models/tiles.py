"""Applies a network to images of any size: tiles with overlap, padded to what the network takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tiling", "in_tiles"]

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tiling:
    """How an image is cut.

    Attributes:
        height: Height of a tile.
        width: Width of a tile.
        overlap: Number of pixels by which tiles overlap; half of them, at the edge of a tile, are dropped.
        multiple: Tiles are padded so that their height and width are multiples of it.
    """

    height: int
    width: int
    overlap: int = 64
    multiple: int = 1


def in_tiles(image: Image, tiling: Tiling, predict: Callable[[Image], Image]) -> Image:
    """Return the maps (K, Y, X) that a network predicts for an image (C, Y, X).

    Args:
        image: The image.
        tiling: How it is cut.
        predict: Called with a tile (C, y, x), of the same size each time; returns maps (K, y, x).
    """
    rows, columns = _axis(image.shape[1], tiling.height, tiling), _axis(image.shape[2], tiling.width, tiling)
    padded = _reflected(image, rows.size, columns.size)
    result: Image | None = None
    for y in rows.parts():
        for x in columns.parts():
            maps = predict(padded[:, y.begin : y.begin + rows.tile, x.begin : x.begin + columns.tile])
            if result is None:
                result = np.empty((len(maps), *padded.shape[1:]), dtype=np.float32)
            part = maps[:, y.first - y.begin : y.last - y.begin, x.first - x.begin : x.last - x.begin]
            result[:, y.first : y.last, x.first : x.last] = part
    assert result is not None
    return result[:, : image.shape[1], : image.shape[2]]


@dataclass(frozen=True, slots=True)
class _Part:
    """A tile begins at ``begin``; what is used of it goes from ``first`` to ``last``."""

    begin: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Axis:
    size: int
    tile: int
    overlap: int

    def parts(self) -> Iterator[_Part]:
        first, margin = 0, self.overlap // 2
        while first < self.size:
            begin = max(0, min(first - margin, self.size - self.tile))
            last = self.size if begin + self.tile >= self.size else begin + self.tile - margin
            yield _Part(begin, first, last)
            first = last


def _axis(size: int, tile: int, tiling: Tiling) -> _Axis:
    length = -(-tile // tiling.multiple) * tiling.multiple
    return _Axis(max(size, length), length, min(tiling.overlap, length - 1))


def _reflected(image: Image, height: int, width: int) -> Image:
    """Return the image, extended by its reflection to this size."""
    after = height - image.shape[1], width - image.shape[2]
    return np.pad(image, [(0, 0), (0, after[0]), (0, after[1])], mode="symmetric") if any(after) else image
