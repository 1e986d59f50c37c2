"""Decoding of the chunks of a plane without the zarr library, for the codecs that almost all arrays have.

For a plane the zarr library takes twice the time, most of it to hand work between threads. Arrays with other codecs,
types or orders are left to it.
"""

import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numcodecs  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.plates.base import ALL_X, ALL_Y
from openhcs_runtime.plates.ome_zarr.metadata import ArrayLayout

__all__ = ["chunk_decoder", "decoded_plane"]

Decoder: TypeAlias = Callable[[bytes], NDArray[Any]]
"""Returns the pixels of a chunk."""

_TYPES = frozenset(
    {"uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64", "bool"}
)
_COMPRESSORS = frozenset({"zstd", "gzip", "blosc", "zlib"})


def decoded_plane(
    layout: ArrayLayout, index: Sequence[int], chunks: Mapping[str, bytes], decode: Decoder
) -> NDArray[Any]:
    """Return a plane (Y, X), or (X, Y) if the array has the axes in this order.

    Args:
        layout: The array.
        index: The plane.
        chunks: Contents of all chunk files of the plane.
        decode: Decodes a chunk.

    Raises:
        ValueError: If a chunk has another size than its array says.
    """
    place = layout.place(index)
    axes = [axis for axis, at in enumerate(place) if at in (ALL_Y, ALL_X)]
    within = tuple(slice(None) if at in (ALL_Y, ALL_X) else at % layout.chunks[axis] for axis, at in enumerate(place))
    parts = {
        tuple(where[axis] * layout.chunks[axis] for axis in axes): decode(chunks[layout.chunk_file(where)])[within]
        for where in layout.chunk_places(index)
    }
    height, width = (layout.shape[axis] for axis in axes)
    if len(parts) == 1:
        (part,) = parts.values()
        return part[:height, :width]
    plane = np.empty((height, width), next(iter(parts.values())).dtype)
    for (top, left), part in parts.items():
        kept = part[: height - top, : width - left]
        plane[top : top + kept.shape[0], left : left + kept.shape[1]] = kept
    return plane


@functools.lru_cache(maxsize=256)
def chunk_decoder(document: bytes) -> Decoder | None:
    """Return the decoder of an array's chunks; None if only the zarr library can decode them.

    Args:
        document: The metadata of the array, ``zarr.json`` or ``.zarray``.
    """
    said = json.loads(document)
    if said.get("zarr_format") == 3:
        dtype, compressor = _of_v3(said)
        shape = said["chunk_grid"]["configuration"]["chunk_shape"]
    else:
        dtype, compressor = _of_v2(said)
        shape = said["chunks"]
    if dtype is None:
        return None
    count = math.prod(shape)

    def decode(data: bytes) -> NDArray[Any]:
        raw = data if compressor is None else compressor.decode(data)
        pixels = np.frombuffer(raw, dtype)
        if pixels.size != count:
            raise ValueError(f"a chunk has {pixels.size} pixels instead of {count}")
        return pixels.reshape(shape)

    return decode


def _of_v3(said: dict[str, Any]) -> tuple[np.dtype[Any] | None, Any]:
    kind, (first, *rest) = said["data_type"], said["codecs"]
    is_plain = first["name"] == "bytes" and isinstance(kind, str) and kind in _TYPES and len(rest) < 2
    if not is_plain or said.get("storage_transformers"):
        return None, None
    order = {"big": ">", "little": "<"}[first.get("configuration", {}).get("endian", "little")]
    dtype = np.dtype(kind).newbyteorder(order)
    if not rest:
        return dtype, None
    name, config = rest[0]["name"], rest[0].get("configuration", {})
    if name not in _COMPRESSORS - {"zlib"}:
        return None, None
    known = {"level": config["level"]} if name == "gzip" and "level" in config else {}
    return dtype, numcodecs.get_codec({"id": name, **known})


def _of_v2(said: dict[str, Any]) -> tuple[np.dtype[Any] | None, Any]:
    compressor, kind = said.get("compressor"), said["dtype"]
    if said.get("filters") or said.get("order") != "C" or not isinstance(kind, str):
        return None, None
    dtype = np.dtype(kind)
    if dtype.newbyteorder("=").name not in _TYPES or (compressor and compressor["id"] not in _COMPRESSORS):
        return None, None
    return dtype, numcodecs.get_codec(dict(compressor)) if compressor else None
