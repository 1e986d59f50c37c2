"""Pipelines of library functions on real plates: regions, the plate's images again, positions, one row per object."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.exceptions import CompileError, PipelineError
from openhcs_runtime.functions import (
    denoise,
    label_objects,
    max_projection,
    measure_intensity,
    measure_objects,
    measure_shape,
    outline_objects,
    segment_nuclei,
    stitch_sites,
    subtract_background,
    threshold_fixed,
)
from openhcs_runtime.pipeline.decorators import Stack
from openhcs_runtime.pipeline.patterns import shared_key
from openhcs_runtime.pipeline.step import Call, FunctionStep, InputSource
from openhcs_runtime.plates import make_plate, open_plate
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.rois import read_imagej, rois_to_labels
from openhcs_runtime.tables.read import open_results

CHANNEL = Component.CHANNEL
SEGMENT = FunctionStep({1: [subtract_background, denoise, segment_nuclei]}, name="Segment", group_by=CHANNEL)


def run(plate: Path, steps: list[FunctionStep], output: Path, wells: tuple[str, ...] = ("A01",)) -> PlateResult:
    config = PipelineConfig(output_dir=str(output), wells=wells)
    with PipelineOrchestrator(plate, steps, GlobalConfig(1, ExecutionMode.THREADS), config) as orchestrator:
        return orchestrator.run(RunChoice(replace=True, fresh=True))


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def objects(run: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = open_results(run).arrow(name).to_pylist()
    return rows


def zeros(stack: Stack) -> Stack:
    return np.zeros_like(stack)


def test_regions_are_written_and_give_the_labels_again(small_plate: Path, tmp_path: Path) -> None:
    tmp_path /= "out"
    outline = FunctionStep({1: outline_objects}, group_by=CHANNEL)
    result = run(small_plate, [SEGMENT, outline], tmp_path, ("A01", "A02"))
    assert result.status is ResultStatus.COMPLETE
    sets = sorted(path.name for path in (tmp_path / "rois").iterdir())
    assert sets == [f"{well}_s{site}_w1.zip" for well in ("A01", "A02") for site in (1, 2)]
    for name in sets:
        labels = tifffile.imread(tmp_path / "labels" / name.replace(".zip", ".tif"))
        rois = read_imagej(tmp_path / "rois" / name)
        assert np.array_equal(rois_to_labels(rois, labels.shape), labels)
    first = {name: (tmp_path / "rois" / name).read_bytes() for name in sets}
    run(small_plate, [SEGMENT, outline], tmp_path, ("A01", "A02"))
    assert {name: (tmp_path / "rois" / name).read_bytes() for name in sets} == first, "runs are bit-equal"
    run(small_plate, [SEGMENT], tmp_path, ("A01", "A02"))
    assert not (tmp_path / "rois").exists(), "regions of an earlier run go with it"


def test_the_images_of_the_plate_again(small_plate: Path, tmp_path: Path) -> None:
    steps = [
        SEGMENT,
        FunctionStep(zeros),
        FunctionStep({2: (measure_intensity, {"name": "second"})}, group_by=CHANNEL, input_source=InputSource.PLATE),
    ]
    result = run(small_plate, steps, tmp_path)
    assert result.status is ResultStatus.COMPLETE
    plate = open_plate(small_plate)
    measured = objects(tmp_path, "second")
    assert measured
    for image in plate.images["A01"]:
        labels_path = tmp_path / "labels" / f"A01_s{image.key.site}_w1.tif"
        if image.key.channel == 2:
            pixels, labels = plate.read(image), tifffile.imread(labels_path)
            own = [row for row in measured if row["site"] == image.key.site]
            assert [row["intensity_mean_FITC"] for row in own] == pytest.approx(
                [pixels[labels == row["label"]].mean() for row in own]
            )


def test_labels_of_a_projection_fit_the_projected_plate(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "plate", wells=1, sites=1, channels=2, z=3, size=64)
    over_z = (Component.Z_INDEX,)
    steps = [
        FunctionStep({1: [max_projection, segment_nuclei]}, variable_components=over_z, group_by=CHANNEL),
        FunctionStep(
            {2: [max_projection, measure_intensity]},
            variable_components=over_z,
            group_by=CHANNEL,
            input_source=InputSource.PLATE,
        ),
    ]
    result = run(plate, steps, tmp_path / "out")
    assert result.status is ResultStatus.COMPLETE, result.wells[0].error
    assert {(row["channel"], row["z_index"]) for row in rows(result.measurements)} == {("2", "0")}


def test_functions_on_the_same_objects_share_their_rows(small_plate: Path, tmp_path: Path) -> None:
    measure: list[Call] = [measure_objects, measure_shape, measure_intensity]
    result = run(small_plate, [SEGMENT, FunctionStep({1: measure}, group_by=CHANNEL)], tmp_path)
    assert result.tables == ("nuclei", "images", "wells")
    table = objects(tmp_path, "nuclei")
    assert len({(row["site"], row["label"]) for row in table}) == len(table)
    assert all(row["area_px2"] and row["solidity"] and row["intensity_median_DAPI"] for row in table)


def test_other_objects_of_the_same_image_have_a_table_of_their_own(small_plate: Path, tmp_path: Path) -> None:
    everything: list[Call] = [(threshold_fixed, {"level": -1}), label_objects, (measure_objects, {"name": "field"})]
    steps = [
        FunctionStep({1: [subtract_background, segment_nuclei, measure_objects]}, group_by=CHANNEL),
        FunctionStep({1: everything}, group_by=CHANNEL),
    ]
    result = run(small_plate, steps, tmp_path)
    assert result.status is ResultStatus.COMPLETE, result.wells[0].error
    assert [row["area_px2"] for row in objects(tmp_path, "field")] == [64 * 64] * 2
    assert max(row["area_px2"] for row in objects(tmp_path, "nuclei")) < 64 * 64


def test_one_column_with_two_values_fails_the_well(small_plate: Path, tmp_path: Path) -> None:
    measured = [FunctionStep({1: [segment_nuclei, measure_objects, zeros, measure_objects]}, group_by=CHANNEL)]
    result = run(small_plate, measured, tmp_path)
    assert "was measured twice for well A01" in result.wells[0].error


def test_sites_are_stitched_by_position(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "plate", wells=1, sites=2, channels=1, size=64, format="opera_phenix")
    opened = open_plate(plate)
    result = run(plate, [FunctionStep(stitch_sites, materialize=True)], tmp_path / "out")
    assert result.status is ResultStatus.COMPLETE, result.wells[0].error
    mosaic = tifffile.imread(tmp_path / "out" / "images" / "A01_s0_w1.tif")
    places = [opened.positions["A01", site] for site in (1, 2)]
    assert opened.pixel_size_um is not None
    size = (abs(places[0].y_um - places[1].y_um), abs(places[0].x_um - places[1].x_um))
    assert mosaic.shape == tuple(64 + round(part / opened.pixel_size_um) for part in size)
    assert mosaic.max() > 0


def test_shared_labels_are_those_of_the_same_place() -> None:
    labelled = {ImageKey("A01", 1, 3), ImageKey("A01", 1, 2), ImageKey("A01", 2, 1)}
    assert shared_key(ImageKey("A01", 1, 3), labelled) == ImageKey("A01", 1, 3)
    assert shared_key(ImageKey("A01", 1, 4), labelled) == ImageKey("A01", 1, 2)
    assert shared_key(ImageKey("A01", 1, 4, 2), labelled) is None


def test_labels_that_nobody_makes_are_found_before_an_image_is_read(small_plate: Path, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="measure_intensity needs labels, but no earlier step makes any"):
        run(small_plate, [FunctionStep(measure_intensity)], tmp_path)


def test_an_unknown_input_source_is_refused() -> None:
    with pytest.raises(PipelineError, match="unknown input_source 'plates'; choose previous_step or plate"):
        FunctionStep(zeros, input_source="plates")  # type: ignore[arg-type]
    assert FunctionStep(zeros, input_source="plate").input_source is InputSource.PLATE  # type: ignore[arg-type]
