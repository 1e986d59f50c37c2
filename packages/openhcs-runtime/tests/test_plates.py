"""Plates as folders of files: what is found, what is odd, what can't be read."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import ImageError, PlateError
from openhcs_runtime.plates import ProblemKind, open_plate, read_image

UUID = "A52B1177-9DC7-4534-9623-9DCA396EFA00"


def write(path: Path, shape: tuple[int, ...] = (8, 9), **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.full(shape, 7, np.uint16), metadata=None, **options)  # type: ignore[arg-type]


def keys(folder: Path) -> list[ImageKey]:
    return [image.key for images in open_plate(folder).images.values() for image in images]


def test_a_made_plate_is_found_whole(small_plate: Path) -> None:
    plate = open_plate(small_plate)
    assert plate.wells == ("A01", "A02", "A03", "A04")
    assert plate.components[Component.SITE] == (1, 2)
    assert plate.components[Component.CHANNEL] == (1, 2)
    assert plate.problems == ()
    assert plate.pixel_size_um == pytest.approx(0.65, rel=1e-4)
    image = plate.images["A02"][0]
    assert plate.read(image).shape == (64, 64)
    assert np.array_equal(read_image("imagexpress", image), tifffile.imread(image.path))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("run_A01_s1_w2.tif", ImageKey("A01", 1, 2)),
        ("A01_s1_w2.tif", ImageKey("A01", 1, 2)),
        ("a_b_c_H12_s25_w4_z7.TIF", ImageKey("H12", 25, 4, 7)),
        ("plate B02_A03_w1.tiff", ImageKey("A03")),
        ("x_AF48_s1_w1.Tif", ImageKey("AF48")),
        (f"val screen_B02_s1_w1{UUID}.tif", ImageKey("B02")),
        (f"val screen_B02_s3_w12{UUID}.tif", ImageKey("B02", 3, 12)),
        ("x_c04_s1_w1.tif", ImageKey("C04")),
    ],
)
def test_names_as_microscopes_write_them(tmp_path: Path, name: str, key: ImageKey) -> None:
    write(tmp_path / name)
    assert keys(tmp_path) == [key]


def test_a_name_without_channel_counts_only_where_none_has_one(tmp_path: Path) -> None:
    write(tmp_path / "x_A01_s2.tif")
    assert keys(tmp_path) == [ImageKey("A01", 2)]
    write(tmp_path / "x_A01_s1_w1.tif")
    assert keys(tmp_path) == [ImageKey("A01", 1)]
    assert "x_A01_s2.tif has no channel in its name" in open_plate(tmp_path).problems[0].message


def test_time_points_and_z_steps_in_folders(tmp_path: Path) -> None:
    for timepoint in (1, 2, 10):
        for z in (1, 2):
            write(tmp_path / f"TimePoint_{timepoint}" / f"ZStep_{z}" / "x_A01_s1_w1.tif")
        write(tmp_path / f"TimePoint_{timepoint}" / "ZStep_0" / "x_A01_s1_w1.tif")
    plate = open_plate(tmp_path)
    assert plate.components[Component.TIMEPOINT] == (1, 2, 10)
    assert plate.components[Component.Z_INDEX] == (1, 2)
    (problem,) = plate.problems
    assert (problem.kind, problem.left_out, plate.left_out) == (ProblemKind.STRAY_FILE, 3, 3)
    assert "3 projections of channel 1, such as x_A01_s1_w1.tif: left out" in problem.message


def test_a_projection_alone_is_the_image(tmp_path: Path) -> None:
    write(tmp_path / "TimePoint_1" / "ZStep_0" / "x_A01_s1_w1.tif")
    assert keys(tmp_path) == [ImageKey("A01")]


def test_a_time_point_folder_is_a_plate_itself(tmp_path: Path) -> None:
    write(tmp_path / "TimePoint_3" / "x_A01_s1_w1.tif")
    assert keys(tmp_path / "TimePoint_3") == [ImageKey("A01", timepoint=3)]


def test_thumbnails_and_other_files_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "x_A01_s1_w1.tif")
    for other in ("x_A01_s1_w1_thumb.tif", f"x_A01_s1_w1_Thumb{UUID}.TIF", "x.log", "Thumbs.db", ".hidden.tif"):
        (tmp_path / other).write_bytes(b"?")
    plate = open_plate(tmp_path)
    assert len(plate.images["A01"]) == 1
    assert plate.problems == ()


def test_a_stray_tiff_is_named_and_harmless(tmp_path: Path) -> None:
    write(tmp_path / "x_A01_s1_w1.tif")
    write(tmp_path / "overview.tif")
    write(tmp_path / "x_Z99_s1_w1.tif")
    plate = open_plate(tmp_path)
    assert [problem.kind for problem in plate.problems] == [ProblemKind.STRAY_FILE] * 2
    assert "overview.tif" in plate.problems[0].message
    assert plate.wells == ("A01",)


def test_a_double_is_named(tmp_path: Path) -> None:
    write(tmp_path / "x_A01_s1_w1.tif")
    write(tmp_path / "y_A01_s1_w1.tif")
    mixed, double = open_plate(tmp_path).problems
    assert mixed.kind is ProblemKind.MIXED
    assert "2 plates are mixed in one folder, with names that begin with 'x', 'y'" in mixed.message
    assert double.kind is ProblemKind.DUPLICATE
    assert "y_A01_s1_w1.tif has the same well, site and channel as x_A01_s1_w1.tif; it is left out" in double.message


def test_doubles_of_one_plate(tmp_path: Path) -> None:
    for name in ("x_A01_s1_w1_z1.tif", "x_A01_s1_w1_z2.tif", "X_A01_s01_w1_z2.tif"):
        write(tmp_path / name)
    (double,) = open_plate(tmp_path).problems
    assert "x_A01_s1_w1_z2.tif has the same well, site, channel and z as X_A01_s01_w1_z2.tif" in double.message


def test_a_hole_in_a_regular_plate_is_found(new_plate: Callable[..., Path]) -> None:
    folder = new_plate(wells=4, sites=2, channels=1)
    next(folder.rglob("*_A03_s2_w1.tif")).unlink()
    plate = open_plate(folder)
    assert plate.missing == {"A03": (ImageKey("A03", 2),)}
    assert plate.problems[0].kind is ProblemKind.GAP


def test_a_plate_with_more_sites_in_some_wells_has_no_holes(tmp_path: Path) -> None:
    for well, sites in {"A01": 2, "A02": 2, "A03": 4, "A04": 4}.items():
        for site in range(1, sites + 1):
            write(tmp_path / f"x_{well}_s{site}_w1.tif")
    assert open_plate(tmp_path).missing == {}


def test_what_is_no_plate_is_refused_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.tif").write_bytes(b"")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("a")
    (tmp_path / "strays").mkdir()
    write(tmp_path / "strays" / "overview.tif")
    for name, words in {
        "nowhere": "no such plate",
        "empty": "no images in",
        "text": "no images in",
        "file.tif": "is a file",
        "strays": "none of its 1 TIFF files",
    }.items():
        with pytest.raises(PlateError, match=words) as caught:
            open_plate(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("above", ["screen", "screen/2026-11-29"])
def test_the_only_plate_up_to_two_folders_further_down_is_taken_and_named(tmp_path: Path, above: str) -> None:
    folder = tmp_path / "screen" / "2026-11-29" / "1334"
    write(folder / "x_A01_s1_w1.tif")
    write(tmp_path / "screen" / "2026-11-29" / "1334_results" / "x_A01_s1_w1.tif")
    plate = open_plate(tmp_path / above)
    assert (plate.path, plate.wells) == (tmp_path / above, ("A01",))
    assert plate.problems[0].kind is ProblemKind.NOTE
    assert str(folder) in plate.problems[0].message
    write(tmp_path / "screen" / "2026-11-29" / "1335" / "TimePoint_1" / "x_A01_s1_w1.tif")
    with pytest.raises(PlateError, match=r"several folders that look like a plate: name one of .*1334, .*1335"):
        open_plate(tmp_path / above)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.95])
def test_a_tiff_cut_short_is_named(tmp_path: Path, part: float, compression: str | None) -> None:
    path = tmp_path / "x_A01_s1_w1.tif"
    rng = np.random.default_rng(0)
    tifffile.imwrite(path, rng.integers(0, 60000, (64, 64), np.uint16), metadata=None, compression=compression)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    plate = open_plate(tmp_path)
    with pytest.raises(ImageError, match=r"x_A01_s1_w1\.tif") as caught:
        plate.read(plate.images["A01"][0])
    assert caught.value.path == str(path)
    assert plate.pixel_size_um is None


def test_what_is_no_single_grey_plane_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x_A01_s1_w1.tif", np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "x_A02_s1_w1.tif", np.zeros((3, 8, 8), np.uint8), photometric="minisblack")
    (tmp_path / "x_A03_s1_w1.tif").write_bytes(b"no tiff at all")
    plate = open_plate(tmp_path)
    for well in plate.wells:
        with pytest.raises(ImageError, match=f"x_{well}_s1_w1"):
            plate.read(plate.images[well][0])


def test_a_file_that_went_away_is_named(new_plate: Callable[..., Path]) -> None:
    plate = open_plate(new_plate())
    shutil.rmtree(str(plate.path))
    with pytest.raises(ImageError, match="no longer exists"):
        plate.read(plate.images["A01"][0])


@pytest.mark.parametrize(
    ("resolution", "unit"), [((25400, 25400), 2), ((300, 300), 2), ((96, 96), 2), ((1550.3, 1550.3), 3), ((1, 1), 1)]
)
def test_print_resolution_is_no_pixel_size(tmp_path: Path, resolution: tuple[float, float], unit: int) -> None:
    write(tmp_path / "x_A01_s1_w1.tif", resolution=resolution, resolutionunit=unit)
    assert open_plate(tmp_path).pixel_size_um is None
