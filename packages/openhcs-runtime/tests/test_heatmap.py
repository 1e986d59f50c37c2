"""A value for each well, and the picture of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image

from openhcs_runtime.components import well_name
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.runs import FoundRun, RunStatus, RunSummary
from openhcs_runtime.tables.heatmap_image import draw_heatmap, write_heatmap
from openhcs_runtime.tables.places import table_path
from openhcs_runtime.tables.read import Results
from openhcs_runtime.tables.scale import short_number
from openhcs_runtime.tables.schema import IMAGE_KEYS, OBJECT_KEYS, Measure, TableKind, TableSchema
from openhcs_runtime.tables.statistic import Statistic
from openhcs_runtime.tables.well_values import well_values
from openhcs_runtime.tables.write import write_table


def write(
    run: Path, name: str, kind: TableKind, columns: Mapping[str, list[Any]], measures: dict[str, Measure]
) -> None:
    """Write a table of wells A01 and B02, with the keys that its kind has."""
    keys = {TableKind.IMAGES: IMAGE_KEYS, TableKind.OBJECTS: OBJECT_KEYS}[kind]
    rows = len(columns["well"])
    filled = {key: columns.get(key) or ["p" if key == "plate" else 1] * rows for key in keys}
    schema = TableSchema(
        table=name,
        kind=kind,
        keys=keys,
        plate_map=tuple(column for column in columns if column == "dose"),
        measures=measures,
        channels={"DAPI": 1, "GFP": 2},
    )
    table = pyarrow.table(filled | {column: columns[column] for column in (*schema.plate_map, *measures)})
    write_table(table_path(run, name), schema, table)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    images: dict[str, list[Any]] = {
        "well": ["A01", "A01", "B02"],
        "dose": [0.5, 0.5, None],
        "count": [3, 5, None],
        "n_DAPI": [3.0, None, None],
        "n_GFP": [50.0, None, None],
        "bright_GFP": [None, 7.5, 9.0],
        "phase": ["G1", "G1", "M"],
    }
    write(
        tmp_path,
        "images",
        TableKind.IMAGES,
        images,
        {
            "count": Measure(measure="count"),
            "n_DAPI": Measure(measure="n", channel="DAPI"),
            "n_GFP": Measure(measure="n", channel="GFP"),
            "bright_GFP": Measure(measure="bright", channel="GFP"),
            "phase": Measure(measure="phase"),
        },
    )
    area = {"area_um2": Measure(measure="area", unit="um2")}
    objects: dict[str, list[Any]] = {"well": ["A01"] * 3, "label": [1, 2, 3], "area_um2": [10.0, 40.0, 11.0]}
    write(tmp_path, "nuclei", TableKind.OBJECTS, objects, area)
    return Results(FoundRun(RunSummary(tmp_path, RunStatus.COMPLETE)))


@pytest.mark.parametrize(
    ("measurement", "statistic", "expected"),
    [
        ("count", Statistic.SUM, {"A01": 8}),
        ("count", Statistic.MEAN, {"A01": 4}),
        ("bright", Statistic.MEAN, {"A01": 7.5, "B02": 9}),
        ("bright_GFP", Statistic.MEAN, {"A01": 7.5, "B02": 9}),
        ("dose", Statistic.MEAN, {"A01": 0.5}),
        ("area_um2", Statistic.MEDIAN, {"A01": 11}),
    ],
)
def test_values_of_wells(results: Results, measurement: str, statistic: Statistic, expected: dict[str, float]) -> None:
    assert well_values(results, measurement, statistic).values == expected


def test_channels_are_not_mixed(results: Results) -> None:
    with pytest.raises(OutputError, match="n was measured in channels DAPI, GFP: choose one"):
        well_values(results, "n")
    for channel in ("2", "GFP"):
        assert well_values(results, "n", channel=channel).values == {"A01": 50}
    with pytest.raises(OutputError, match="no measurement 'n' of channel 3"):
        well_values(results, "n", channel="3")


def test_objects_are_not_mixed(results: Results) -> None:
    objects: dict[str, list[Any]] = {"well": ["A01"], "label": [1], "area_um2": [90.0]}
    write(results.folder, "cells", TableKind.OBJECTS, objects, {"area_um2": Measure(measure="area", unit="um2")})
    with pytest.raises(OutputError, match="was measured for the objects cells, nuclei: choose one"):
        well_values(results, "area_um2")
    assert well_values(results, "area_um2", objects="cells").values == {"A01": 90}


def test_what_is_not_there_is_said_with_what_there_is(results: Results, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no measurement 'area' .* did you mean 'area_um2'"):
        well_values(results, "area")
    with pytest.raises(OutputError, match=r"no measurement 'zzz' .* choose from count, n_DAPI"):
        well_values(results, "zzz")
    with pytest.raises(OutputError, match=r"phase in the table images is not a number: 'G1'"):
        well_values(results, "phase")
    with pytest.raises(OutputError, match=r"nowhere has no tables: the run has not ended"):
        well_values(Results(FoundRun(RunSummary(tmp_path / "nowhere", RunStatus.COMPLETE))), "count")


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


def test_labels_are_written_into_the_wells_of_small_plates_only(tmp_path: Path) -> None:
    plain = np.asarray(draw_heatmap({"A01": 1.0, "A02": 2.0}, "n"))
    labelled = np.asarray(draw_heatmap({"A01": 1.0, "A02": 2.0}, "n", {"A02": "a long name of a compound"}))
    y, x = np.nonzero((plain != labelled).any(axis=2))
    assert 2 * (94 + 26) < y.min() <= y.max() < 2 * (94 + 52)
    assert 2 * (50 + 52) < x.min() <= x.max() < 2 * (50 + 104)
    with pytest.raises(ValueError, match="up to 96 wells only"):
        write_heatmap(tmp_path / "h.png", {"P24": 1.0}, "n", {"P24": "x"})


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
