"""Runs without a server, and the old way to run on one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs_runtime import PipelineConfig, RemoteOrchestrator
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.tasks import USE_SERVER, wants_server
from openhcs_runtime.testing import CommandLine, Gate

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")


def _files(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".json", ".log")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize(("value", "expected"), [("false", False), ("0", False), ("TRUE", True), ("", True)])
def test_the_variable(value: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USE_SERVER, value)
    assert wants_server() is expected


def test_the_same_results_without_a_server(command: CommandLine, half_plate: Path, tmp_path: Path) -> None:
    served = command("run", half_plate, "--output", tmp_path / "served", "--json")
    command("stop")
    command.environment[USE_SERVER] = "false"
    local = command("run", half_plate, "--output", tmp_path / "local", "--json")
    assert local.code == served.code == 1
    assert local.document["error"] == served.document["error"]
    assert local.document["result"]["counts"] == served.document["result"]["counts"]
    assert _files(tmp_path / "local") == _files(tmp_path / "served")
    assert command("status", "--json").document["server"] is None
    for_people = command("run", half_plate, "--output", tmp_path / "again")
    assert "without a server" in for_people.stdout
    assert "2 complete" in for_people.stdout


@posix_only
def test_ctrl_c_cancels_it(command: CommandLine, plate: Path, gate: Gate, tmp_path: Path) -> None:
    command.environment[USE_SERVER] = "false"
    run: subprocess.Popen[str] = command.start("run", plate, "--pipeline", gate.pipeline, "--output", tmp_path / "out")
    gate.wait_for_well()
    run.send_signal(signal.SIGINT)
    finished = command.finish(run)
    assert finished.code == 130
    assert "cancelled" in finished.stderr


def test_the_old_name_warns_and_works(shared_home: CommandLine, plate: Path, tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="ZMQExecutionClient"):
        orchestrator = RemoteOrchestrator(port=7777)
    config = PipelineConfig(output_dir=str(tmp_path / "out"))
    response = orchestrator.run_remote_pipeline(plate, builtin_source(), pipeline_config=config)
    assert response["status"] == "complete", response["message"]
    assert orchestrator.get_execution_status(response.execution_id)["status"] == "complete"
    assert "already" in orchestrator.cancel_execution(response.execution_id)
