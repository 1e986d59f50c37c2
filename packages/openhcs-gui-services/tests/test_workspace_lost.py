"""A window whose server dies, and windows that are closed and opened again while their plates run."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from openhcs_gui_services.services.plates.settings import RunSettings
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import (
    PlateRow,
    PlatesAdded,
    PlatesChanged,
    ServerState,
    ServerStateChanged,
    StatusMessage,
    WorkspaceEvent,
)
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_runtime.plates import make_plate
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.testing import Gate
from zmqruntime.exceptions import ServerLostError, ZMQRuntimeError
from zmqruntime.execution import AsyncExecutionClient, AxisState
from zmqruntime.messages import ExecuteRequest

pytestmark = pytest.mark.usefixtures("isolated_home", "no_leaks")

PORT = 7853
SECONDS = 90.0


class Window:
    """A workspace, what it has told, and when it told it last how it stands with the server."""

    def __init__(self, pipeline: str) -> None:
        self.workspace = PlateWorkspace(PORT, default_pipeline=pipeline, settings=RunSettings(num_workers=1))
        self.events: list[WorkspaceEvent] = []
        self.heard_at: dict[ServerState, float] = {}
        self._changed = asyncio.Event()
        self.workspace.subscribe(self._take)

    def _take(self, event: WorkspaceEvent) -> None:
        self.events.append(event)
        if isinstance(event, ServerStateChanged):
            self.heard_at[event.state] = time.monotonic()
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return as soon as it holds; asked after each event."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    def row(self, path: str) -> PlateRow:
        return next(row for row in self.workspace.rows() if row.path == path)

    def state(self, path: str) -> PlateStatus:
        return self.row(path).snapshot.state

    def told(self) -> set[PlateStatus]:
        """All states that any plate has been told to be in."""
        changes = [event.rows for event in self.events if isinstance(event, PlatesAdded | PlatesChanged)]
        return {row.snapshot.state for rows in changes for row in rows}

    def well_states(self, path: str) -> list[AxisState]:
        return [well.state for well in self.workspace.wells(path)]


@asynccontextmanager
async def window(pipeline: str) -> AsyncIterator[Window]:
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
            client = AsyncExecutionClient(PORT, config=OPENHCS_CONFIG)
            try:
                await client.connect()
                await client.shutdown_server()
            except ZMQRuntimeError:
                pass  # there is none
            finally:
                await client.disconnect()

    asyncio.run(whole())


async def server_process() -> psutil.Process:
    """The server as a process."""
    client = AsyncExecutionClient(PORT, config=OPENHCS_CONFIG)
    try:
        return psutil.Process((await client.connect()).pid)
    finally:
        await client.disconnect()


@pytest.fixture
def plate(tmp_path: Path) -> str:
    """Three wells."""
    return str(make_plate(tmp_path / "plate", wells=3, sites=1, channels=1, size=64))


def test_a_server_that_is_killed_is_told_and_its_successor_goes_on(plate: str, gate: Gate) -> None:
    async def work() -> None:
        async with window(gate.pipeline.read_text()) as shown:
            await shown.workspace.add([plate])
            running = asyncio.create_task(shown.workspace.run([plate]))
            await asyncio.to_thread(gate.wait_for_well)
            await shown.until(lambda: AxisState.RUNNING in shown.well_states(plate))
            execution_id = shown.row(plate).execution_id
            (await server_process()).kill()
            killed_at = time.monotonic()
            await shown.until(lambda: shown.workspace.server_state is ServerState.LOST)
            assert shown.heard_at[ServerState.LOST] - killed_at < 2.0
            assert shown.state(plate) is PlateStatus.INTERRUPTED
            assert "is not responding" in shown.row(plate).snapshot.error

            await asyncio.to_thread(gate.wait_for_well)  # the next server's worker has come as far
            await shown.until(lambda: shown.state(plate) is PlateStatus.RUNNING)
            assert shown.workspace.server_state is ServerState.CONNECTED
            gate.open()
            await running
            assert shown.state(plate) is PlateStatus.COMPLETE
            assert shown.row(plate).execution_id == execution_id
            assert shown.well_states(plate) == [AxisState.COMPLETE] * 3
            assert not shown.told() & {PlateStatus.CANCELLED, PlateStatus.CANCELLING, PlateStatus.FAILED}

    go(work)


def test_a_server_that_only_sleeps_is_waited_for(plate: str, gate: Gate) -> None:
    async def work() -> None:
        async with window(gate.pipeline.read_text()) as shown:
            await shown.workspace.add([plate])
            running = asyncio.create_task(shown.workspace.run([plate]))
            await asyncio.to_thread(gate.wait_for_well)
            server = await server_process()
            server.suspend()
            try:
                await shown.until(lambda: shown.workspace.server_state is ServerState.SILENT)
                stopping = asyncio.create_task(shown.workspace.stop())
                await asyncio.sleep(0)
                assert shown.state(plate) is PlateStatus.CANCELLING
            finally:
                server.resume()
            await stopping
            await running  # what was wanted while nobody heard it was told afterwards
            assert PlateStatus.INTERRUPTED not in shown.told()
            assert shown.workspace.server_state is ServerState.CONNECTED
            assert shown.state(plate) is PlateStatus.CANCELLED

    go(work)


def test_a_server_that_was_stopped_is_not_started_again(plate: str, gate: Gate) -> None:
    async def work() -> None:
        async with window(gate.pipeline.read_text()) as shown:
            await shown.workspace.add([plate])
            running = asyncio.create_task(shown.workspace.run([plate]))
            await asyncio.to_thread(gate.wait_for_well)
            await shown.until(lambda: AxisState.RUNNING in shown.well_states(plate))
            server = await server_process()
            server.send_signal(signal.SIGTERM)
            await asyncio.to_thread(server.wait, 20)
            await shown.until(lambda: shown.workspace.server_state is ServerState.LOST)
            assert shown.state(plate) is PlateStatus.INTERRUPTED
            await shown.until(lambda: not shown.workspace._server.wants_server())
            assert shown.workspace._server.service._recovery is None

            # It is there again as soon as somebody asks for it, and goes on with what it has left.
            await shown.workspace.connect()
            await asyncio.to_thread(gate.wait_for_well)
            gate.open()
            await running
            assert shown.state(plate) is PlateStatus.COMPLETE

    go(work)


def test_a_closed_window_leaves_its_plates_running_and_the_next_one_finds_them(plate: str, gate: Gate) -> None:
    pipeline = gate.pipeline.read_text()

    async def work() -> None:
        async with window(pipeline) as first:
            await first.workspace.add([plate])
            giving_up = asyncio.create_task(first.workspace.run([plate]))
            await asyncio.to_thread(gate.wait_for_well)
            await first.until(lambda: first.state(plate) is PlateStatus.RUNNING)
            execution_id = first.row(plate).execution_id
        await asyncio.gather(giving_up, return_exceptions=True)

        async with window("") as second, window("") as other:
            await second.workspace.reattach()
            await other.workspace.reattach()
            assert other.workspace.rows() == ()
            await second.until(lambda: second.state(plate) is PlateStatus.RUNNING)
            assert second.row(plate).execution_id == execution_id
            assert second.row(plate).pipeline == pipeline
            await second.until(lambda: AxisState.RUNNING in second.well_states(plate))
            gate.open()
            await second.until(lambda: second.state(plate) is PlateStatus.COMPLETE)
            assert second.well_states(plate) == [AxisState.COMPLETE] * 3

        async with window("") as third:
            await third.workspace.reattach()
            row = third.row(plate)
            assert row.snapshot.state is PlateStatus.COMPLETE
            assert row.output is not None
            assert third.well_states(plate) == [AxisState.COMPLETE] * 3
            await third.workspace.run([plate])
            assert third.state(plate) is PlateStatus.COMPLETE
            assert third.row(plate).execution_id != execution_id

    go(work)


def test_workers_that_are_killed_fail_their_plate_and_no_other(plate: str, gate: Gate, tmp_path: Path) -> None:
    other = str(make_plate(tmp_path / "other", wells=1, sites=1, channels=1, size=64))

    async def work() -> None:
        async with window(gate.pipeline.read_text()) as shown:
            await shown.workspace.add([plate, other])
            running = asyncio.create_task(shown.workspace.run([plate, other]))
            await asyncio.to_thread(gate.wait_for_well)
            await shown.until(lambda: AxisState.RUNNING in shown.well_states(plate))
            for process in (await server_process()).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            gate.open()
            await running
            assert shown.state(plate) is PlateStatus.FAILED
            assert shown.row(plate).snapshot.error
            assert AxisState.RUNNING not in shown.well_states(plate)
            assert shown.state(other) is PlateStatus.COMPLETE
            assert shown.workspace.server_state is ServerState.CONNECTED
            assert not shown.told() & {PlateStatus.CANCELLED, PlateStatus.CANCELLING, PlateStatus.INTERRUPTED}

    go(work)


def test_what_the_next_server_knows_nothing_of_is_interrupted(plate: str, gate: Gate, isolated_home: Path) -> None:
    async def work() -> None:
        async with window(gate.pipeline.read_text()) as shown:
            await shown.workspace.add([plate])
            running = asyncio.create_task(shown.workspace.run([plate]))
            await asyncio.to_thread(gate.wait_for_well)
            await shown.until(lambda: AxisState.RUNNING in shown.well_states(plate))
            (await server_process()).kill()
            for file in isolated_home.rglob("executions.sqlite*"):
                os.unlink(file)
            await running
            assert shown.state(plate) is PlateStatus.INTERRUPTED
            assert "run the plate again" in shown.row(plate).snapshot.error
            assert shown.well_states(plate) == [AxisState.WAITING] * 3
            assert not shown.workspace.is_busy(plate)
            assert not shown.told() & {PlateStatus.CANCELLED, PlateStatus.CANCELLING, PlateStatus.FAILED}

    go(work)


def test_earlier_runs_are_found_when_the_server_can_be_asked_again(plate: str, gate: Gate) -> None:
    gate.open()

    async def work() -> None:
        async with window(gate.pipeline.read_text()) as first:
            await first.workspace.add([plate])
            await first.workspace.run([plate])
            await first.workspace._server.service.client.shutdown_server()
        patch = pytest.MonkeyPatch()
        async with window("") as second:
            patch.setattr(second.workspace._server.service.client.client, "server_spec", lambda: None)
            await second.workspace.reattach()
            errors = [event.text for event in second.events if isinstance(event, StatusMessage) and event.is_error]
            assert "the state of earlier runs is unknown" in errors[-1]
            assert second.state(plate) is PlateStatus.COMPILED
            await second.workspace.initialise([plate])
            patch.undo()
            await second.workspace.connect()
            await second.until(lambda: second.state(plate) is PlateStatus.COMPLETE)
            assert second.well_states(plate) == [AxisState.COMPLETE] * 3

    go(work)


def test_a_plate_that_is_run_while_its_earlier_run_is_looked_for_is_left_to_that(plate: str, gate: Gate) -> None:
    gate.open()

    async def work() -> None:
        async with window(gate.pipeline.read_text()) as first:
            await first.workspace.add([plate])
            await first.workspace.run([plate])
            earlier = first.row(plate).execution_id
        async with window("") as second:
            runs: list[asyncio.Task[None]] = []

            def run_it(event: WorkspaceEvent) -> None:
                if isinstance(event, PlatesAdded):
                    runs.append(asyncio.create_task(second.workspace.run([plate])))

            second.workspace.subscribe(run_it)
            await second.workspace.reattach()
            assert second.workspace.is_busy(plate)
            await runs[0]
            assert second.state(plate) is PlateStatus.COMPLETE
            assert second.row(plate).execution_id != earlier

    go(work)


def test_a_run_whose_submission_was_cut_off_is_found_with_the_next_connection(plate: str, gate: Gate) -> None:
    gate.open()

    async def work() -> None:
        async with window(gate.pipeline.read_text()) as shown:
            service = shown.workspace._server.service
            patch, submit = pytest.MonkeyPatch(), service.submit

            async def cut_off(request: ExecuteRequest) -> None:
                await submit(request)
                if request.priority == 0:
                    raise ServerLostError("the line is dead")

            await shown.workspace.add([plate])
            await shown.workspace.compile([plate])
            patch.setattr(service, "submit", cut_off)
            await shown.workspace.run([plate])
            assert shown.state(plate) is PlateStatus.INTERRUPTED
            assert "the line is dead" in shown.row(plate).snapshot.error
            execution_id = shown.row(plate).execution_id
            assert execution_id is not None
            (await server_process()).kill()
            await shown.until(lambda: shown.workspace.server_state is ServerState.LOST)
            await shown.workspace.connect()
            await shown.until(lambda: shown.state(plate) is PlateStatus.COMPLETE)
            assert shown.row(plate).execution_id == execution_id
            assert shown.well_states(plate) == [AxisState.COMPLETE] * 3

    go(work)


def test_an_execution_that_nobody_knows_any_more_is_forgotten(plate: str, gate: Gate, isolated_home: Path) -> None:
    gate.open()

    async def work() -> None:
        async with window(gate.pipeline.read_text()) as first:
            await first.workspace.add([plate])
            await first.workspace.run([plate])
            server = await server_process()
        server.kill()
        await asyncio.to_thread(server.wait, 20)
        for file in isolated_home.rglob("executions.sqlite*"):
            os.unlink(file)
        async with window("") as second:
            await second.workspace.reattach()
            assert second.row(plate).execution_id is None
            assert second.state(plate) is PlateStatus.COMPILED
            # What was compiled travels with the run, so it works on a server that has never heard of it.
            await second.workspace.run([plate])
            assert second.state(plate) is PlateStatus.COMPLETE
            errors = [event for event in second.events if isinstance(event, StatusMessage) and event.is_error]
            assert errors == []

    go(work)
