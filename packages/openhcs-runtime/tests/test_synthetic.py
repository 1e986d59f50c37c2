"""Made plates: layout, truth, the same bytes for the same arguments."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import make_plate, open_plate
from openhcs_runtime.plates.synthetic.scene import Look


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


def test_truth_labels_have_the_nuclei_that_are_counted(new_plate: Callable[..., Path]) -> None:
    folder = new_plate(wells=2, sites=2, channels=1, size=256, truth_labels=True)
    with np.load(folder / "truth_labels.npz") as labels:
        counted = {(name.split("_")[0], name.split("_")[1][1:]): np.unique(labels[name]).size - 1 for name in labels}
        assert {(labels[name].dtype.name, labels[name].shape) for name in labels} == {("int32", (256, 256))}
    assert counted == {(row["well"], row["site"]): int(row["nuclei"]) for row in truth(folder)}


def mean_area(folder: Path) -> float:
    with np.load(folder / "truth_labels.npz") as labels:
        return float(np.mean([area for name in labels for area in np.unique(labels[name], return_counts=True)[1][1:]]))


def test_a_look_is_what_it_says(tmp_path: Path) -> None:
    """Twice the diameter is about four times the area; haze is light; saturated pixels are at full scale."""

    def made(name: str, **look: float) -> Path:
        return make_plate(tmp_path / name, wells=1, sites=2, channels=1, size=512, look=Look(**look), truth_labels=True)

    def pixels(folder: Path) -> np.ndarray:
        return np.stack([tifffile.imread(file) for file in sorted(folder.rglob("*.tif"))])

    usual = made("usual")
    assert mean_area(made("large", diameter_px=40)) / mean_area(usual) == pytest.approx(4, rel=0.4)
    assert np.median(pixels(made("hazy", haze=1))) > 1.5 * np.median(pixels(usual))
    bright = pixels(made("bright", saturation=0.3))
    assert np.count_nonzero(bright == bright.max()) > 100 > np.count_nonzero(pixels(usual) == pixels(usual).max())


@pytest.mark.parametrize(
    ("name", "value"), [("diameter_px", 5), ("haze", -0.1), ("clumping", 1), ("noise", float("nan"))]
)
def test_a_look_that_cannot_be_drawn_is_refused(name: str, value: float) -> None:
    with pytest.raises(PlateError, match=name.removesuffix("_px")):
        Look(**{name: value})
