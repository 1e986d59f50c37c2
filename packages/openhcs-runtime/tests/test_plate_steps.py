"""Steps over the plate: what they see, what later steps of wells get from them, and what happens when one fails."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator, PlateStep
from openhcs_runtime.components import Component
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.exceptions import CompileError, PipelineError, StepError
from openhcs_runtime.functions import max_projection
from openhcs_runtime.outputs.provenance import read_provenance
from openhcs_runtime.pipeline.decorators import PlateOutput
from openhcs_runtime.pipeline.phases import Phase, phases, saved_states
from openhcs_runtime.pipeline.plate_values import checked_value
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.pipeline.to_source import to_source
from openhcs_runtime.results import PlateResult, ResultStatus
from zmqruntime.execution import local_task
from zmqruntime.messages import LogLine, ProgressStatus, ProgressUpdate

NewPlate = Callable[..., Path]

PIPELINE = """
import os, pathlib, signal
import numpy as np
from openhcs_runtime import (
    Component, FunctionStep, InputKind, Measurements, OutputKind, PlateStep, plate_inputs, plate_output,
    special_inputs, special_outputs
)

HERE = pathlib.Path(__file__).parent

def noted(name):
    with open(HERE / "calls.txt", "a") as file:
        file.write(name + "\\n")

@special_outputs(OutputKind.MEASUREMENTS)
def mean(stack):
    noted("mean")
    return stack + 1, [Measurements({"brightness": float(plane.mean())}) for plane in stack]

@plate_output("level", per=Component.CHANNEL)
def level(plate, *, factor=1.0):
    noted("level")
    if (HERE / "kill").exists():
        (HERE / "kill").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if (HERE / "fail").exists():
        raise ValueError("no level")
    table = plate.measurements()
    return {
        channel: np.full((2, 2), factor * table["brightness"][table["channel"] == channel].mean())
        for channel in plate.channels
    }

@plate_output("rank", per=Component.WELL)
@plate_inputs("level")
def rank(plate, *, level):
    table = plate.measurements()
    means = {well: table["brightness"][table["well"] == well].mean() for well in plate.wells}
    return {well: sorted(means, key=means.get).index(well) for well in plate.wells}

@special_inputs(InputKind.MEASUREMENTS)
@special_outputs(OutputKind.MEASUREMENTS)
@plate_inputs("level", "rank")
def relative(stack, *, measurements, level, rank):
    assert level.shape == (len(stack), 2, 2)
    rows = zip(measurements, level, strict=True)
    return stack, [Measurements({"relative": one["brightness"] / two[0, 0], "rank": rank}) for one, two in rows]

pipeline_steps = [FunctionStep(mean), PlateStep(level), PlateStep(rank), FunctionStep(relative)]
"""


class Lab:
    """A plate, a folder for a pipeline file, and runs in it."""

    def __init__(self, plate: Path, folder: Path, mode: ExecutionMode) -> None:
        self.plate = plate
        self.folder = folder
        self.mode = mode
        self.events: list[ProgressUpdate | LogLine] = []

    def run(
        self,
        text: str = PIPELINE,
        *,
        resume: bool = False,
        is_partial: bool = False,
        wells: tuple[str, ...] | None = None,
    ) -> PlateResult:
        pipeline = load_pipeline(text, "pipe.py", str(self.folder))
        config = PipelineConfig(wells=wells, results_dir=str(self.folder / "results"))
        settings = GlobalConfig(num_workers=2, mode=self.mode)
        with (
            local_task(self.events.append),
            PipelineOrchestrator(self.plate, pipeline, settings, config) as orchestrator,
        ):
            return orchestrator.run(RunChoice(resume=resume, is_partial=is_partial))

    def calls(self) -> list[str]:
        """The functions called since the last time."""
        path = self.folder / "calls.txt"
        calls = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return sorted(calls)


@pytest.fixture
def lab(new_plate: NewPlate, tmp_path: Path) -> Lab:
    folder = tmp_path / "lab"
    folder.mkdir()
    return Lab(new_plate(wells=3, channels=2, size=32), folder, ExecutionMode.THREADS)


def _tables(result: PlateResult) -> bytes:
    return Path(result.measurements).read_bytes()


@pytest.mark.parametrize("mode", list(ExecutionMode))
def test_what_a_step_over_the_plate_makes_is_what_later_steps_get(lab: Lab, mode: ExecutionMode) -> None:
    lab.mode = mode
    result = lab.run()
    assert result.status is ResultStatus.COMPLETE, result
    rows = np.genfromtxt(result.measurements, delimiter=",", names=True, dtype=None, encoding="utf-8")
    for channel in (1, 2):
        here = rows[rows["channel"] == channel]
        assert np.allclose(here["relative"], here["brightness"] / here["brightness"].mean())
    means = {well: rows["brightness"][rows["well"] == well].mean() for well in ("A01", "A02", "A03")}
    ranks = {str(row["well"]): int(row["rank"]) for row in rows}
    assert ranks == {well: sorted(means, key=lambda name: means[name]).index(well) for well in means}
    plate = Path(result.output_dir) / "plate"
    assert [path.name for path in sorted(plate.iterdir())] == [
        "02_level.value",
        "03_rank.value",
        "level_channel_1.tif",
        "level_channel_2.tif",
    ]
    assert tifffile.imread(plate / "level_channel_2.tif").shape == (2, 2)
    assert not (Path(result.output_dir) / "kept").exists()
    assert [cost.step for cost in result.plate_steps] == ["level", "rank"]


def test_its_progress_and_its_provenance(lab: Lab) -> None:
    result = lab.run(PIPELINE.replace('    noted("level")', "    [image.read() for image in plate.images()]"))
    of_plate = [event for event in lab.events if isinstance(event, ProgressUpdate) and event.step_name == "level"]
    messages = [event.message for event in of_plate if event.axis_id == "" and event.message]
    assert messages[-1] == "level: 6 of 6 images"
    assert of_plate[-1].status is ProgressStatus.COMPLETED
    assert {event.axis_id for event in of_plate} == {"", "A01", "A02", "A03"}  # the wells wait for it
    known = read_provenance(Path(result.output_dir)).plate_steps
    assert [(step.step, step.name, step.wells) for step in known] == [
        ("level", "level", ["A01", "A02", "A03"]),
        ("rank", "rank", ["A01", "A02", "A03"]),
    ]


def test_an_equal_run_takes_everything_over(lab: Lab) -> None:
    first = lab.run()
    assert lab.calls() == ["level", "mean", "mean", "mean", "mean", "mean", "mean"]
    second = lab.run()
    assert lab.calls() == []
    assert all(well.reused for well in second.wells)
    assert _tables(first) == _tables(second)
    assert (Path(second.output_dir) / "plate" / "level_channel_1.tif").is_file()


def test_a_run_can_begin_after_a_kept_step_that_follows_one_over_the_plate(lab: Lab) -> None:
    text = PIPELINE.replace("FunctionStep(relative)]", "FunctionStep(relative, keep=True), FunctionStep(mean_again)]")
    text = text.replace("pipeline_steps =", "def mean_again(stack):\n    return stack * 2\n\npipeline_steps =")
    lab.run(text)
    lab.calls()
    second = lab.run(text.replace("stack * 2", "stack * 3"))
    assert {well.reused_steps for well in second.wells} == {4}
    assert lab.calls() == []


def test_wells_that_were_tried_are_not_begun_again_by_the_run_over_the_plate(lab: Lab) -> None:
    text = PIPELINE.replace("FunctionStep(mean)", "FunctionStep(mean, keep=True)")
    lab.run(text, wells=("A01", "A02"))
    lab.calls()
    whole = lab.run(text)
    assert [well.reused_steps for well in whole.wells] == [1, 1, 0]
    assert lab.calls() == ["level", "mean", "mean"]


def test_other_wells_make_another_value(lab: Lab) -> None:
    some = lab.run(wells=("A01", "A02"))
    lab.calls()
    whole = lab.run()
    assert "level" in lab.calls()
    assert not any(well.reused for well in whole.wells)
    assert _tables(some) not in _tables(whole)
    lab.folder.joinpath("calls.txt").unlink(missing_ok=True)
    fresh = Lab(lab.plate, lab.folder / "fresh", lab.mode)
    fresh.folder.mkdir()
    assert _tables(fresh.run()) == _tables(whole)


@pytest.mark.parametrize("how", ["fail", "kill"])
def test_a_run_whose_step_over_the_plate_failed_is_resumed_there(lab: Lab, how: str) -> None:
    lab.mode = ExecutionMode.THREADS if how == "fail" else ExecutionMode.PROCESSES
    (lab.folder / how).touch()
    first = lab.run()
    reason = {
        "fail": "level failed on the plate: ValueError: no level",
        "kill": "the worker process of the step over the plate ended unexpectedly (killed by SIGKILL)",
    }
    assert first.status is ResultStatus.FAILED
    assert "step 'level' over the plate failed" in first.error
    assert reason[how] in first.error
    assert {well.status for well in first.wells} == {ResultStatus.FAILED}
    (lab.folder / how).unlink(missing_ok=True)
    lab.calls()
    second = lab.run(resume=True)
    assert second.status is ResultStatus.COMPLETE
    assert lab.calls() == ["level"]
    other = Lab(lab.plate, lab.folder / "undisturbed", ExecutionMode.THREADS)
    other.folder.mkdir()
    assert _tables(other.run()) == _tables(second)


def test_a_well_that_failed_before_is_left_out_and_its_return_makes_the_value_again(lab: Lab) -> None:
    image = next(lab.plate.rglob("*_A02_*.tif"))
    whole, times = image.read_bytes(), image.stat()
    image.write_bytes(whole[:60])
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    first = lab.run()
    assert [well.status.value for well in first.wells] == ["complete", "failed", "complete"]
    assert any("on 2 wells without 1 that failed" in event.text for event in lab.events if isinstance(event, LogLine))
    lab.calls()
    image.write_bytes(whole)
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    second = lab.run()
    assert second.status is ResultStatus.COMPLETE
    assert "level" in lab.calls()
    other = Lab(lab.plate, lab.folder / "undisturbed", ExecutionMode.THREADS)
    other.folder.mkdir()
    assert _tables(other.run()) == _tables(second)


def test_a_plate_that_is_not_complete_yet_gets_as_far_as_its_first_step_over_the_plate(lab: Lab) -> None:
    part = lab.run(wells=("A01", "A02"), is_partial=True)
    assert lab.calls() == ["mean"] * 4
    assert not part.wells
    whole = lab.run(resume=True)
    assert whole.status is ResultStatus.COMPLETE
    assert whole.output_dir == part.output_dir
    assert lab.calls() == ["level", "mean", "mean"]


def test_a_damaged_value_is_made_again(lab: Lab) -> None:
    first = lab.run()
    value = Path(first.output_dir) / "plate" / "02_level.value"
    value.write_bytes(value.read_bytes()[:-100])
    lab.calls()
    second = lab.run()
    assert "level" in lab.calls()
    assert second.status is ResultStatus.COMPLETE
    assert _tables(first) == _tables(second)


def test_the_last_step_can_be_one_over_the_plate(lab: Lab) -> None:
    text = PIPELINE.replace(", PlateStep(rank), FunctionStep(relative)]", "]")
    result = lab.run(text)
    assert result.status is ResultStatus.COMPLETE
    lab.calls()
    assert lab.run(text).status is ResultStatus.COMPLETE
    assert lab.calls() == []
    assert lab.run(text.replace("factor=1.0", "factor=2.0")).status is ResultStatus.COMPLETE
    assert "level" in lab.calls()


def test_a_run_that_is_cancelled_in_it_stops_there(lab: Lab) -> None:
    text = PIPELINE.replace(
        '    noted("level")',
        "    from zmqruntime.execution import current_task\n"
        "    current_task().request_cancel(None)\n    next(plate.images()).read()",
    )
    result = lab.run(text)
    assert result.status is ResultStatus.CANCELLED
    assert {well.status for well in result.wells} == {ResultStatus.CANCELLED}
    assert lab.run(resume=True).status is ResultStatus.COMPLETE


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("[FunctionStep(relative)]", "relative needs 'level', but no earlier step over the plate makes it"),
        ("[FunctionStep(level)]", "level works on the whole plate: use it in a PlateStep"),
        ("[PlateStep(mean)]", "mean does not declare what it makes"),
        ("[PlateStep((level, {'faktor': 2}))]", "unexpected keyword argument 'faktor'"),
        ("[PlateStep(level), PlateStep(level)]", "'level' is made by step 'level' already"),
        ("[PlateStep((level, {'factor': 2})), FunctionStep((relative, {'rank': 1}))]", "is set by the engine"),
    ],
)
def test_what_compiling_refuses(lab: Lab, steps: str, problem: str) -> None:
    with pytest.raises(CompileError, match=problem):
        lab.run(PIPELINE[: PIPELINE.index("pipeline_steps")] + f"pipeline_steps = {steps}\n")


def test_a_pipeline_with_one_is_written_as_source(lab: Lab) -> None:
    pipeline = load_pipeline(PIPELINE.replace("PlateStep(level)", "PlateStep((level, {'factor': 2.0}), name='Level')"))
    changed = load_pipeline(to_source((*pipeline.steps[:3], FunctionStep(max_projection))))
    assert changed.steps[1].name == "Level"
    assert isinstance(changed.steps[1], PlateStep)
    assert changed.steps[1].call.kwargs == {"factor": 2.0}


def test_phases() -> None:
    well, plate = FunctionStep(max_projection), PlateStep(max_projection)
    assert phases([well, well]) == (Phase(2, None, finishes=True),)
    assert phases([plate, well]) == (Phase(0, 0, finishes=False), Phase(2, None, finishes=True))
    assert phases([well, plate, plate]) == (Phase(1, 1, finishes=True), Phase(2, 2, finishes=True))
    assert saved_states([well, plate, plate, well]) == {1}
    assert saved_states([plate, FunctionStep(max_projection, keep=True), well]) == {2}


@pytest.mark.parametrize("value", [object(), {1.5: 2}, np.array(["a"]), {"a": {None: 1}}, np.ma.masked_array([1])])
def test_values_that_cannot_be_stored_are_refused(value: Any) -> None:
    with pytest.raises(StepError, match="f returned x"):
        checked_value(value, PlateOutput("x"), "f")


def test_a_value_lacks_an_entry() -> None:
    with pytest.raises(StepError, match="f must return a dict with an entry for each channel"):
        checked_value([1], PlateOutput("x", Component.CHANNEL), "f")


@pytest.mark.parametrize("func", [3, [max_projection], {"1": max_projection}])
def test_wrong_functions(func: Any) -> None:
    with pytest.raises(PipelineError, match="func must be a callable"):
        PlateStep(func)
