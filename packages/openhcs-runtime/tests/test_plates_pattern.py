"""TIFF folders by a regular expression."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import NamePattern, ProblemKind, open_plate, read_image


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / name, np.full((4, 5), 7, np.uint16), metadata=None)


def keys(folder: Path, pattern: str) -> list[ImageKey]:
    return [image.key for images in open_plate(folder, pattern=pattern).images.values() for image in images]


@pytest.mark.parametrize(
    ("name", "pattern", "key"),
    [
        ("B06_f3_c2.tif", r"(?P<well>\w+)_f(?P<site>\d+)_c(?P<channel>\d+)", ImageKey("B06", 3, 2)),
        ("b6.tiff", r"(?P<well>\w\d+)\.tiff", ImageKey("B06")),
        (
            "r02c06_z4_t9.tif",
            r"r(?P<row>\d+)c(?P<col>\d+)_z(?P<z_index>\d+)_t(?P<timepoint>\d+)",
            ImageKey("B06", 1, 1, 4, 9),
        ),
        ("AF-48.tif", r"(?P<row>[A-Z]+)-(?P<col>\d+)", ImageKey("AF48")),
        ("day 7/B06/s2.tif", r"day (?P<timepoint>\d+)/(?P<well>\w+)/s(?P<site>\d+)", ImageKey("B06", 2, timepoint=7)),
        ("deep/down/B06.tif", r"(?P<well>\w+)", ImageKey("B06")),
    ],
)
def test_names(tmp_path: Path, name: str, pattern: str, key: ImageKey) -> None:
    write(tmp_path, name)
    assert keys(tmp_path, pattern) == [key]


def test_channel_names_are_numbered_in_sorted_order(tmp_path: Path) -> None:
    write(tmp_path, *(f"{well}_{channel}.tif" for well in ("A01", "A02") for channel in ("GFP", "DAPI", "mCherry")))
    plate = open_plate(tmp_path, pattern=r"(?P<well>\w+)_(?P<channel>\w+)")
    assert plate.format == "pattern"
    assert plate.channel_names == {1: "DAPI", 2: "GFP", 3: "mCherry"}
    assert [Path(image.path).name for image in plate.images["A01"]] == [
        "A01_DAPI.tif",
        "A01_GFP.tif",
        "A01_mCherry.tif",
    ]
    assert read_image(plate.format, pickle.loads(pickle.dumps(plate.images["A01"][0]))).shape == (4, 5)  # noqa: S301


def test_what_counts_from_0_is_counted_from_1(tmp_path: Path) -> None:
    write(tmp_path, *(f"A01_s{site}_z{z}.tif" for site in (0, 1) for z in (3, 4)))
    plate = open_plate(tmp_path, pattern=r"(?P<well>\w\d\d)_s(?P<site>\d)_z(?P<z_index>\d)")
    assert plate.components[Component.SITE] == (1, 2)
    assert plate.components[Component.Z_INDEX] == (3, 4)


def test_strays_doubles_and_gaps(tmp_path: Path) -> None:
    write(tmp_path, *(f"{well}_s{site}.tif" for well in ("A01", "A02", "A03") for site in (1, 2)))
    write(tmp_path, "again/A01_s1.tif", "overview.tif", "Z99_s1.tif", "A04_sx.tif")
    (tmp_path / "A02_s2.tif").unlink()
    plate = open_plate(tmp_path, pattern=r"(?P<well>\w\d\d)_s(?P<site>\w)")
    kinds = [problem.kind for problem in plate.problems]
    assert sorted(kinds) == sorted([ProblemKind.STRAY_FILE] * 3 + [ProblemKind.DUPLICATE, ProblemKind.GAP])
    assert plate.missing == {"A02": (ImageKey("A02", 2),)}


def test_a_pattern_is_a_value(tmp_path: Path) -> None:
    pattern = NamePattern(r"(?P<well>\w+)")
    assert pickle.loads(pickle.dumps(pattern)) == pattern == NamePattern(str(pattern))  # noqa: S301
    write(tmp_path, "A01.tif")
    assert open_plate(tmp_path, pattern=pattern).wells == ("A01",)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "not a regular expression"),
        (r"(?P<site>\d)", "has no well"),
        (r"(?P<row>\d)", "has no well"),
        (r"(?P<well>\d)(?P<row>\d)(?P<col>\d)", "has no well"),
        (r"(?P<well>\d)(?P<col>\d)", "has no well"),
        (r"(?P<well>\d)(?P<plane>\d)", "unknown group 'plane'"),
        (r"x(?P<well>\w+)", "none of the 1 TIFF files"),
    ],
)
def test_a_pattern_that_finds_nothing_is_refused_with_one_line(tmp_path: Path, pattern: str, words: str) -> None:
    write(tmp_path, "A01.tif")
    with pytest.raises(PlateError, match=words) as caught:
        open_plate(tmp_path, pattern=pattern)
    assert "\n" not in str(caught.value)


def test_a_pattern_in_a_message_can_be_copied() -> None:
    with pytest.raises(PlateError) as raised:
        NamePattern(r"f(?P<site>\d+)")
    assert r"pattern 'f(?P<site>\d+)' has no well" in str(raised.value)
