"""Runs over plates that are still being written: which wells are ready when, and one run from the first to the last."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile

from openhcs_runtime.outputs.runs import RunStatus, list_runs
from openhcs_runtime.plates import open_plate
from openhcs_runtime.plates.acquisition import Acquisition
from openhcs_runtime.service.local import run_locally
from openhcs_runtime.tasks import Follow, PlateTask
from zmqruntime.execution import Task
from zmqruntime.messages import ExecutionStatus, LogLine, ProgressPhase, ProgressUpdate

PIPELINE = """
from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import measure_intensity, segment_nuclei
pipeline_steps = [FunctionStep(segment_nuclei), FunctionStep(measure_intensity)]
"""
SOON = Follow(idle_seconds=3.0, settle_seconds=0.2)


class Microscope:
    """Copies a plate well by well."""

    def __init__(self, finished: Path, plate: Path) -> None:
        self.finished, self.plate = finished, plate
        (plate / "TimePoint_1").mkdir(parents=True)

    def files(self, well: str) -> list[Path]:
        return sorted((self.finished / "TimePoint_1").glob(f"*_{well}_*.tif"))

    def take(self, well: str, most: int | None = None) -> None:
        for path in self.files(well)[:most]:
            shutil.copyfile(path, self.plate / "TimePoint_1" / path.name)

    def take_half_of_a_file(self, well: str) -> None:
        path = self.files(well)[0]
        (self.plate / "TimePoint_1" / path.name).write_bytes(path.read_bytes()[:3000])

    def write_plan(self) -> None:
        plan = next(self.finished.glob("*.HTD"))
        shutil.copyfile(plan, self.plate / plan.name)


@pytest.fixture
def microscope(new_plate: Callable[..., Path], tmp_path: Path) -> Microscope:
    return Microscope(new_plate("finished", wells=3, sites=2, channels=2, size=64), tmp_path / "plate")


def test_without_a_plan_a_well_is_ready_once_the_next_one_has_begun(microscope: Microscope) -> None:
    acquisition = Acquisition(settle_seconds=30, idle_seconds=600, now=0)
    assert acquisition.look(None, 1) == frozenset()
    microscope.take("A01")
    assert acquisition.look(open_plate(microscope.plate), 10) == frozenset()
    assert acquisition.look(open_plate(microscope.plate), 100) == frozenset()
    microscope.take("A02", most=1)
    assert acquisition.look(open_plate(microscope.plate), 110) == {"A01"}
    assert acquisition.look(open_plate(microscope.plate), 200) == {"A01"}  # A02 has fewer images than A01
    microscope.take("A02")
    assert acquisition.look(open_plate(microscope.plate), 210) == {"A01"}
    assert not acquisition.has_ended(809)
    assert acquisition.has_ended(810)


def test_with_a_plan_a_well_is_ready_once_it_is_whole_and_settled(microscope: Microscope) -> None:
    acquisition = Acquisition(settle_seconds=30, idle_seconds=600, now=0)
    microscope.write_plan()
    microscope.take("A01", most=3)
    assert acquisition.look(open_plate(microscope.plate), 10) == frozenset()
    assert acquisition.look(open_plate(microscope.plate), 100) == frozenset()
    microscope.take("A01")
    assert acquisition.look(open_plate(microscope.plate), 110) == frozenset()
    assert acquisition.look(open_plate(microscope.plate), 140) == frozenset()  # it is the only one of three wells
    microscope.take("A02", most=1)
    assert acquisition.look(open_plate(microscope.plate), 141) == {"A01"}
    for well in ("A02", "A03"):
        microscope.take(well)
    acquisition.look(open_plate(microscope.plate), 150)
    assert not acquisition.has_ended(179)
    assert acquisition.has_ended(180)  # everything planned is there


def test_a_well_that_is_still_written_is_not_ready(microscope: Microscope) -> None:
    acquisition = Acquisition(settle_seconds=30, idle_seconds=600, now=0)
    microscope.take("A01")
    microscope.take_half_of_a_file("A01")
    acquisition.look(open_plate(microscope.plate), 10)
    microscope.take("A02", most=1)
    before = acquisition.states(["A01"])
    microscope.take("A01")
    assert acquisition.look(open_plate(microscope.plate), 45) == frozenset()
    assert acquisition.states(["A01"]) != before


def follow(task: PlateTask, on_completed: Callable[[str, Task], None]) -> tuple[ExecutionStatus, list[str]]:
    """Run a task here, and call a function for each well that is complete; return the status and what was logged."""
    running: list[Task] = []
    lines: list[str] = []

    def take(event: ProgressUpdate | LogLine) -> None:
        if isinstance(event, LogLine):
            lines.append(event.text)
        elif event.phase is ProgressPhase.AXIS_COMPLETED:
            on_completed(event.axis_id, running[0])

    execution = run_locally(task, take, running.append)
    return execution.status, lines


def test_wells_are_processed_while_others_are_taken(microscope: Microscope, tmp_path: Path) -> None:
    done: list[str] = []

    def on_completed(well: str, task: Task) -> None:
        done.append(well)
        if well == "A01":
            assert [run.status for run in list_runs(tmp_path / "plate_results")] == [RunStatus.RUNNING]
            microscope.take("A02")
            microscope.take("A03", most=1)
        elif well == "A02":
            microscope.take("A03")

    microscope.take("A01")
    microscope.take("A02", most=1)
    status, lines = follow(PlateTask(plate_path=str(microscope.plate), source=PIPELINE, follow=SOON), on_completed)
    assert (status, done) == (ExecutionStatus.COMPLETE, ["A01", "A02", "A03"])
    assert any("the acquisition has ended" in line for line in lines)
    (run,) = list_runs(tmp_path / "plate_results")
    assert run.status is RunStatus.COMPLETE
    status, _ = follow(
        PlateTask(plate_path=str(microscope.plate), source=PIPELINE, fresh=True, output_dir=str(tmp_path / "whole")),
        lambda well, task: None,
    )
    followed, whole = run.folder / "measurements.csv", tmp_path / "whole" / "measurements.csv"
    assert followed.read_bytes() == whole.read_bytes()


def test_a_well_that_changes_is_processed_again(microscope: Microscope, tmp_path: Path) -> None:
    """As when a microscope comes back to the wells for a second time point."""
    later = microscope.plate / "TimePoint_2"
    done: list[str] = []

    def on_completed(well: str, task: Task) -> None:
        done.append(well)
        if done == ["A01"]:
            later.mkdir()
            for path in microscope.files("A01") + microscope.files("A02"):
                tifffile.imwrite(later / path.name, tifffile.imread(path) // 2)

    microscope.take("A01")
    microscope.take("A02")
    status, _ = follow(PlateTask(plate_path=str(microscope.plate), source=PIPELINE, follow=SOON), on_completed)
    assert status is ExecutionStatus.COMPLETE
    assert sorted(done)[-1] == "A02"
    newest = list_runs(tmp_path / "plate_results")[0]
    rows = (newest.folder / "measurements.csv").read_text(encoding="utf-8").splitlines()
    assert newest.status is RunStatus.COMPLETE
    assert "timepoint" in rows[0]
    assert len(rows) == 1 + 2 * 2 * 2 * 2  # wells, sites, channels, time points


def test_a_followed_run_is_cancelled_while_it_waits(microscope: Microscope) -> None:
    def on_completed(well: str, task: Task) -> None:
        task.request_cancel()

    microscope.take("A01")
    microscope.take("A02", most=1)
    patient = Follow(idle_seconds=3600.0, settle_seconds=0.2)
    status, _ = follow(PlateTask(plate_path=str(microscope.plate), source=PIPELINE, follow=patient), on_completed)
    assert status is ExecutionStatus.CANCELLED


def test_a_plate_that_never_appears_is_said(tmp_path: Path) -> None:
    soon = Follow(idle_seconds=0.3, settle_seconds=0.1)
    (tmp_path / "empty").mkdir()
    task = PlateTask(plate_path=str(tmp_path / "empty"), source=PIPELINE, follow=soon)
    status, _ = follow(task, lambda well, running: None)
    assert status is ExecutionStatus.FAILED
