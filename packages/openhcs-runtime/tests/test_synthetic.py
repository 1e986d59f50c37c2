"""Made plates: layout, truth, the same bytes for the same arguments."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tifffile

from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import make_plate, open_plate


def truth(folder: Path) -> list[dict[str, str]]:
    with (folder / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_layout_and_truth(new_plate: Callable[..., Path]) -> None:
    folder = new_plate(wells=13, sites=2, channels=2, z=3, size=32)
    plate = open_plate(folder)
    assert plate.wells[-2:] == ("A12", "B01")
    assert plate.components[Component.Z_INDEX] == (1, 2, 3)
    assert plate.problems == ()
    rows = truth(folder)
    assert list(rows[0]) == ["well", "site", "nuclei"]
    assert len(rows) == 26
    assert all(int(row["nuclei"]) >= 0 for row in rows)


def test_time_points(new_plate: Callable[..., Path]) -> None:
    folder = new_plate(wells=1, timepoints=2)
    assert open_plate(folder).components[Component.TIMEPOINT] == (1, 2)
    assert [row["timepoint"] for row in truth(folder)] == ["1", "2"]


def test_a_large_plate_takes_a_larger_grid(new_plate: Callable[..., Path]) -> None:
    assert open_plate(new_plate(wells=97, size=32)).wells[24:26] == ("B01", "B02")


def test_the_same_seed_gives_the_same_bytes_whatever_else_is_made(tmp_path: Path) -> None:
    few = make_plate(tmp_path / "1" / "p", wells=2, sites=1, channels=1, size=48, seed=3)
    many = make_plate(tmp_path / "2" / "p", wells=4, sites=2, channels=2, size=48, seed=3)
    other = make_plate(tmp_path / "3" / "p", wells=2, sites=1, channels=1, size=48, seed=4)
    name = "TimePoint_1/p_A02_s1_w1.tif"
    assert (few / name).read_bytes() == (many / name).read_bytes() != (other / name).read_bytes()


def test_planes_blur_away_from_the_middle(new_plate: Callable[..., Path]) -> None:
    folder = new_plate(wells=1, z=5, size=128)
    contrast = [tifffile.imread(next(folder.rglob(f"*_z{z}.tif"))).std() for z in (1, 2, 3)]
    assert contrast == sorted(contrast)


def test_a_folder_in_use_is_refused(small_plate: Path) -> None:
    with pytest.raises(PlateError, match="not empty"):
        make_plate(small_plate)


@pytest.mark.parametrize("options", [{"wells": 0}, {"wells": 1537}, {"sites": 0}, {"size": 8}, {"z": -1}, {"seed": -1}])
def test_numbers_that_make_no_plate_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(PlateError, match=next(iter(options))):
        make_plate(tmp_path / "p", **options)
    assert not (tmp_path / "p").exists()
