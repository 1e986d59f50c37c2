"""The Python client, with a real server of its own."""

from pathlib import Path

import psutil
import pytest

from openhcs_runtime import Component, FunctionStep, GlobalConfig, PipelineConfig, PlateResult
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.functions import measure_objects, segment_nuclei
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.tasks import RefusalKind
from openhcs_runtime.testing import CommandLine, Gate
from zmqruntime.messages import ProgressPhase, ProgressUpdate

STEPS = [
    FunctionStep(segment_nuclei, variable_components=(Component.SITE,)),
    FunctionStep((measure_objects, {"name": "nuclei"}), variable_components=(Component.SITE,)),
]


def test_execute_twice_with_progress(isolated_home: Path, plate: Path, tmp_path: Path) -> None:
    updates: list[ProgressUpdate] = []
    client = ZMQExecutionClient(port=7777, persistent=False, progress_callback=updates.append)
    client.connect(timeout=15)
    response = client.execute_pipeline(
        plate_id=str(plate),
        pipeline_steps=STEPS,
        global_config=GlobalConfig(num_workers=1),
        pipeline_config=PipelineConfig(output_dir=str(tmp_path / "out")),
    )
    assert response["status"] == "complete", response["message"]
    assert isinstance(response.plate, PlateResult)
    assert response.plate.output_dir == str(tmp_path / "out")
    assert (tmp_path / "out" / "measurements.csv").exists()
    ended = [update["axis_id"] for update in updates if update["phase"] is ProgressPhase.AXIS_COMPLETED]
    assert sorted(ended) == ["A01", "A02", "A03"]
    assert [update.sequence for update in updates] == list(range(1, len(updates) + 1))
    family = psutil.Process(client.server.pid).children(recursive=True)
    assert len(family) >= 4  # a worker with its guard, the process that workers are forked from, and one of them
    assert len({tuple(process.cmdline()) for process in family}) == 1  # all forked from one interpreter
    again = client.execute_pipeline(plate, STEPS, pipeline_config=PipelineConfig(output_dir=str(tmp_path / "again")))
    assert again.get("status") == "complete"
    assert again.plate is not None
    assert again.plate.counts == response.plate.counts
    client.disconnect()
    client.disconnect()


def test_submit_wait_cancel(shared_home: CommandLine, plate: Path, gate: Gate, tmp_path: Path) -> None:
    with ZMQExecutionClient(port=7777, persistent=True) as client:
        accepted = client.submit_pipeline(
            plate_id=plate,
            pipeline_steps=gate.pipeline,
            pipeline_config=PipelineConfig(output_dir=str(tmp_path / "out")),
        )
        assert accepted["status"] == "accepted"
        gate.wait_for_well()
        reply = client.cancel_execution(accepted["execution_id"])
        assert reply["status"] == "ok"
        execution = client.wait(accepted["execution_id"], timeout=30)
        assert execution["status"] == "cancelled"
        assert execution.plate is not None
        assert {well.status.value for well in execution.plate.wells} == {"cancelled"}
        assert client.cancel_execution(accepted.execution_id)["status"] == "ended"


def test_failures_are_answers(
    shared_home: CommandLine, plate: Path, half_plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ZMQExecutionClient(port=7777, persistent=True) as client:
        failed = client.execute_pipeline("half", STEPS, pipeline_config=PipelineConfig(output_dir="relative"))
        assert failed["status"] == "failed"
        assert failed["message"].startswith("1 of 3 wells failed: A02")
        assert failed.traceback is None
        assert failed.plate is not None
        assert failed.plate.output_dir == str(tmp_path / "relative")

        refused = client.execute_pipeline(plate, "pipeline_steps = [\n")
        assert refused["status"] == "failed"
        assert refused.refusal is not None
        assert refused.refusal.refused is RefusalKind.PIPELINE
        assert refused.plate is None
        assert refused.get("nothing", 3) == 3
        with pytest.raises(KeyError):
            refused["nothing"]

        foreign = client.wait(client.submit({"do": "something else"}))
        assert foreign.refusal is not None
        assert foreign.refusal.refused is RefusalKind.TASK
        with pytest.raises(PipelineError, match="lambda"):
            client.submit_pipeline(plate, [FunctionStep(lambda stack: stack)])
        with pytest.raises(PipelineError, match="no such pipeline file"):
            client.submit_pipeline(plate, "nowhere.py")
