"""What heading, map, numbers and images show of a plate is always the same run, whatever is known of its end."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from openhcs_gui_services.services.connection.client import ZMQClientService
from openhcs_gui_services.services.connection.executions import PlateExecutions
from openhcs_gui_services.services.connection.tracker import ExecutionTracker
from openhcs_gui_services.services.plates.outcome import PlateOutcome
from openhcs_gui_services.services.plates.record import PlateRecord
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import ServerState, ServerStateChanged, StatusMessage, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.config import ExecutionMode, GlobalConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.outputs.runs import PROVENANCE_NAME
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.plates import make_plate
from openhcs_runtime.service.client import PlateExecution
from zmqruntime.exceptions import ServerLostError
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, StatusResponse

LARGE = 100_000
"""More bytes than the event of an execution's end has of its result."""


def ended(result: object = None) -> ExecutionSnapshot:
    return ExecutionSnapshot(
        execution_id="run",
        plate_id="",
        status=ExecutionStatus.COMPLETE,
        submitted_at=1.0,
        started_at=2.0,
        ended_at=3.0,
        result=result,
        result_bytes=LARGE,
    )


@pytest.mark.parametrize("is_lost", [False, True], ids=["fetched", "lost"])
def test_the_end_of_a_large_plate_has_its_result(is_lost: bool) -> None:
    async def poll_status(execution_id: str) -> ExecutionSnapshot:
        if is_lost:
            raise ServerLostError("the server has ended")
        return ended({"from": execution_id})

    async def persist(call: Callable[[], Awaitable[ExecutionSnapshot]]) -> ExecutionSnapshot:
        return await call()

    async def work() -> None:
        loop = asyncio.get_running_loop()
        end: asyncio.Future[ExecutionSnapshot] = loop.create_future()
        service = SimpleNamespace(client=SimpleNamespace(poll_status=poll_status), persist=persist)
        tracker = SimpleNamespace(follow=lambda client, execution_id: end)
        executions = PlateExecutions(cast("ZMQClientService", service), cast("ExecutionTracker", tracker))
        submitted = executions.adopt("run")
        end.set_result(ended())
        assert await submitted.ended == ended(None if is_lost else {"from": "run"})

    asyncio.run(work())


@pytest.mark.usefixtures("isolated_home")
def test_after_a_run_without_a_result_everything_shows_it_and_its_counts_are_said(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "p", wells=2, sites=1, channels=1, size=64)
    said: list[str] = []

    async def work() -> None:
        workspace = PlateWorkspace(7864, memory=tmp_path / "memory")
        told = asyncio.Event()

        def note(event: WorkspaceEvent) -> None:
            if isinstance(event, StatusMessage):
                said.append(event.text)
                told.set()

        workspace.subscribe(note)
        try:
            await workspace.add([plate])
            await workspace.initialise([str(plate)])
            record = cast("PlateRecord", workspace._book.get(str(plate)))
            for run in ("first", "run"):
                record.begin_run(resume=False)
                record.execution_id = run
                folder = await asyncio.to_thread(compute, plate, run)
                told.clear()
                end = PlateExecution.of(ended())
                workspace._server.host.on_ended(PlateOutcome(str(plate), PlateStatus.COMPLETE, "", end))
                async with asyncio.timeout(60):
                    await told.wait()
                row = workspace.rows()[0]
                assert row.results == folder == str(row.on_disk.folder if row.on_disk else "")
            assert len(said) == 2
            assert "nuclei " in said[-1]
            record.output = "/of/an/earlier/run"
            assert record.row(is_lost=False).results == folder
        finally:
            await workspace.close()

    asyncio.run(work())


def compute(plate: Path, run: str) -> str:
    config = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(plate, load_pipeline(builtin_source(), "count.py"), config) as orchestrator:
        folder = Path(orchestrator.run().output_dir)
    file = folder / PROVENANCE_NAME
    file.write_text(json.dumps({**json.loads(file.read_text()), "executions": [run]}))
    return str(folder)


@pytest.mark.usefixtures("isolated_home")
@pytest.mark.parametrize("is_running", [False, True])
def test_a_window_finds_a_running_server_and_starts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_running: bool
) -> None:
    async def work() -> None:
        workspace = PlateWorkspace(7865, memory=tmp_path)
        service = workspace.connection
        asked: list[str] = []

        async def connect() -> None:
            asked.append("connect")
            service._enter(ServerState.CONNECTED, "")

        async def status() -> StatusResponse:
            return StatusResponse(running=1, queued=2, workers=1, executions=[])

        said: list[str] = []
        workspace.subscribe(lambda event: said.append(event.text) if isinstance(event, ServerStateChanged) else None)
        address = service.client.client.address
        monkeypatch.setattr(type(address), "is_listening", lambda self: is_running)
        monkeypatch.setattr(service, "connect", connect)
        monkeypatch.setattr(workspace._executions, "status", status)
        await workspace.look_at_server()
        assert asked == (["connect"] if is_running else [])
        assert said == (["", "1 running, 2 queued"] if is_running else [])
        await workspace.close()

    asyncio.run(work())
