"""Chunks that are decoded without the zarr library have the same pixels as with it."""

from pathlib import Path
from typing import Any

import numcodecs  # type: ignore[import-untyped]
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ZstdCodec

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates import ImageRef
from openhcs_runtime.plates.ome_zarr.decode import chunk_decoder
from openhcs_runtime.plates.ome_zarr.read import read_zarr_plane

pytestmark = pytest.mark.usefixtures("zarr_ends")
SHAPE, CHUNKS = (2, 70, 45), (2, 32, 20)
DTYPES = ["uint8", "uint16", ">u2", "int32", "float32", "float64", "bool", ">f4"]
V3 = {"zstd": ZstdCodec(level=3), "gzip": GzipCodec(level=5), "blosc": BloscCodec(), "none": None}
V2 = {"zlib": numcodecs.Zlib(), "blosc": numcodecs.Blosc(), "zstd": numcodecs.Zstd(), "none": None}


def pixels(dtype: str) -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).integers(0, 2 if dtype == "bool" else 200, SHAPE).astype(dtype)


def check(folder: Path, data: np.ndarray[Any, Any], document: str, *, is_quick: bool) -> None:
    decode = chunk_decoder((folder / document).read_bytes())
    assert (decode is not None) == is_quick
    for number, plane in enumerate(data):
        read = read_zarr_plane(ImageRef(ImageKey("A01"), str(folder), 1, 1, (number,)))
        assert read.dtype == data.dtype.newbyteorder("=")
        assert read.flags.writeable
        assert np.array_equal(read, plane)


@pytest.mark.parametrize("codec", V3)
@pytest.mark.parametrize("dtype", DTYPES)
def test_zarr_3(tmp_path: Path, dtype: str, codec: str) -> None:
    data = pixels(dtype)
    serializer = BytesCodec(endian="big" if dtype.startswith(">") else "little")
    array = zarr.create_array(
        tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype=data.dtype.newbyteorder("="), serializer=serializer,
        compressors=V3[codec], config={"write_empty_chunks": True},
    )  # fmt: skip
    array[...] = data
    check(tmp_path / "a", data, "zarr.json", is_quick=True)


@pytest.mark.parametrize("codec", V2)
@pytest.mark.parametrize("dtype", DTYPES)
def test_zarr_2(tmp_path: Path, dtype: str, codec: str) -> None:
    data = pixels(dtype)
    array = zarr.create_array(
        tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype=data.dtype, zarr_format=2, compressors=V2[codec],
        config={"write_empty_chunks": True},
    )  # fmt: skip
    array[...] = data
    check(tmp_path / "a", data, ".zarray", is_quick=True)


def test_what_only_the_library_can_decode_is_left_to_it(tmp_path: Path) -> None:
    data = pixels("uint16")
    checked = zarr.create_array(
        tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype="uint16", compressors=(ZstdCodec(), Crc32cCodec())
    )
    checked[...] = data
    check(tmp_path / "a", data, "zarr.json", is_quick=False)
    columns = zarr.create_array(tmp_path / "b", shape=SHAPE, chunks=CHUNKS, dtype="uint16", zarr_format=2, order="F")
    columns[...] = data
    check(tmp_path / "b", data, ".zarray", is_quick=False)


def test_a_chunk_of_another_size_is_damage(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype="uint16", compressors=None)
    array[...] = pixels("uint16")
    chunk = tmp_path / "a" / "c" / "0" / "1" / "1"
    chunk.write_bytes(chunk.read_bytes()[:-2])
    with pytest.raises(ImageError, match="a chunk has 1279 pixels instead of 1280"):
        read_zarr_plane(ImageRef(ImageKey("A01"), str(tmp_path / "a"), 1, 1, (0,)))
