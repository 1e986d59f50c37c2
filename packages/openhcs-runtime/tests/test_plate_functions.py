"""Ready-made steps over the plate: illumination, controls, quality."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from openhcs_runtime import Component, FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator, PlateStep
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.controls import ControlMethod
from openhcs_runtime.functions import (
    divide_by_illumination,
    estimate_illumination,
    fit_normaliser,
    judge_quality,
    measure_objects,
    measure_quality,
    normalise,
    quality_gate,
    segment_nuclei,
)
from openhcs_runtime.pipeline.plate_step import Step
from openhcs_runtime.results import PlateResult, ResultStatus

NewPlate = Callable[..., Path]


def _run(plate: Path, steps: Sequence[Step], folder: Path) -> PlateResult:
    settings = PipelineConfig(results_dir=str(folder))
    with PipelineOrchestrator(plate, steps, GlobalConfig(mode=ExecutionMode.THREADS), settings) as orchestrator:
        return orchestrator.run()


def _rows(result: PlateResult) -> list[dict[str, str]]:
    with Path(result.measurements).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _column(rows: list[dict[str, str]], name: str) -> NDArray[np.float64]:
    return np.array([float(row[name]) for row in rows])


def _rewrite(plate: Path, change: Callable[[Path, NDArray[np.uint16]], NDArray[np.floating]]) -> None:
    """Change the pixels of all images of a plate."""
    for path in plate.rglob("*.tif"):
        with tifffile.TiffFile(path) as file:
            pixels, description = file.asarray(), file.pages.first.description
        tifffile.imwrite(path, change(path, pixels).astype(np.uint16), description=description, metadata=None)


def test_illumination_is_found_and_removed(new_plate: NewPlate, tmp_path: Path) -> None:
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    light = 1.2 - 0.4 * ((y - 0.2) ** 2 + x**2)
    light /= light.mean()
    found: list[NDArray[np.float32]] = []
    for factor in (np.ones_like(light), light):
        plate = new_plate(f"plate{len(found)}", wells=6, sites=4, channels=1, size=128)
        _rewrite(plate, lambda _, pixels, factor=factor: pixels * factor)  # type: ignore[misc]
        steps: list[Step] = [PlateStep(estimate_illumination), FunctionStep(divide_by_illumination, materialize=True)]
        result = _run(plate, steps, tmp_path / f"results{len(found)}")
        assert result.status is ResultStatus.COMPLETE, result
        folder = Path(result.output_dir)
        found.append(tifffile.imread(folder / "plate" / "illumination_channel_1.tif"))
        assert found[-1].mean() == pytest.approx(1)
    added = found[1] / found[0]
    error = np.abs(added / added.mean() / light - 1)
    assert error.max() < 0.08
    assert error.mean() < 0.02
    original = tifffile.imread(next(plate.rglob("*.tif")))
    corrected = tifffile.imread(folder / "images" / "A01_s1_w1.tif")
    assert corrected.shape == original.shape


def test_an_offset_above_the_images_is_refused(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate(wells=1, sites=1, channels=1, size=32)
    result = _run(plate, [PlateStep((estimate_illumination, {"offset": 60_000.0}))], tmp_path / "results")
    assert result.status is ResultStatus.FAILED
    assert "not brighter than the offset 60000" in result.error


@pytest.mark.parametrize("method", list(ControlMethod))
def test_measurements_relative_to_controls(new_plate: NewPlate, tmp_path: Path, method: ControlMethod) -> None:
    plate = new_plate(wells=4, sites=2, channels=1, size=96)
    steps: list[Step] = [
        FunctionStep(segment_nuclei),
        FunctionStep((measure_objects, {"name": "nuclei"})),
        PlateStep((fit_normaliser, {"controls": ("A01", "A02"), "method": method})),
        FunctionStep(normalise),
    ]
    rows = _rows(_run(plate, steps, tmp_path / "results"))
    values = _column(rows, "nuclei_count")
    controls = values[np.isin([row["well"] for row in rows], ["A01", "A02"])]
    match method:
        case ControlMethod.Z_SCORE:
            wanted = (values - controls.mean()) / controls.std(ddof=1)
        case ControlMethod.ROBUST_Z_SCORE:
            middle = np.median(controls)
            wanted = (values - middle) / (1.4826 * np.median(np.abs(controls - middle)))
        case ControlMethod.PERCENT:
            wanted = 100 * values / controls.mean()
    assert np.allclose(_column(rows, f"nuclei_count_{method}"), wanted)


@pytest.mark.parametrize(
    ("controls", "problem"), [(("H12",), "control wells H12 are not among the 1 wells"), (("A01",), "has 1 measured")]
)
def test_lacking_controls_are_named(
    new_plate: NewPlate, tmp_path: Path, controls: tuple[str, ...], problem: str
) -> None:
    plate = new_plate(wells=1, sites=1, channels=1, size=64)
    steps: list[Step] = [
        FunctionStep(measure_quality),
        PlateStep((fit_normaliser, {"controls": controls})),
        FunctionStep(normalise),
    ]
    assert problem in _run(plate, steps, tmp_path / "results").error


def test_a_blurred_and_a_saturated_well_do_not_pass(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate(wells=6, sites=2, channels=1, size=64)

    def change(path: Path, pixels: NDArray[np.uint16]) -> NDArray[np.float64]:
        if "_A02_" in path.name:
            return np.full(pixels.shape, pixels.mean()) + np.arange(pixels.shape[1]) / 10
        is_bright = pixels > np.quantile(pixels, 0.9)
        return np.where(is_bright & ("_A04_" in path.name), 4095.0, pixels)

    _rewrite(plate, change)
    steps: list[Step] = [FunctionStep(measure_quality), PlateStep(judge_quality), FunctionStep(quality_gate)]
    result = _run(plate, steps, tmp_path / "results")
    rows = _rows(result)
    reasons = {row["well"]: row["quality_reason"] for row in rows if row["quality_passed"] in ("False", "false", "0")}
    assert reasons.keys() == {"A02", "A04"}
    assert "focus_score in 2 of 2 images" in reasons["A02"]
    assert "saturated_percent in 2 of 2 images" in reasons["A04"]
    failing: list[Step] = [*steps[:2], FunctionStep((quality_gate, {"on_failure": "fail"}), group_by=Component.CHANNEL)]
    failed = _run(plate, failing, tmp_path / "failing").wells_with(ResultStatus.FAILED)
    assert [well.well for well in failed] == ["A02", "A04"]
    assert "did not pass quality control: saturated_percent" in failed[1].error


def test_controls_by_plate_map_and_a_changed_map_changes_the_results(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate(wells=4, sites=2, channels=1, size=64)
    steps: list[Step] = [
        FunctionStep(measure_quality),
        PlateStep((fit_normaliser, {"controls": "control == 'DMSO'", "method": "percent"})),
        FunctionStep(normalise),
    ]
    (plate / "platemap.csv").write_text("well,control\nA1,DMSO\nA2,DMSO\nA3,x\nA4,x\n")
    for wells in (["A01", "A02"], ["A03", "A04"]):
        result = _run(plate, steps, tmp_path / "results")
        assert not any(well.reused for well in result.wells)
        rows = _rows(result)
        values = _column(rows, "background_mean")
        wanted = 100 * values / values[np.isin([row["well"] for row in rows], wells)].mean()
        assert np.allclose(_column(rows, "background_mean_percent"), wanted)
        (plate / "platemap.csv").write_text("well,control\nA1,x\nA2,x\nA3,DMSO\nA4,DMSO\n")
