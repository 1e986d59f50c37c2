"""The services of older windows: what a host is told, with a real server and real plates."""

import asyncio
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from openhcs_gui_services.services.compat.compilation_service import CompilationService
from openhcs_gui_services.services.compat.execution_host import source_of
from openhcs_gui_services.services.compat.execution_service import ZMQExecutionService
from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator, load_pipeline
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.functions import segment_nuclei
from openhcs_runtime.plates import make_plate
from openhcs_runtime.testing import Gate

pytestmark = pytest.mark.usefixtures("isolated_home", "no_leaks")

PORT = 7857
SECONDS = 90.0
COUNT = "from openhcs_runtime import FunctionStep\nfrom openhcs_runtime.functions import segment_nuclei\n"
COUNT += "pipeline_steps = [FunctionStep(segment_nuclei)]\n"


class Host:
    """A window as the services know it, which writes down what it is told."""

    def __init__(self, orchestrators: dict[str, Any]) -> None:
        self.execution_state = "idle"
        self.plate_execution_ids: dict[str, str] = {}
        self.plate_execution_states: dict[str, str] = {}
        self.orchestrators = orchestrators
        self.plate_compiled_data: dict[str, Any] = {}
        self.global_config = GlobalConfig(num_workers=1)
        self.current_execution_id: str | None = None
        self.messages: list[str] = []
        self.errors: list[str] = []
        self.states: list[tuple[str, str]] = []
        self.completed: list[tuple[str, str, dict[str, Any]]] = []
        self.batches: list[tuple[int, int]] = []
        self.shown: list[str] = []
        self.cleared = self.listed = 0

    def emit_status(self, msg: str) -> None:
        self.messages.append(msg)

    def emit_error(self, msg: str) -> None:
        self.errors.append(msg)

    def emit_orchestrator_state(self, plate_path: str, state: str) -> None:
        self.states.append((plate_path, state))

    def emit_execution_complete(self, result: dict[str, Any], plate_path: str) -> None:
        self.messages.append(f"{plate_path}: {result.get('wells_complete')}")

    def emit_clear_logs(self) -> None:
        self.cleared += 1

    def update_button_states(self) -> None:
        self.shown.append(self.execution_state)

    def update_item_list(self) -> None:
        self.listed += 1

    def on_plate_completed(self, plate_path: str, status: str, result: dict[str, Any]) -> None:
        self.completed.append((plate_path, status, result))

    def on_all_plates_completed(self, completed: int, failed: int) -> None:
        self.batches.append((completed, failed))


async def end(service: ZMQExecutionService) -> None:
    """End the server, too."""
    await service.workspace._server.service.connect()
    await service.workspace._server.service.client.shutdown_server()
    await service.shutdown()
    await service.shutdown()


def test_a_host_compiles_and_runs(tmp_path: Path) -> None:
    good = str(make_plate(tmp_path / "good", wells=2, sites=1, channels=1, size=64))
    bad = str(tmp_path / "bad")
    host = Host({good: COUNT, bad: COUNT})

    async def work() -> None:
        service = ZMQExecutionService(host, PORT)
        compilation = CompilationService(host, workspace=service.workspace)
        try:
            async with asyncio.timeout(SECONDS):
                await compilation.compile_plates([{"path": good}])
                artifact = host.plate_compiled_data[good]["compile_artifact_id"]
                assert (good, "compiled") in host.states
                await service.run_plates([{"path": good}, {"path": bad}])
            assert host.plate_compiled_data[good]["compile_artifact_id"] == artifact  # it was not compiled again
            assert host.batches == [(1, 1)]
            ends = {path: (status, result) for path, status, result in host.completed}
            assert len(host.completed) == 2
            assert ends[good][0] == "completed"
            assert f"Plate {good}: completed" in host.messages
            assert ends[good][1]["wells_complete"] == 2
            assert ends[bad] == ("failed", {})
            assert any("no such plate" in error for error in host.errors)
            assert host.plate_execution_states == {good: "completed", bad: "failed"}
            assert list(host.plate_execution_ids) == [good]
            assert host.execution_state == "idle"
            assert {"running", "idle"} <= set(host.shown)
            assert host.current_execution_id is None
            assert host.cleared == 1
            assert host.listed
        finally:
            await compilation.shutdown()
            await end(service)

    asyncio.run(work())


def test_a_host_stops_what_it_runs(tmp_path: Path, gate: Gate) -> None:
    plate = str(make_plate(tmp_path / "plate", wells=2, sites=1, channels=1, size=64))
    host = Host({plate: gate.pipeline.read_text()})

    async def work() -> None:
        service = ZMQExecutionService(host, PORT)
        try:
            async with asyncio.timeout(SECONDS):
                running = asyncio.create_task(service.run_plates([{"path": plate}]))
                await asyncio.to_thread(gate.wait_for_well)
                await service.stop_execution()
                assert host.execution_state == "stopping"
                await running
            assert host.completed[0][1] == "cancelled"
            assert host.batches == [(0, 1)]
            assert host.execution_state == "idle"
        finally:
            await end(service)

    asyncio.run(work())


def test_a_host_names_plates_as_it_likes_and_one_without_a_pipeline_stops_no_other(tmp_path: Path) -> None:
    good = f"{make_plate(tmp_path / 'good', wells=1, sites=1, channels=1, size=64)}{os.sep}"
    strange, missing = str(tmp_path / "strange"), str(tmp_path / "missing")
    host = Host({good: COUNT, strange: [FunctionStep(lambda stack: stack)]})

    async def work() -> None:
        service = ZMQExecutionService(host, PORT)
        try:
            async with asyncio.timeout(SECONDS):
                await service.run_plates([{"path": path} for path in (strange, missing, good)])
            assert host.plate_execution_states == {good: "completed", strange: "failed", missing: "failed"}
            assert [(path, status) for path, status, _ in host.completed] == [
                (strange, "failed"),
                (missing, "failed"),
                (good, "completed"),
            ]
            assert host.batches == [(1, 2)]
            assert list(host.plate_compiled_data) == list(host.plate_execution_ids) == [good]
            assert {path for path, _ in host.states} == {good, strange, missing}
            assert any("lambda" in error for error in host.errors)
            assert any(missing in error and "create one first" in error for error in host.errors)
            listed = host.listed
            await service.workspace.remove([row.path for row in service.workspace.rows()])
            assert host.listed == listed + 1
        finally:
            await end(service)

    asyncio.run(work())


def test_a_host_is_told_of_a_plate_that_its_server_has_lost(tmp_path: Path, gate: Gate, isolated_home: Path) -> None:
    plate = str(make_plate(tmp_path / "plate", wells=1, sites=1, channels=1, size=64))
    host = Host({plate: gate.pipeline.read_text()})

    async def work() -> None:
        service = ZMQExecutionService(host, PORT)
        try:
            async with asyncio.timeout(SECONDS):
                running = asyncio.create_task(service.run_plates([{"path": plate}]))
                await asyncio.to_thread(gate.wait_for_well)
                psutil.Process(service.workspace._server.service.client.server.pid).kill()
                for file in isolated_home.rglob("executions.sqlite*"):
                    os.unlink(file)
                await running
            assert host.completed == [(plate, "interrupted", {})]
            assert host.batches == [(0, 1)]
            assert host.execution_state == "idle"
            assert "cancelled" not in {state for _, state in host.states}
        finally:
            await end(service)

    asyncio.run(work())


def test_pipelines_of_a_host_become_source(tmp_path: Path) -> None:
    steps = [FunctionStep(segment_nuclei)]
    assert source_of(COUNT) == COUNT
    assert "segment_nuclei" in source_of(steps)
    assert source_of(load_pipeline(COUNT, "count.py")) == COUNT
    with PipelineOrchestrator(tmp_path, steps, pipeline_config=PipelineConfig(wells=("A01",))) as orchestrator:
        assert "A01" in source_of(orchestrator)
    with pytest.raises(PipelineError, match="create one first"):
        source_of(None)
