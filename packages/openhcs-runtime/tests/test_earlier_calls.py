"""The calls of the documents that this package goes back to, each as it is written there but for the import path."""

import asyncio
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from openhcs_runtime import PipelineOrchestrator, load_pipeline
from openhcs_runtime.testing import Gate

ZMQExecutionClient = importlib.import_module("openhcs_runtime.zmq_execution_client").ZMQExecutionClient
PORT = 7660
PIPELINE = """
from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import denoise_median
pipeline_steps = [FunctionStep(denoise_median, name="Blur")]
"""

MODULES = {
    "zmq_execution_client": ("ZMQExecutionClient", "OpenHCSExecutionClient"),
    "zmq_execution_server": ("OpenHCSExecutionServer",),
    "zmq_execution_server_launcher": ("main",),
    "execution_server": ("OpenHCSExecutionServer",),
    "remote_orchestrator": ("RemoteOrchestrator",),
    "zmq_base": ("ZMQServer", "ZMQClient", "TransportMode", "get_zmq_transport_url"),
    "zmq_messages": ("ControlMessageType", "ResponseType", "ExecutionStatus", "MessageFields", "ProgressUpdate"),
    "queue_tracker": ("QueueTracker", "GlobalQueueTrackerRegistry"),
    "napari_stream_visualizer": ("NapariProcessManager",),
    "fiji_stream_visualizer": ("OpenHCSFijiProcessManager",),
    "fiji_viewer_server": ("OpenHCSFijiViewer",),
    "roi_converters": ("NapariShapeType", "to_napari", "from_napari"),
    "omero_instance_manager": ("OmeroInstanceManager",),
}


@pytest.mark.parametrize("module", MODULES)
def test_the_modules_are_there_with_their_names(module: str) -> None:
    found = importlib.import_module(f"openhcs_runtime.{module}")
    for name in MODULES[module]:
        assert getattr(found, name) is not None


def test_basic_execution_with_progress(plate: Path) -> None:
    seen: list[str] = []

    def on_progress(message: Any) -> None:
        well_id = message.get("well_id", "unknown")
        step = message.get("step", "unknown")
        status = message.get("status", "unknown")
        seen.append(f"[{well_id}] {step}: {status}")

    client = ZMQExecutionClient(port=PORT, persistent=False, progress_callback=on_progress)
    client.connect(timeout=15)
    try:
        response = client.execute_pipeline(
            plate_id=str(plate), pipeline_steps=PIPELINE, global_config=None, pipeline_config=None
        )
        assert response["status"] == "complete"
        assert response.get("message") == response["message"] == "complete"
        assert "status" in response
        assert dict(response)["execution_id"] == response["execution_id"]
        assert set(response.keys()) >= {"status", "execution_id", "message"}
        assert json.loads(json.dumps(response))["status"] == "complete"
        assert client.poll_status(response["execution_id"])["status"] == "complete"
        assert client.status()["executions"][0]["status"] == "complete"
        assert json.dumps(client.status())
    finally:
        client.disconnect()
    assert "[A01] Blur: completed" in seen


def test_cancellation(plate: Path, gate: Gate) -> None:
    client = ZMQExecutionClient(port=PORT, persistent=False)
    client.connect()
    try:
        response = client.submit_pipeline(plate_id=str(plate), pipeline_steps=gate.pipeline)
        assert response["status"] == "accepted"
        assert json.dumps(response)
        gate.wait_for_well()
        cancel_response = client.cancel_execution(response["execution_id"])
        assert cancel_response["status"] == "ok"
        assert json.dumps(cancel_response)
        assert client.wait(response["execution_id"], 60)["status"] == "cancelled"
    finally:
        client.disconnect()


def test_orchestrators_are_submitted_awaited_and_stopped(plate: Path, gate: Gate) -> None:
    """As a service of a window does it, on its event loop."""
    orchestrator = PipelineOrchestrator(plate, load_pipeline(gate.pipeline.read_text()))

    async def run_plates(stop: str) -> str:
        zmq_client = ZMQExecutionClient(port=PORT, persistent=False, progress_callback=lambda progress_data: None)
        zmq_client.connect()
        try:
            execution_id = await zmq_client.submit(  # a str, which can be awaited all the same
                orchestrator=orchestrator, global_config=orchestrator.global_config
            )
            await asyncio.to_thread(gate.wait_for_well)
            if stop == "graceful":
                await zmq_client.request_stop()
            else:
                await zmq_client.force_stop()
            ended = await asyncio.to_thread(zmq_client.wait_for_completion, execution_id)
            return str(ended["status"])
        finally:
            zmq_client.disconnect()

    for stop in ("graceful", "force"):
        assert asyncio.run(run_plates(stop)) == "cancelled"
