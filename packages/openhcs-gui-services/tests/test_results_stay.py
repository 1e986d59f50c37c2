"""Whatever a user does with a plate that has results, the window goes on showing them."""

import asyncio
import functools
import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from openhcs_gui_services.services.plates.outcome import PlateOutcome
from openhcs_gui_services.services.plates.presenter import present_plate
from openhcs_gui_services.services.plates.record import PlateRecord, StopLevel
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import FeedNews, PlateRow
from openhcs_gui_services.services.runs.batches import RunJob
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.plates.facts import disk_text, elsewhere_text, results_text
from openhcs_runtime.config import ExecutionMode, GlobalConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.outputs.runs import LOCK_NAME, PROVENANCE_NAME
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.plates import make_plate
from openhcs_runtime.results import ResultStatus
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.tasks import CompileReport
from zmqruntime.execution import AxisProgress, AxisState
from zmqruntime.lock import FileLock
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

WELLS = ("A01", "A02", "A03")
PIPELINE = """
from openhcs_runtime import FunctionStep

def same(stack):
    return stack

pipeline_steps = [FunctionStep(same, name="Look", materialize=False)]
"""
DONE = [AxisState.COMPLETE, AxisState.FAILED, AxisState.COMPLETE]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plate whose second well has failed in its only run: its image is cut short."""
    plate = make_plate(tmp_path_factory.mktemp("done") / "p", wells=3, sites=1, channels=1, size=64)
    image = next(plate.rglob("*_A02_*.tif"))
    image.write_bytes(image.read_bytes()[:100])
    config = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(plate, load_pipeline(PIPELINE, "look.py"), config) as orchestrator:
        result = orchestrator.run()
    assert result.status is ResultStatus.FAILED
    return plate


@dataclass
class Desk:
    """A workspace without a server, and its only plate."""

    workspace: PlateWorkspace
    path: Path

    @property
    def record(self) -> PlateRecord:
        found = self.workspace._book.get(str(self.path))
        assert found is not None
        return found

    @property
    def row(self) -> PlateRow:
        return self.workspace.rows()[0]

    def end(self, state: PlateStatus, status: ExecutionStatus | None = None) -> None:
        """End the run, with an execution that has no result, or without any."""
        path = str(self.path)
        snapshot = None if status is None else execution("run", status)
        known = None if snapshot is None else PlateExecution.of(snapshot)
        self.workspace._server.host.on_ended(PlateOutcome(path, state, "", known))

    def queue(self) -> None:
        self.record.begin_run(resume=False)
        self.workspace._book.change(self.record)


def execution(execution_id: str, status: ExecutionStatus) -> ExecutionSnapshot:
    ended_at = None if status is ExecutionStatus.RUNNING else 3.0
    return ExecutionSnapshot(
        execution_id=execution_id, plate_id="", status=status, submitted_at=1.0, started_at=2.0, ended_at=ended_at
    )


async def nothing(desk: Desk) -> None:
    """The plate is only added."""


async def check(desk: Desk) -> None:
    desk.workspace._server.host.on_compile_pending(str(desk.path))
    report = CompileReport(
        compile_artifact_id="c", signature="s", plate_path="", output_dir="/nowhere", wells=WELLS, steps=("Look",)
    )
    desk.workspace._server.host.on_compiled(str(desk.path), report)


async def run_with_a_typo(desk: Desk) -> None:
    desk.queue()
    desk.workspace._server.host.on_compile_pending(str(desk.path))
    desk.workspace._server.host.on_compile_ended(PlateOutcome(str(desk.path), PlateStatus.FAILED, "line 3: a typo"))


async def correct_the_typo(desk: Desk) -> None:
    await run_with_a_typo(desk)
    await desk.workspace.set_pipeline([str(desk.path)], f"{PIPELINE}\n")


async def correct_a_typo_after_a_run(desk: Desk) -> None:
    """The run that was stopped before is the latest one again, with its counts."""
    await stop_at_the_begin(desk)
    before = desk.row.snapshot
    await correct_the_typo(desk)
    assert desk.row.snapshot == before
    assert before.total_wells == len(WELLS)


async def read_again(desk: Desk) -> None:
    await desk.workspace.initialise([str(desk.path)])


async def stop_in_the_queue(desk: Desk) -> None:
    desk.queue()
    desk.record.wish_stop(StopLevel.GRACEFUL)
    desk.end(PlateStatus.CANCELLED, ExecutionStatus.CANCELLED)


async def stop_at_the_begin(desk: Desk) -> None:
    desk.queue()
    await desk.workspace._server.host.prepare_runs([RunJob(str(desk.path), desk.workspace._task(desk.record))])
    desk.record.apply(FeedNews("run", snapshot=execution("run", ExecutionStatus.RUNNING)))
    desk.record.apply(FeedNews("run", wells=(AxisProgress("A01", AxisState.RUNNING, "Look", 0, 1, 50.0),)))
    shown = [well.state for well in desk.workspace.wells(str(desk.path))]
    assert shown == [AxisState.RUNNING, AxisState.WAITING, AxisState.WAITING]  # the run is shown while it works
    desk.end(PlateStatus.CANCELLED, ExecutionStatus.CANCELLED)


async def take_the_folder_away(desk: Desk) -> None:
    away = desk.path.with_name("away")
    desk.path.rename(away)
    await desk.workspace.initialise([str(desk.path)])
    assert desk.row.snapshot.state is PlateStatus.FAILED
    away.rename(desk.path)


async def reopen(desk: Desk) -> None:
    """Close the window, and open the next one."""
    await stop_at_the_begin(desk)
    memory = desk.workspace._book._folder
    await desk.workspace.close()
    desk.workspace = PlateWorkspace(7864, memory=memory)
    desk.workspace._book.add([PlateRecord.of(plate) for plate in await desk.workspace._book.take_left_over()])
    assert len(desk.workspace.wells(str(desk.path))) == len(WELLS)  # before anything was read
    await desk.workspace._reading.learn(desk.workspace._book.records())


ACTIONS: list[tuple[Callable[[Desk], Awaitable[None]], PlateStatus]] = [
    (nothing, PlateStatus.READY),
    (check, PlateStatus.COMPILED),
    (run_with_a_typo, PlateStatus.FAILED),
    (correct_the_typo, PlateStatus.READY),
    (correct_a_typo_after_a_run, PlateStatus.CANCELLED),
    (read_again, PlateStatus.READY),
    (stop_in_the_queue, PlateStatus.CANCELLED),
    (stop_at_the_begin, PlateStatus.CANCELLED),
    (take_the_folder_away, PlateStatus.FAILED),
    (reopen, PlateStatus.READY),
]


@pytest.mark.usefixtures("isolated_home")
@pytest.mark.parametrize(("act", "state"), ACTIONS, ids=[act.__name__ for act, _ in ACTIONS])
def test_results_on_disk_are_shown_whatever_happens(
    finished: Path, tmp_path: Path, act: Callable[[Desk], Awaitable[None]], state: PlateStatus
) -> None:
    async def work() -> None:
        desk = Desk(PlateWorkspace(7864, memory=tmp_path, default_pipeline=PIPELINE), finished)
        await desk.workspace.add([finished])
        await desk.workspace.initialise([str(finished)])
        await act(desk)
        try:
            row = desk.row
            assert row.snapshot.state is state
            assert [well.state for well in desk.workspace.wells(str(finished))] == DONE
            assert row.results is not None
            assert Path(row.results).parent == finished.with_name("p_results")
            assert results_text(row).startswith("2 of 3, ")
            assert disk_text(row).startswith("On disk: 2 of 3 wells, 1 failed, pipeline look, ")
            assert row.steps == ("Look",)
            failed = desk.workspace.wells(str(finished))[1]
            assert "A02" in failed.error or "image" in failed.error
            lines = [line for line in await desk.workspace.logs(str(finished)) if line.axis_id == "A02"]
            assert any(line.level == "error" for line in lines) or row.execution_id is not None
        finally:
            await desk.workspace.close()

    asyncio.run(work())


@pytest.mark.usefixtures("isolated_home")
def test_a_folder_that_is_back_is_read_again_and_results_that_are_away_are_named(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openhcs_gui_services.services.runs.reading._LOOK_AGAIN_SECONDS", 0.01)
    drive = tmp_path / "drive"
    shutil.copytree(finished, drive / "p")
    shutil.copytree(finished.with_name("p_results"), drive / "p_results", symlinks=True)

    async def work() -> None:
        desk = Desk(PlateWorkspace(7864, memory=tmp_path / "memory"), drive / "p")
        changed = asyncio.Event()
        desk.workspace.subscribe(lambda event: changed.set())
        try:
            await desk.workspace.add([desk.path])
            await desk.workspace.initialise([str(desk.path)])
            away = drive.rename(tmp_path / "away")
            await desk.workspace.initialise([str(desk.path)])
            assert desk.row.snapshot.state.is_unfinished
            assert "connect its drive" in desk.row.snapshot.error
            assert results_text(desk.row).endswith("(away)")
            assert [well.state for well in desk.workspace.wells(str(desk.path))] == DONE
            away.rename(drive)
            async with asyncio.timeout(60):
                while desk.row.snapshot.state is not PlateStatus.READY:
                    changed.clear()
                    await changed.wait()
            assert not results_text(desk.row).endswith("(away)")
        finally:
            await desk.workspace.close()

    asyncio.run(work())


@pytest.mark.usefixtures("isolated_home")
def test_what_other_programs_do_with_a_plate_is_noticed_when_it_is_looked_at(finished: Path, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    shutil.copytree(finished, drive / "p")
    shutil.copytree(finished.with_name("p_results"), drive / "p_results", symlinks=True)

    async def work() -> None:
        desk = Desk(PlateWorkspace(7864, memory=tmp_path / "memory", default_pipeline=PIPELINE), drive / "p")
        look = functools.partial(desk.workspace.look, str(desk.path))
        try:
            await desk.workspace.add([desk.path])
            await desk.workspace.initialise([str(desk.path)])
            earlier = desk.row.results
            assert earlier is not None
            folder = Path(earlier).with_name("of-another-program")
            shutil.copytree(earlier, folder)
            head = json.loads((folder / PROVENANCE_NAME).read_text()) | {"begun_at": "2999-01-01T00:00:00+00:00"}
            lock = FileLock(folder / LOCK_NAME)
            assert lock.acquire(0)
            (folder / PROVENANCE_NAME).write_text(json.dumps(head | {"status": "running"}))
            await look()
            lock.release()
            assert elsewhere_text(desk.row) == "Run by another program, 2 of 3 wells"
            assert desk.row.results == earlier
            (folder / PROVENANCE_NAME).write_text(json.dumps(head))
            await look()
            assert elsewhere_text(desk.row) == ""
            assert desk.row.results == str(folder)
            away = drive.rename(tmp_path / "away")
            await look()
            assert results_text(desk.row).endswith("(away)")
            assert "connect its drive" in desk.row.snapshot.error
            await desk.workspace.run([str(desk.path)])  # does not ask a server
            assert present_plate(desk.row.snapshot).text == "Not found"
            away.rename(drive)
            await look()
            assert desk.row.snapshot.state is PlateStatus.READY
            assert not results_text(desk.row).endswith("(away)")
        finally:
            await desk.workspace.close()

    asyncio.run(work())
