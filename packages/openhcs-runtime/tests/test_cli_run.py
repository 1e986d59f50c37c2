"""``run`` and what goes with it, as processes."""

import csv
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from openhcs_runtime.testing import CommandLine, Gate

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")


def test_first_run_starts_a_server_and_the_second_uses_it(command: CommandLine, plate: Path, tmp_path: Path) -> None:
    first = command("run", plate, "--output", tmp_path / "first", "--json")
    assert (first.code, first.stderr) == (0, "")
    document = first.document
    assert document["status"] == "complete"
    assert "error" not in document
    result = document["result"]
    assert [well["status"] for well in result["wells"]] == ["complete"] * 3
    assert result["counts"]["nuclei_count"] > 0
    with open(result["measurements"], encoding="utf-8", newline="") as file:
        assert [row["well"] for row in csv.DictReader(file)] == ["A01", "A02", "A03"]
    server = command("status", "--json").document["server"]

    second = command("run", plate, "--output", "second", "--workers", "1", cwd=tmp_path)
    assert second.code == 0, second.stderr
    assert "3 complete" in second.stdout
    assert str(tmp_path / "second") in second.stdout
    assert (tmp_path / "second" / "measurements.csv").read_bytes() == Path(result["measurements"]).read_bytes()
    assert "Traceback" not in second.stderr

    known = command("status", "--json").document
    assert known["server"] == server
    assert [entry["status"] for entry in known["executions"]] == ["complete"] * 2
    shown = command("status", document["execution_id"][:20])
    assert document["execution_id"] in shown.stdout
    assert "over all cores" in shown.stdout
    assert "3 complete" in shown.stdout


def test_a_failed_well_fails_the_run_and_no_other_well(shared_command: CommandLine, half_plate: Path) -> None:
    for_people, as_json = shared_command.both("run", half_plate)
    assert as_json.code == 1
    document = as_json.document
    assert document["status"] == "failed"
    assert document["error"]["kind"] == "wells_failed"
    wells = {well["well"]: well for well in document["result"]["wells"]}
    assert {name: well["status"] for name, well in wells.items()} == {
        "A01": "complete",
        "A02": "failed",
        "A03": "complete",
    }
    assert "A02" in wells["A02"]["error"]

    assert for_people.code == 1
    assert for_people.stderr == "Error: 1 of 3 wells failed\n"
    assert re.search(r"\n'openhcs-runtime resume \S+( --port \d+)?' finishes this run\.\n$", for_people.stdout)
    assert "A02" in for_people.stdout
    assert "cut short" in for_people.stdout


@posix_only
def test_ctrl_c_cancels(shared_command: CommandLine, plate: Path, gate: Gate, tmp_path: Path) -> None:
    process = shared_command.start("run", plate, "--pipeline", gate.pipeline, "--output", tmp_path / "out")
    gate.wait_for_well()
    process.send_signal(signal.SIGINT)
    finished = shared_command.finish(process)
    assert finished.code == 130
    assert finished.stderr == "Error: cancelled with Ctrl-C, 0 of 3 wells done\n"
    assert shared_command("status", "--json").document["executions"][0]["status"] == "cancelled"


@posix_only
def test_second_ctrl_c_leaves_at_once(shared_command: CommandLine, plate: Path, gate: Gate, tmp_path: Path) -> None:
    process = shared_command.start("run", plate, "--pipeline", gate.deaf_pipeline, "--output", tmp_path / "out")
    gate.wait_for_well()
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("Cancelling"):
        pass
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)  # a second signal at once would count as the same Ctrl-C
    process.send_signal(signal.SIGINT)
    finished = shared_command.finish(process)
    assert finished.code == 130
    assert finished.stderr.startswith("Error: left at once; the server goes on cancelling execution")
    gate.open()


@posix_only
def test_a_run_goes_on_when_its_server_is_killed(command: CommandLine, plate: Path, gate: Gate, tmp_path: Path) -> None:
    """The command starts the next server itself, which takes the run up where it was."""
    process = command.start("run", plate, "--pipeline", gate.pipeline, "--output", tmp_path / "out")
    gate.wait_for_well()
    psutil.Process(command("status", "--json").document["server"]["pid"]).kill()
    gate.wait_for_well()
    gate.open()
    finished = command.finish(process)
    assert (finished.code, finished.stderr) == (0, "")
    assert "ended; waiting for it, or its successor" in finished.stdout
    assert "The server answers again" in finished.stdout
    (execution,) = command("status", "--json").document["executions"]
    assert (execution["status"], execution["attempts"]) == ("complete", 2)
    command("stop")


@posix_only
def test_a_server_that_is_stopped_ends_the_run_and_is_not_started_again(
    command: CommandLine, plate: Path, gate: Gate
) -> None:
    process = command.start("run", plate, "--pipeline", gate.pipeline, "--json")
    gate.wait_for_well()
    assert command("stop").code == 0
    finished = command.finish(process)
    assert (finished.code, finished.stderr) == (1, "")
    error = finished.document["error"]
    assert error["kind"] == "server_lost"
    assert "was stopped during the run, and no other one took its place" in error["message"]
    assert "server.log" in error["message"]


@posix_only
def test_a_server_that_does_not_answer_is_waited_for(command: CommandLine, plate: Path, gate: Gate) -> None:
    process = command.start("run", plate, "--pipeline", gate.pipeline)
    gate.wait_for_well()
    server = psutil.Process(command("status", "--json").document["server"]["pid"])
    server.suspend()
    assert process.stdout is not None
    while not (line := process.stdout.readline()).startswith("No answer for "):
        assert line
    assert line.endswith(f"from the server on port 7777 (process {server.pid}), still waiting\n")
    late = command.start("run", plate, "--pipeline", gate.pipeline)
    server.resume()
    gate.open()
    assert command.finish(process).code == 0
    assert command.finish(late).code == 0
    command("stop")


def test_a_run_that_has_to_wait_says_so(shared_command: CommandLine, plate: Path, gate: Gate, tmp_path: Path) -> None:
    first = shared_command.start("run", plate, "--pipeline", gate.pipeline, "--output", tmp_path / "first")
    gate.wait_for_well()
    second = shared_command.start("run", plate, "--output", tmp_path / "second")
    assert second.stdout is not None
    lines = [second.stdout.readline() for _ in range(3)]
    assert lines[2] == "Queued, 1 run before it\n"
    gate.open()
    finished = shared_command.finish(first)
    assert finished.code == 0
    assert "Queued" not in finished.stdout
    assert shared_command.finish(second).code == 0


def test_cancel_from_another_terminal(shared_command: CommandLine, plate: Path, gate: Gate) -> None:
    process = shared_command.start("run", plate, "--pipeline", gate.pipeline, "--json")
    gate.wait_for_well()
    execution_id = shared_command("status", "--json").document["executions"][0]["execution_id"]
    reply = shared_command("cancel", execution_id[:16])
    assert (reply.code, reply.stderr) == (0, "")
    assert execution_id in reply.stdout
    finished = shared_command.finish(process)
    assert finished.code == 1
    assert finished.document["status"] == "cancelled"
    assert finished.document["error"]["kind"] == "cancelled"
    assert shared_command("cancel", execution_id).code == 0, "it is cancelled, as was asked for"


def test_cancel_one_well(shared_command: CommandLine, plate: Path, gate: Gate) -> None:
    process = shared_command.start("run", plate, "--pipeline", gate.pipeline, "--workers", "1", "--json")
    gate.wait_for_well()
    execution_id = shared_command("status", "--json").document["executions"][0]["execution_id"]
    assert shared_command("cancel", execution_id, "--well", "a03").code == 0
    gate.open()
    finished = shared_command.finish(process)
    assert finished.code == 1
    wells = {well["well"]: well["status"] for well in finished.document["result"]["wells"]}
    assert wells == {"A01": "complete", "A02": "complete", "A03": "cancelled"}


def test_status_cancel_and_stop_never_start_a_server(command: CommandLine) -> None:
    stopped, as_json = command.both("stop")
    assert (stopped.code, stopped.stdout) == (0, "Nothing to stop: no server is running on port 7777.\n")
    assert as_json.document["stopped"] is False
    status, as_json = command.both("status")
    assert status.code == 0
    assert status.stdout.startswith("No server is running on port 7777")
    assert as_json.document["server"] is None
    for finished in command.together(("cancel", "abc"), ("status", "abc")):
        assert finished.code == 1
        assert finished.stderr.startswith("Error: no server is running on port 7777; 'openhcs-runtime run PLATE'")
    assert command.processes() == []
