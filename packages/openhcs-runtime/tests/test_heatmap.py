"""A value for each well, and the picture of it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openhcs_runtime.components import well_name
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.heatmap import well_values
from openhcs_runtime.outputs.heatmap_image import draw_heatmap, short_number, write_heatmap
from openhcs_runtime.outputs.statistic import Statistic

HEAD = "well,site,channel,z_index,timepoint"
MEASURED = f"{HEAD},count,bright\nA01,1,1,1,1,3,\nA01,2,1,1,1,5,\nA01,1,2,1,1,,7.5\nB02,1,1,1,1,,\nB02,1,2,1,1,,9\n"
OBJECTS = f"{HEAD},label,area_um2,phase\nA01,1,1,1,1,1,10,G1\nA01,1,1,1,1,2,40,M\nA01,1,1,1,1,3,11,M\n"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "measurements.csv").write_text(MEASURED)
    (tmp_path / "objects.csv").write_text(OBJECTS)
    return tmp_path


@pytest.mark.parametrize(
    ("measurement", "statistic", "expected"),
    [
        ("count", Statistic.SUM, {"A01": 8}),
        ("count", Statistic.MEAN, {"A01": 4}),
        ("bright", Statistic.MEAN, {"A01": 7.5, "B02": 9}),
        ("area_um2", Statistic.MEDIAN, {"A01": 11}),
    ],
)
def test_values_of_wells(results: Path, measurement: str, statistic: Statistic, expected: dict[str, float]) -> None:
    assert well_values(results, measurement, statistic).values == expected


def test_channels_are_not_mixed(results: Path) -> None:
    (results / "measurements.csv").write_text(f"{HEAD},n\nA01,1,1,1,1,3\nA01,1,2,1,1,50\n")
    with pytest.raises(OutputError, match="n was measured in channels 1, 2: choose one"):
        well_values(results, "n")
    assert well_values(results, "n", channel=2).values == {"A01": 50}
    with pytest.raises(OutputError, match="n has no values in channel 3"):
        well_values(results, "n", channel=3)


def test_what_is_not_there_is_said_with_what_there_is(results: Path, tmp_path: Path) -> None:
    known = r"measurements\.csv has count, bright; objects\.csv has area_um2, phase"
    with pytest.raises(OutputError, match=rf"no measurement 'size' .*{known}"):
        well_values(results, "size")
    with pytest.raises(OutputError, match=r"phase in .* is not a number: 'G1'"):
        well_values(results, "phase")
    with pytest.raises(OutputError, match=r"has no measurements\.csv: give the output folder"):
        well_values(tmp_path / "nowhere", "count")


def test_the_picture_shows_values_and_missing_wells(tmp_path: Path) -> None:
    values = {well_name(row, column): float(row) for row in range(8) for column in range(12) if column != 5}
    write_heatmap(tmp_path / "plate.png", values, "n, mean by well")
    picture = np.asarray(Image.open(tmp_path / "plate.png").convert("RGB")).astype(int)

    def color(row: int, column: int) -> list[int]:
        y, x = (2 * (94 + row * 52 + 6), 2 * (50 + column * 52 + 6))
        return list(picture[y, x].tolist())

    assert color(0, 0) == [68, 1, 84], "the lowest value"
    assert color(7, 0) == [253, 231, 37], "the highest value"
    assert color(3, 5) == [240, 240, 240], "no value"
    assert len({tuple(color(row, 2)) for row in range(8)}) == 8


@pytest.mark.parametrize("last", [(0, 0), (7, 11), (15, 23), (31, 47)])
def test_the_smallest_plate_that_fits_is_drawn(last: tuple[int, int]) -> None:
    image = draw_heatmap({well_name(*last): 1.0}, "one value")
    assert image.width > image.height


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (3, "3"), (0.01234, "0.0123"), (3.14159, "3.14"), (250.4, "250"), (12345, "12.3k"), (-4.56e6, "-4.56M")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short_number(value) == text
