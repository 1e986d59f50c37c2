"""A window's workspace on a real server with real plates: what it shows and what it does."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from openhcs_gui_services.services.plates.presenter import PlateSnapshot, Trouble
from openhcs_gui_services.services.plates.settings import RunSettings
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import (
    LogLinesAdded,
    PlateRow,
    PlatesAdded,
    PlatesChanged,
    PlatesRemoved,
    ServerState,
    ServerStateChanged,
    StatusMessage,
    WellsChanged,
    WorkspaceEvent,
)
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.plates import make_plate
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.testing import Gate
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution import AsyncExecutionClient, AxisState

pytestmark = pytest.mark.usefixtures("isolated_home", "no_leaks")

PORT = 7851
SECONDS = 90.0
COUNT = builtin_source()
TALK = """
from openhcs_runtime import FunctionStep


def talk(stack):
    print("counted")
    return stack


pipeline_steps = [FunctionStep(talk)]
"""


class Window:
    """A workspace, and all that it has told."""

    def __init__(self, pipeline: str) -> None:
        self.workspace = PlateWorkspace(PORT, default_pipeline=pipeline, settings=RunSettings(num_workers=1))
        self.events: list[WorkspaceEvent] = []
        self._changed = asyncio.Event()
        self.workspace.subscribe(self._take)

    def _take(self, event: WorkspaceEvent) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return as soon as it holds; asked after each event."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    def row(self, path: Path) -> PlateRow:
        return next(row for row in self.workspace.rows() if row.path == str(path))

    def state(self, path: Path) -> PlateStatus:
        return self.row(path).snapshot.state

    def states(self, path: Path) -> list[PlateStatus]:
        """All states that the plate has been told to be in, each once in a row."""
        told: list[PlateStatus] = []
        for event in self.events:
            rows = event.rows if isinstance(event, PlatesAdded | PlatesChanged) else ()
            told += [row.snapshot.state for row in rows if row.path == str(path)]
        return [state for place, state in enumerate(told) if place == 0 or told[place - 1] is not state]

    def well_states(self, path: Path) -> list[AxisState]:
        return [well.state for well in self.workspace.wells(str(path))]

    def messages(self) -> list[StatusMessage]:
        return [event for event in self.events if isinstance(event, StatusMessage)]


@asynccontextmanager
async def window(pipeline: str = COUNT) -> AsyncIterator[Window]:
    made = Window(pipeline)
    try:
        yield made
    finally:
        await made.workspace.close()


def go(work: Callable[[], Awaitable[None]]) -> None:
    """Do it within the time, and end the server that it has left running."""

    async def whole() -> None:
        try:
            async with asyncio.timeout(SECONDS):
                await work()
        finally:
            await end_server()

    asyncio.run(whole())


async def end_server() -> None:
    client = AsyncExecutionClient(PORT, config=OPENHCS_CONFIG)
    try:
        await client.connect()
        await client.shutdown_server()
    except ZMQRuntimeError:
        pass  # there is none
    finally:
        await client.disconnect()


@pytest.fixture
def plates(tmp_path: Path) -> list[Path]:
    """Two plates of three wells."""
    return [make_plate(tmp_path / f"plate_{n}", wells=3, sites=1, channels=1, size=64) for n in (1, 2)]


def test_add_initialise_compile_run(plates: list[Path]) -> None:
    one, two = plates
    paths = [str(path) for path in plates]

    async def work() -> None:
        async with window() as shown:
            workspace = shown.workspace
            await workspace.add([*plates, one])
            assert [row.name for row in workspace.rows()] == ["plate_1", "plate_2"]
            await workspace.initialise(paths)
            assert shown.row(one).well_count == 3
            await workspace.compile([paths[0]])
            assert shown.state(one) is PlateStatus.COMPILED
            assert shown.row(one).artifact_id is not None
            assert shown.row(one).execution_id is None
            await workspace.run(paths)

            assert shown.states(one) == [
                PlateStatus.CREATED,
                PlateStatus.INIT_PENDING,
                PlateStatus.READY,
                PlateStatus.COMPILE_PENDING,
                PlateStatus.COMPILED,
                PlateStatus.QUEUED,
                PlateStatus.RUNNING,
                PlateStatus.COMPLETE,
            ]
            assert shown.states(two)[3:] == [
                PlateStatus.QUEUED,
                PlateStatus.COMPILE_PENDING,
                PlateStatus.QUEUED,
                PlateStatus.RUNNING,
                PlateStatus.COMPLETE,
            ]
            for path in plates:
                row = shown.row(path)
                assert row.snapshot.percent == 100.0
                assert row.snapshot.elapsed_seconds is not None
                assert row.output is not None
                assert Path(row.output, "measurements.csv").exists()
                assert shown.well_states(path) == [AxisState.COMPLETE] * 3
            told = {well.axis_id for event in shown.events if isinstance(event, WellsChanged) for well in event.wells}
            assert told == {"A01", "A02", "A03"}
            # Both compilations and both runs, of which only the latter are executions of wells.
            history = await workspace.history()
            assert [each.plate is not None for each in history] == [True, True, False, False]
            await workspace.remove(paths)
            assert workspace.rows() == ()
            assert shown.events[-1] == PlatesRemoved(tuple(paths))

    go(work)


def test_all_are_queued_at_once_and_one_that_fails_stops_no_other(plates: list[Path], tmp_path: Path) -> None:
    good, broken = plates
    image = next(broken.rglob("*_A02_*.tif"))
    image.write_bytes(image.read_bytes()[:100])
    missing = tmp_path / "nowhere"
    paths = [str(path) for path in (missing, broken, good)]

    async def work() -> None:
        async with window() as shown:
            await shown.workspace.add(paths)
            await shown.workspace.set_pipeline([str(good)], TALK)
            before = len(shown.events)
            await shown.workspace.run(paths)
            first = next(event for event in shown.events[before:] if isinstance(event, PlatesChanged))
            assert [row.snapshot.state for row in first.rows] == [PlateStatus.QUEUED] * 3

            assert shown.row(missing).snapshot.state is PlateStatus.FAILED
            assert "no such plate" in shown.row(missing).snapshot.error
            assert not shown.workspace.problems(str(missing)), "its pipeline was not checked"
            assert shown.row(missing).execution_id is None
            failed = shown.row(broken).snapshot
            assert (failed.state, failed.failed_wells) == (PlateStatus.FAILED, 1)
            assert shown.well_states(broken) == [AxisState.COMPLETE, AxisState.FAILED, AxisState.COMPLETE]
            assert shown.workspace.wells(str(broken))[1].error
            assert shown.state(good) is PlateStatus.COMPLETE
            assert any(message.is_error and "plate_2 failed" in message.text for message in shown.messages())
            assert "counted" in [line.text for line in await shown.workspace.logs(str(good))]
            lines = [line for event in shown.events if isinstance(event, LogLinesAdded) for line in event.lines]
            assert "counted" in [line.text for line in lines]

            # What was left undone is done once the image is whole; the other wells are kept.
            shutil.copy(next(good.rglob("*_A02_*.tif")), image)
            await shown.workspace.resume([str(broken)])
            assert shown.state(broken) is PlateStatus.COMPLETE
            assert shown.well_states(broken) == [AxisState.COMPLETE] * 3
            plate = (await shown.workspace.history(1))[0].plate
            assert plate is not None
            assert [well.reused for well in plate.wells] == [True, False, True]

    go(work)


def test_stop_and_resume(plates: list[Path], gate: Gate) -> None:
    one, two = plates
    paths = [str(path) for path in plates]

    async def work() -> None:
        async with window(gate.pipeline.read_text()) as shown:
            workspace = shown.workspace
            await workspace.add(paths)
            running = asyncio.create_task(workspace.run(paths))
            await asyncio.to_thread(gate.wait_for_well)
            await shown.until(lambda: AxisState.RUNNING in shown.well_states(one))
            assert shown.row(one).snapshot.axis_id == "A01"
            await shown.until(lambda: shown.row(two).snapshot.queue_position == 1)
            stopping = asyncio.create_task(workspace.stop())
            await asyncio.sleep(0)
            assert [shown.state(path) for path in plates] == [PlateStatus.CANCELLING] * 2
            await stopping
            await running
            assert [shown.state(path) for path in plates] == [PlateStatus.CANCELLED] * 2
            assert shown.well_states(one) == [AxisState.CANCELLED] * 3
            assert not workspace._book.busy()

            gate.open()
            await workspace.resume(paths)
            assert [shown.state(path) for path in plates] == [PlateStatus.COMPLETE] * 2

    go(work)


def test_force_kill_ends_what_hears_nothing(plates: list[Path], gate: Gate, isolated_home: Path) -> None:
    path = str(plates[0])

    async def work() -> None:
        async with window(gate.deaf_pipeline.read_text()) as shown:
            await shown.workspace.add([path])
            running = asyncio.create_task(shown.workspace.run([path]))
            await asyncio.to_thread(gate.wait_for_well)
            await shown.until(lambda: AxisState.RUNNING in shown.well_states(plates[0]))
            await shown.workspace.stop()
            assert shown.state(plates[0]) is PlateStatus.CANCELLING
            await shown.workspace.stop(graceful=False)
            await running
            assert shown.state(plates[0]) is PlateStatus.CANCELLED
            assert set(shown.well_states(plates[0])) == {AxisState.CANCELLED}
            assert shown.row(plates[0]).snapshot.error == ""  # nobody needs to be told what they have asked for

    go(work)
    for left in isolated_home.glob(".openhcs/ipc/task-*.sock"):
        left.unlink()  # of the worker that was killed; the next server removes it


def test_stop_before_anything_was_submitted(plates: list[Path], gate: Gate) -> None:
    one, two = plates

    async def work() -> None:
        async with window(gate.pipeline.read_text()) as shown:
            await shown.workspace.add(plates)
            running = asyncio.create_task(shown.workspace.run([str(one)]))
            await asyncio.to_thread(gate.wait_for_well)
            # The server is busy, so the second plate is queued there without a check, and would outlive this window.
            waiting = asyncio.create_task(shown.workspace.run([str(two)]))
            compiling = asyncio.create_task(shown.workspace.compile([str(one), str(two)]))
            await compiling
            assert any("is already running" in message.text for message in shown.messages())
            await shown.workspace.stop(paths=[str(two)])
            await waiting
            assert shown.state(two) is PlateStatus.CANCELLED
            assert shown.state(one) is PlateStatus.RUNNING
            await shown.workspace.stop()
            await running

    go(work)


def test_wells_that_are_worked_on_are_finished(plates: list[Path], gate: Gate) -> None:
    path = str(plates[0])
    again = "\npipeline_steps = [*pipeline_steps, FunctionStep((hold, {'hears': True}), name='Again')]\n"

    async def work() -> None:
        async with window(gate.pipeline.read_text() + again) as shown:
            await shown.workspace.add([path])
            running = asyncio.create_task(shown.workspace.run([path]))
            await asyncio.to_thread(gate.wait_for_well)
            await shown.until(lambda: AxisState.RUNNING in shown.well_states(plates[0]))
            await shown.workspace.stop_after_wells()
            assert shown.state(plates[0]) is PlateStatus.CANCELLING
            # What the worker was told before its second step it knows after it.
            gate._lines.pop().close()
            await asyncio.to_thread(gate.wait_for_well)
            await shown.until(lambda: shown.row(plates[0]).snapshot.step_name == "Again")
            gate.open()
            await running
            assert shown.state(plates[0]) is PlateStatus.CANCELLED
            assert shown.well_states(plates[0]) == [AxisState.COMPLETE, AxisState.CANCELLED, AxisState.CANCELLED]

    go(work)


def test_one_well_can_be_cancelled(plates: list[Path], gate: Gate) -> None:
    path = str(plates[0])
    again = "\npipeline_steps = [*pipeline_steps, FunctionStep((hold, {'hears': True}), name='Again')]\n"

    async def work() -> None:
        async with window(gate.pipeline.read_text() + again) as shown:
            await shown.workspace.add([path])
            await shown.workspace.cancel_well(path, "A01")
            assert shown.messages()[-1].is_error
            running = asyncio.create_task(shown.workspace.run([path]))
            await asyncio.to_thread(gate.wait_for_well)
            await shown.until(lambda: AxisState.RUNNING in shown.well_states(plates[0]))
            await shown.workspace.cancel_well(path, "A02")
            assert not shown.messages()[-1].is_error
            gate._lines.pop().close()
            await asyncio.to_thread(gate.wait_for_well)
            await shown.until(lambda: shown.row(plates[0]).snapshot.step_name == "Again")
            gate.open()
            await running
            assert shown.state(plates[0]) is PlateStatus.CANCELLED
            assert shown.well_states(plates[0]) == [AxisState.COMPLETE, AxisState.CANCELLED, AxisState.COMPLETE]

    go(work)


def test_stop_in_one_window_touches_nothing_of_another(plates: list[Path], gate: Gate) -> None:
    one, two = plates

    async def work() -> None:
        async with window(gate.pipeline.read_text()) as first, window(gate.pipeline.read_text()) as second:
            await first.workspace.add([one])
            await second.workspace.add([two])
            running = asyncio.create_task(first.workspace.run([str(one)]))
            await asyncio.to_thread(gate.wait_for_well)
            waiting = asyncio.create_task(second.workspace.run([str(two)]))
            await second.until(lambda: second.row(two).snapshot.queue_position == 1)
            await second.workspace.stop(graceful=False)
            await waiting
            assert second.state(two) is PlateStatus.CANCELLED
            assert first.state(one) is PlateStatus.RUNNING
            gate.open()
            await running
            assert first.state(one) is PlateStatus.COMPLETE
            await second.workspace.run([str(two)])
            assert second.state(two) is PlateStatus.COMPLETE

    go(work)


def test_a_window_without_a_server_says_so(plates: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "openhcs_gui_services.services.connection.client._WatchedClient.server_target",
        "openhcs_runtime.service.server:Nothing",
    )

    async def work() -> None:
        async with window() as shown:
            await shown.workspace.add([plates[0]])
            await shown.workspace.run([str(plates[0])])
            assert shown.row(plates[0]).snapshot.state is PlateStatus.FAILED
            assert "Nothing" in shown.row(plates[0]).snapshot.error
            assert shown.workspace.server_state is ServerState.DISCONNECTED
            assert ServerState.CONNECTING in [e.state for e in shown.events if isinstance(e, ServerStateChanged)]

    asyncio.run(work())


def test_plates_that_cannot_be_worked_on_are_told(tmp_path: Path) -> None:
    async def work() -> None:
        async with window(pipeline="") as shown:
            await shown.workspace.add([tmp_path / "nowhere"])
            path = os.fspath(tmp_path / "nowhere")
            await shown.workspace.run([path])
            assert "no pipeline" in shown.messages()[-1].text
            await shown.workspace.run(["elsewhere"])
            assert "not in this window" in shown.messages()[-1].text
            await shown.workspace.initialise([path])
            assert shown.row(Path(path)).snapshot == PlateSnapshot(
                PlateStatus.FAILED,
                error=f"no such plate: {path}; connect its drive, or remove the plate and add it again from where it "
                "is now",
                trouble=Trouble.READ,
            )
            assert shown.workspace.server_state is ServerState.DISCONNECTED

    asyncio.run(work())
