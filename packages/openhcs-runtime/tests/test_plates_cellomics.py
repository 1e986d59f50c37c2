"""Cellomics plates: .C01, .DIB and exported TIFF files, damaged files, a run."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import ImageError, PlateError
from openhcs_runtime.plates import Plate, ProblemKind, make_plate, open_plate
from openhcs_runtime.plates.image_files import ImageHeader
from openhcs_runtime.plates.read import read_header, read_image, refusals

PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000


def dib(pixels: np.ndarray = PIXELS, *, planes: int = 1, compression: int = 0, per_metre: int = 1_550_388) -> bytes:
    height, width = pixels.shape
    bits = 8 * pixels.itemsize
    head = struct.pack("<IiiHHIIiiII", 40, width, height, planes, bits, compression, 0, per_metre, per_metre, 0, 0)
    return head + b"\x99" * 12 + pixels.tobytes()


def c01(content: bytes) -> bytes:
    return b"\x00\x00\x00\x10" + zlib.compress(content)


def opened(folder: Path) -> Plate:
    plate = open_plate(folder)
    assert plate.format == "cellomics"
    return plate


def test_containers(tmp_path: Path) -> None:
    (tmp_path / "MFGTMP_150828100001_A01f00d0.C01").write_bytes(c01(dib()))
    (tmp_path / "MFGTMP_150828100001_P24f12d1.C01").write_bytes(c01(dib()))
    (tmp_path / "WHICA-VTI1_090915160001_B02f001o1.DIB").write_bytes(dib(PIXELS.astype(np.uint8)))
    (tmp_path / "overview.C01").write_bytes(c01(dib()))
    (tmp_path / "MFGTMP_150828100001.mdb").write_bytes(b"")
    plate = opened(tmp_path)
    assert plate.wells == ("A01", "B02", "P24")
    assert [image.key for images in plate.images.values() for image in images] == [
        ImageKey("A01", 1, 1),
        ImageKey("B02", 2, 2),
        ImageKey("P24", 13, 2),
    ]
    assert plate.pixel_size_um == pytest.approx(0.645, abs=1e-6)
    assert [problem.kind for problem in plate.problems if problem.kind is not ProblemKind.GAP] == [
        ProblemKind.STRAY_FILE
    ]
    first, second = plate.images["A01"][0], plate.images["B02"][0]
    seen: list[bytes] = []
    np.testing.assert_array_equal(read_image("cellomics", first, lambda piece: seen.append(bytes(piece))), PIXELS)
    assert seen == [Path(first.path).read_bytes()]
    np.testing.assert_array_equal(plate.read(second), PIXELS.astype(np.uint8))
    assert read_header("cellomics", first) == ImageHeader((3, 4), np.dtype(np.uint16))
    assert refusals("cellomics", plate.images["A01"]) == []


def test_exported_tiff_files(tmp_path: Path) -> None:
    for name in ("AS_09125_050116030001_D03f00d0.tif", "AS_09125_050116030001_D03f00d1.TIF", "D04f00d0.TIFF"):
        tifffile.imwrite(tmp_path / name, PIXELS)
    (tmp_path / "AS_09125_050116030001_D03f00d0.C01").write_bytes(c01(dib()))
    plate = opened(tmp_path)
    assert (plate.wells, plate.components[Component.CHANNEL]) == (("D03", "D04"), (1, 2))
    assert "1 .C01 or .DIB files, such as AS_09125_050116030001_D03f00d0.C01: left out" in plate.problems[0].message
    np.testing.assert_array_equal(plate.read(plate.images["D03"][0]), PIXELS)
    assert read_header("cellomics", plate.images["D03"][0]).shape == (3, 4)
    assert refusals("cellomics", plate.images["D03"]) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not begin like a .C01 file"),
        (dib(), "does not begin like a .C01 file"),
        (b"\x00\x00\x00\x10rubbish", "incorrect header check"),
        (c01(dib())[:-30], "it ends before its pixels do"),
        (c01(b"short"), "it ends before its pixels do"),
        (c01(dib(planes=3)), "it has 3 plane.s. of 16 bits with compression 0; export it as TIFF"),
        (c01(dib(compression=1)), "with compression 1; export it as TIFF"),
        (c01(dib().replace(struct.pack("<i", 4), struct.pack("<i", -4), 1)), "it states a size of 3 x -4 pixels"),
    ],
)
def test_a_damaged_container(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x_A01f00d0.C01").write_bytes(content)
    plate = opened(tmp_path)
    with pytest.raises(ImageError, match=f"image x_A01f00d0.C01 is damaged .*{reason}"):
        plate.read(plate.images["A01"][0])


def test_a_container_that_unpacks_to_more_than_it_states(tmp_path: Path) -> None:
    (tmp_path / "x_A01f00d0.C01").write_bytes(c01(dib() + bytes(50_000_000)))
    plate = opened(tmp_path)
    np.testing.assert_array_equal(plate.read(plate.images["A01"][0]), PIXELS)


def test_a_size_that_is_not_stated(tmp_path: Path) -> None:
    (tmp_path / "x_A01f00d0.C01").write_bytes(c01(dib(per_metre=0)))
    assert opened(tmp_path).pixel_size_um is None


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(PlateError, match=r"expected \.C01, \.DIB or TIFF files named <plate>_A01f00d0"):
        open_plate(tmp_path, format="cellomics")


def test_a_made_plate(tmp_path: Path) -> None:
    plate = opened(make_plate(tmp_path / "p", wells=2, sites=2, channels=2, size=32, format="cellomics"))
    as_tiff = open_plate(make_plate(tmp_path / "q", wells=2, sites=2, channels=2, size=32))
    assert (plate.problems, plate.missing, plate.wells) == ((), {}, ("A01", "A02"))
    assert plate.pixel_size_um == pytest.approx(0.65, abs=1e-6)
    for ours, other in zip(plate.images["A02"], as_tiff.images["A02"], strict=True):
        assert ours.key == other.key
        np.testing.assert_array_equal(plate.read(ours), as_tiff.read(other))
    with pytest.raises(PlateError, match="a Cellomics plate has one plane"):
        make_plate(tmp_path / "z", z=2, format="cellomics")
