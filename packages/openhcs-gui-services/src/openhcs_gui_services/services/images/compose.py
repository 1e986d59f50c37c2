"""Composes the visible part of channels and outlines at the resolution of the screen, so that a frame costs little."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_gui_services.services.images.layers import ImageLayer, OutlineLayer, Region
from openhcs_runtime.viewers.object_edges import object_edges

__all__ = ["compose"]

_OPAQUE = 255
_BLUE, _GREEN, _RED, _ALPHA = range(4)
"""Order of the bytes of a pixel in ``QImage.Format_RGB32`` and ``Format_ARGB32`` on little-endian machines."""


def compose(
    images: Sequence[ImageLayer], outlines: Sequence[OutlineLayer], region: Region, width: int = 1
) -> NDArray[np.uint8]:
    """Return a region as bytes (rows, columns, 4) in the order blue, green, red, alpha.

    Channels are added up, as light is. Outlines are computed at the resolution of the screen, so that they have the
    same width at any zoom. What lies outside of the picture is transparent.

    Args:
        images: the channels.
        outlines: the labels, the last one on top.
        region: what to show.
        width: width of outlines in pixels of the screen.
    """
    canvas = np.zeros((region.rows, region.columns, 4), np.uint8)
    light = np.zeros((3, region.rows, region.columns), np.float32)
    for layer in images:
        _add(light, canvas[..., _ALPHA], layer, region)
    np.minimum(light, _OPAQUE, out=light)
    for place, plane in zip((_RED, _GREEN, _BLUE), light, strict=True):
        canvas[..., place] = plane
    for outline in outlines:
        _draw_outlines(canvas, outline, region, width)
    return canvas


def _add(light: NDArray[np.float32], alpha: NDArray[np.uint8], layer: ImageLayer, region: Region) -> None:
    """Add the light of a channel to red, green and blue (3, rows, columns)."""
    number = layer.pixels.level_for(region.scale * layer.size)
    seen = _sampled(layer.pixels.level(number), region, layer.size * 2**number)
    if seen is None:
        return
    pixels, (rows, columns) = seen
    shown = pixels.astype(np.float32)
    shown -= np.float32(layer.low)
    shown *= np.float32(1 / max(layer.high - layer.low, float(np.finfo(np.float32).tiny)))
    np.clip(shown, 0, 1, out=shown)
    if pixels.dtype.kind == "f":
        np.nan_to_num(shown, copy=False)
    alpha[rows, columns] = _OPAQUE
    for plane, shift in zip(light, (16, 8, 0), strict=True):
        if strength := layer.colour >> shift & 0xFF:
            plane[rows, columns] += shown * np.float32(strength)


def _draw_outlines(canvas: NDArray[np.uint8], outline: OutlineLayer, region: Region, width: int) -> None:
    seen = _sampled(outline.labels, region, 1)
    if seen is None:
        return
    labels, (rows, columns) = seen
    part = canvas[rows, columns]
    part[_wider(object_edges(labels), width - 1)] = _bytes_of(outline.colour)
    if outline.picked:
        ring = _wider(object_edges(np.where(labels == outline.picked, 1, 0)), width)
        part[_wider(ring, 1)] = _bytes_of(0)
        part[ring] = _bytes_of(0xFFFFFF)


def _bytes_of(colour: int) -> tuple[int, int, int, int]:
    return colour & 0xFF, colour >> 8 & 0xFF, colour >> 16, _OPAQUE


def _sampled(plane: NDArray[Any], region: Region, size: int) -> tuple[NDArray[Any], tuple[slice, slice]] | None:
    """Return the pixel of a plane at each pixel of the screen, and which part of the screen they cover.

    Args:
        plane: the plane (Y, X).
        region: what to show.
        size: pixels of the picture for one of the plane.
    """
    ys, rows = _places(region.top, region.scale, region.rows, size, plane.shape[0])
    xs, columns = _places(region.left, region.scale, region.columns, size, plane.shape[1])
    if not len(ys) or not len(xs):
        return None
    return plane.take(ys, 0).take(xs, 1), (rows, columns)


def _places(start: float, scale: float, count: int, size: int, length: int) -> tuple[NDArray[np.intp], slice]:
    """Return the index in a plane of each row or column of the screen that the plane covers, and which those are."""
    at = np.floor((start + (np.arange(count) + 0.5) / scale) / size).astype(np.intp)
    inside = np.flatnonzero((at >= 0) & (at < length))
    if not len(inside):
        return at[:0], slice(0, 0)
    covered = slice(int(inside[0]), int(inside[-1]) + 1)
    return at[covered], covered


def _wider(mask: NDArray[np.bool_], times: int) -> NDArray[np.bool_]:
    """Return a mask that is wider by so many pixels on each side."""
    for _ in range(times):
        wide = mask.copy()
        wide[1:] |= mask[:-1]
        wide[:-1] |= mask[1:]
        wide[:, 1:] |= mask[:, :-1]
        wide[:, :-1] |= mask[:, 1:]
        mask = wide
    return mask
