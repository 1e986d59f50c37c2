"""The calls of the documents that this package goes back to, each as it is written there."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from zmqruntime import ExecuteRequest, ExecutionStatus
from zmqruntime.execution import ExecutionClient, ExecutionServer, WorkerKind, current_task

PORT = 7650
UPDATE = {
    "type": "progress",
    "execution_id": "...",
    "plate_id": "/data/plate_01",
    "axis_id": "B06",
    "step_name": "SegmentNuclei",
    "step_index": 2,
    "total_steps": 7,
    "phase": "pattern_group",
    "status": "running",
    "completed": 14,
    "total": 50,
    "percent": 28.0,
    "timestamp": 1700000000.0,
}


class DocumentedServer(ExecutionServer):
    """As documents show one; in a thread, so that a test can ask the same object."""

    worker_kind = WorkerKind.THREAD

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        """Execute a task. Implementation provides actual execution logic."""
        if request.payload == "until stopped":
            self.send_progress_update({**UPDATE, "execution_id": execution_id})
            stopped = threading.Event()
            with current_task().on_cancel(lambda axis_id: stopped.set()):
                stopped.wait()
            current_task().check_cancelled()
        self.progress_queue.put({**UPDATE, "execution_id": execution_id})
        return {"done": request.payload}


class DocumentedClient(ExecutionClient):
    """As documents show one."""

    def serialize_task(self, task: Any, config: Any) -> dict[str, Any]:
        """Serialize task for transmission. Implementation provides serialization."""
        return {"task": task, "config": config} if config is not None else task


@pytest.fixture
def server() -> Iterator[DocumentedServer]:
    with DocumentedServer(PORT) as server:
        yield server


@pytest.fixture
def client(server: DocumentedServer) -> Iterator[DocumentedClient]:
    with DocumentedClient(PORT) as client:
        yield client


def test_submit_poll_wait(client: DocumentedClient) -> None:
    response = client.submit_execution("a task", config={"x": 1})
    assert response["status"] == "accepted"
    assert json.loads(json.dumps(response)) == response
    ended = client.wait_for_completion(response["execution_id"], poll_interval=0.5, max_consecutive_errors=5)
    assert ended["status"] == "complete"
    assert ended.status is ExecutionStatus.COMPLETE
    assert ended["result"] == {"done": {"task": "a task", "config": {"x": 1}}}
    assert json.dumps(ended)
    assert client.poll_status(response["execution_id"])["status"] == "complete"
    assert client.status()["executions"][0]["status"] == "complete"


def test_request_stop(client: DocumentedClient) -> None:
    ids = [client.submit("until stopped") for _ in range(2)]

    async def ask() -> Any:
        return await client.request_stop()

    reply = asyncio.run(ask())
    assert reply["status"] == "ok"
    assert reply["execution_ids"] == ids
    assert [client.wait(execution_id, 30).status for execution_id in ids] == ["cancelled"] * 2
    assert client.request_stop()["execution_ids"] == []


def test_force_stop_kills_what_runs(make_client: Any) -> None:
    client = make_client()
    execution_id = client.submit({"do": "wait"})
    for event in client.events(execution_id):
        if event.get("type") == "progress":
            break

    async def ask() -> Any:
        return await client.force_stop()

    assert asyncio.run(ask())["status"] == "ok"
    assert client.wait(execution_id, 30).status == "cancelled"


def test_control_messages_as_mappings(server: DocumentedServer, client: DocumentedClient) -> None:
    assert server.handle_control_message({"type": "ping"})["type"] == "pong"
    reply = server.handle_control_message({"type": "execute", "submission_id": "documented-1", "payload": "x"})
    assert reply["execution_id"] == "documented-1"
    assert client.wait("documented-1", 30)["result"] == {"done": "x"}
    status = server.handle_control_message({"type": "status", "execution_id": "documented-1"})
    assert status["executions"][0]["status"] == "complete"
    unknown = server.handle_control_message({"type": "status", "execution_id": "nothing"})
    assert (unknown["type"], unknown["status"], "no execution" in unknown["error"]) == ("error", "error", True)
    assert server.handle_control_message({"type": "no such thing"})["status"] == "error"


def test_what_a_server_knows_of_itself(server: DocumentedServer, client: DocumentedClient) -> None:
    assert server.active_executions == {}
    execution_id = client.submit("until stopped")
    update = next(event for event in client.events(execution_id) if event.get("type") == "progress")
    assert update.get("well_id", "unknown") == "B06"
    assert update["sequence"] == 1
    assert list(server.active_executions) == [execution_id]
    assert server.active_executions[execution_id]["status"] == "running"
    info = server.get_status_info()
    assert (info["running"], info["port"], info["server"]) == (1, PORT, "DocumentedServer")
    assert json.dumps(info)
    assert server.progress_queue.empty()
    client.request_stop()
    client.wait(execution_id, 30)
