"""Plates of very many files: images are kept in columns, made when they are asked for, and found at a flat cost."""

import io
import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig
from openhcs_runtime.cli import listing
from openhcs_runtime.cli.listing import ListingLine
from openhcs_runtime.components import ImageKey
from openhcs_runtime.engine.compiler import compile_plate
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import ImageRef, ProblemKind, open_plate
from openhcs_runtime.plates.file_names import FileNames
from openhcs_runtime.plates.image_table import Columns
from openhcs_runtime.plates.table_builder import table_of
from openhcs_runtime.selection import choose_wells

WELLS = ("A01", "A02", "B01", "AA03")


@pytest.fixture
def linked(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder whose files are links to one image."""
    image = tmp_path / "image.tif"
    tifffile.imwrite(image, np.arange(64, dtype=np.uint16).reshape(8, 8))

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "plate" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(image, path)
        return tmp_path / "plate"

    return make


def all_names(sites: int = 3) -> list[str]:
    """Names of an ImageXpress plate."""
    return [f"p_{well}_s{site}_w{channel}.tif" for well in WELLS for site in range(1, sites + 1) for channel in (1, 2)]


def test_images_are_made_when_asked_for_and_equal_a_tuple(linked: Callable[..., Path]) -> None:
    folder = linked(*all_names())
    images = open_plate(folder).images["AA03"]
    stat = (folder / "p_AA03_s1_w2.tif").stat()
    expected = ImageRef(ImageKey("AA03", 1, 2), str(folder / "p_AA03_s1_w2.tif"), stat.st_size, stat.st_mtime_ns)
    assert images[1] == expected
    assert images[1] is not images[1]
    assert (images[-1].key.site, len(images), images[1:2]) == (3, 6, (expected,))
    assert images == tuple(images)
    assert pickle.loads(pickle.dumps(images)) == tuple(images)  # noqa: S301  just written


def test_names_with_a_known_well_and_rest_are_read_as_by_the_expression(linked: Callable[..., Path]) -> None:
    # "s1" is a well in the third name, as no part of the first two can be one; in the last, A1 comes first.
    folder = linked("A1_s1_s2_w1.tif", "A1_B2_w1.tif", "A1_s1_w1.tif")
    assert sorted(image.key.describe() for images in open_plate(folder).images.values() for image in images) == [
        "well A01, site 1, channel 1, z 1, time point 1",
        "well B02, site 1, channel 1, z 1, time point 1",
        "well S01, site 2, channel 1, z 1, time point 1",
    ]


def test_names_in_any_case_order_and_number_of_digits(linked: Callable[..., Path]) -> None:
    odd = "P_b02_S1_W1.TIF", "p_A1_s10_w2.tiff", f"p_A01_s{10**25}_w1.tif", "p_A02_s1_w1_z2.tif"
    names = [*all_names(9), *odd]
    random.Random(1).shuffle(names)
    plate = open_plate(linked(*names))
    keys = [image.key for images in plate.images.values() for image in images]
    assert len(keys) == len(names)
    assert keys == sorted(keys, key=lambda key: (plate.wells.index(key.well), key))
    assert plate.images["A01"][-1].key == ImageKey("A01", 10**25)


def test_a_single_odd_file_of_many_is_found(linked: Callable[..., Path]) -> None:
    folder = linked(*all_names(60))
    assert not open_plate(folder).problems
    (folder / "p_B01_s33_w1.tif").unlink()
    (folder / "p_B01_s33_w1.tif").touch()
    (problem,) = open_plate(folder).problems
    assert problem.kind is ProblemKind.UNREADABLE
    assert problem.message.startswith("image p_B01_s33_w1.tif is damaged")


def test_files_that_are_not_images_do_not_hide_among_many(linked: Callable[..., Path]) -> None:
    folder = linked(*all_names(), ".p_A01_s9_w1.tif", "p_A01_s1_w1_thumb.tif", "notes.tif", "a.tif\nb")
    (folder / "p_A01_s8_w1.tif").mkdir()
    (folder / "p_A02_s3_w2.tif").unlink()
    (folder / "p_A02_s3_w2.tif").symlink_to("nowhere")
    plate = open_plate(folder)
    assert sum(map(len, plate.images.values())) == len(all_names())
    assert [problem.message for problem in plate.problems] == [
        "notes.tif is not an image of the plate: its name has no well"
    ]
    lost = plate.images["A02"][-1]
    assert (lost.size, lost.mtime_ns) == (0, 0)


@pytest.mark.parametrize(
    "form",
    [
        "p_{well}_s{site}_w1.tif",
        "r{row:02}c{column:02}f{site:02}p01-ch1sk1fk1fl1.tiff",
        "{well}_01_1_{site}_DAPI_001.tif",
        "p_{well}f{site:02}d0.tif",
        "{row:03}{column:03}-{site}-001001001.tif",
    ],
)
def test_each_file_is_looked_at_once(linked: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    places = [("A", 1), ("A", 2), ("B", 1)]
    names = [
        form.format(well=f"{row}{column:02}", row=ord(row) - 64, column=column, site=site)
        for row, column in places
        for site in range(1, 201)
    ]
    folder = linked(*names)
    asked: list[str] = []
    stat = os.stat

    def counted(path: str, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        asked.append(os.path.basename(path))
        return stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr("openhcs_runtime.plates.table_builder.os.stat", counted)
    open_plate(folder)
    assert sorted(name for name in asked if name in set(names)) == sorted(names)


def test_a_million_files_take_little_memory() -> None:
    refs = (
        ImageRef(ImageKey("A01", 1 + n % 100, 1, 1, 1 + n // 100), f"/plate/p_{n:08}.tif", n, n) for n in range(20_000)
    )
    table = table_of(refs)
    columns, names = table.columns, table.columns.folders[0][1]
    arrays = (columns.well, columns.place, columns.folder, columns.name, columns.size, columns.mtime_ns)
    used = sum(one.nbytes for one in arrays) + len(names._text) + names._starts.itemsize * len(names._starts)
    assert used / len(table) < 70
    assert table[12_345].path == "/plate/p_00012345.tif"


def test_names_come_back_as_they_were() -> None:
    names = FileNames()
    names.extend(["a.tif", "ü.tif", os.fsdecode(b"\xff.tif")])
    names.extend(["b.tif"])
    assert list(names) == ["a.tif", "ü.tif", os.fsdecode(b"\xff.tif"), "b.tif"] == names[:]
    assert (names[-1], len(names)) == ("b.tif", 4)


def test_times_beyond_64_bits_are_kept() -> None:
    times = [5, 2**70, -(2**70)]
    table = table_of(ImageRef(ImageKey("A01", n), f"/p/{n}.tif", 1, time) for n, time in enumerate(times))
    assert [image.mtime_ns for image in table] == times
    assert [image.mtime_ns for image in table.take(np.array([2, 1]))] == [-(2**70), 2**70]


@pytest.fixture
def made_images(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the rows of the images that are made."""
    rows: list[int] = []
    make = Columns.ref

    def counted(self: Columns, row: int) -> ImageRef:
        rows.append(row)
        return make(self, row)

    monkeypatch.setattr(Columns, "ref", counted)
    return rows


def test_sites_are_chosen_without_making_images(linked: Callable[..., Path], made_images: list[int]) -> None:
    plate = open_plate(linked(*all_names(5), "p_A01_s6_w1.tif"))
    made_images.clear()
    chosen = choose_wells(plate, PipelineConfig(sites=(2, 6))).plate
    assert not made_images
    assert {well: len(images) for well, images in chosen.images.items()} == {"A01": 3, "A02": 2, "B01": 2, "AA03": 2}
    assert [image.key.site for image in chosen.images["A01"]] == [2, 2, 6]
    assert chosen.images["B01"] == tuple(image for image in plate.images["B01"] if image.key.site == 2)


def test_compiling_makes_each_image_twice(linked: Callable[..., Path], tmp_path: Path, made_images: list[int]) -> None:
    plate = open_plate(linked(*all_names(40)))
    made_images.clear()
    compiled = compile_plate(plate, [FunctionStep(np.negative)], GlobalConfig(), PipelineConfig(), tmp_path / "out")
    images = sum(len(plan.images) for plan in compiled.wells)
    assert images == len(all_names(40))
    of_one_well = images // len(WELLS)
    assert len(made_images) <= 2 * images + 2 * of_one_well + 10  # refusals and plans; a well of each layout is traced


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_many_files_have_been_listed(
    linked: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_AFTER_SECONDS", 0)
    monkeypatch.setattr(listing, "_EVERY_SECONDS", 0)
    folder = linked(*all_names())
    shown, piped = _Terminal(), io.StringIO()
    for to in (shown, piped):
        with ListingLine(to) as line:
            open_plate(folder, tell=line.tell)
    assert "24 files listed, 24 looked at" in shown.getvalue()
    assert shown.getvalue().endswith("\r")
    assert piped.getvalue() == ""


def test_an_interrupt_ends_the_listing_at_once(linked: Callable[..., Path]) -> None:
    def interrupt(listed: int, looked_at: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_plate(linked(*all_names()), tell=interrupt)


def test_a_folder_without_images_is_refused_as_before(linked: Callable[..., Path]) -> None:
    with pytest.raises(PlateError, match="no plate of a known format"):
        open_plate(linked("a.tif", "b.tif"))
