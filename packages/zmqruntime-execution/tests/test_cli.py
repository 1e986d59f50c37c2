"""The command ``zmqruntime`` next to a real server with real executions."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zmqruntime import ExecutionStatus, ProgressUpdate
from zmqruntime.execution import ExecutionClient

Command = Callable[..., "subprocess.CompletedProcess[str]"]
StartCommand = Callable[..., "subprocess.Popen[str]"]
MakeClient = Callable[..., ExecutionClient]


def document(done: "subprocess.CompletedProcess[str]", code: int = 0) -> dict[str, Any]:
    """The one JSON document of a command that ended with ``code``."""
    assert (done.returncode, done.stderr) == (code, "")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["exit_code"] == code
    return found


def wait_until_running(client: ExecutionClient, execution_id: str) -> None:
    """Return once it has reported something."""
    for event in client.events(execution_id):
        if isinstance(event, ProgressUpdate):
            return


def test_list_and_status_show_the_server_and_its_executions(client: ExecutionClient, command: Command) -> None:
    done = client.submit({"do": "nothing", "value": {"bytes": b"x", "number": float("nan")}}, plate_id="two\nlines")
    failed = client.submit({"do": "raise", "text": "no\nluck"})
    client.wait(failed, 30)
    (found,) = document(command("list", "--json"))["servers"]
    assert (found["app"], found["port"], found["state"]) == ("zmqruntime", 7777, "running")
    assert (found["server"]["pid"], found["queued"]) == (client.server.pid, 0)
    overview = document(command("status", "--json"))
    assert {entry["execution_id"] for entry in overview["executions"]} == {done, failed}
    assert "result" not in overview["executions"][0]
    table = command("status").stdout
    assert f"process {client.server.pid}\n" in table
    assert f"{done}  complete" in table
    assert table.count("\n") == 5
    one = document(command("status", done[:30], "--json"))["execution"]
    assert (one["execution_id"], one["result"]) == (done, {"bytes": "eA==", "number": None})
    in_full = command("status", failed).stdout
    assert "Error      ValueError: no luck\n" in in_full
    assert "Traceback" in in_full


def test_a_long_queue_is_not_shown_whole(client: ExecutionClient, command: Command) -> None:
    assert command("queue", "pause").returncode == 0
    ids = client.submit_batch([client.request_for({"do": "nothing"}) for _ in range(25)], 30)
    table = command("status").stdout
    assert [execution_id for execution_id in ids if execution_id in table] == ids[:20]
    assert table.endswith("5 more are queued.\n")
    assert len(document(command("status", "--json"))["executions"]) == 25


def test_ids_are_unique_beginnings(client: ExecutionClient, command: Command) -> None:
    first, second = client.submit({"do": "nothing"}), client.submit({"do": "nothing"})
    client.wait(second, 30)
    assert first[:12] == second[:12]
    several = document(command("status", first[:12], "--json"), code=2)
    assert several["error"]["message"].startswith("2 executions begin with")
    none = command("status", "nothing_like_it")
    assert (none.returncode, none.stdout) == (2, "")
    assert none.stderr.startswith("Error: this server has no execution nothing_like_it; 'zmqruntime status'")


def test_events_and_logs(make_client: MakeClient, command: Command, start_command: StartCommand) -> None:
    client = make_client()
    execution_id = client.submit({"do": "log", "lines": 3})
    count = client.wait(execution_id, 30).event_count
    events = [json.loads(line) for line in command("events", execution_id, "--json").stdout.splitlines()]
    assert [event["type"] for event in events] == ["state", "state", "log", "log", "log", "state"]
    rest = command("events", execution_id, "--after", str(count - 1)).stdout
    assert (rest.count("\n"), rest.endswith("  complete\n")) == (1, True)
    followed = command("logs", "--follow", execution_id)
    assert [line.partition("task: ")[2] for line in followed.stdout.splitlines()] == ["line 0", "line 1", "line 2"]
    log = document(command("logs", execution_id, "--json"))
    lines = followed.stdout.splitlines()
    assert log == {"execution_id": execution_id, "from_disk": False, "lines": lines, "exit_code": 0}
    pid, stop = client.server.pid, start_command("stop")
    assert stop.communicate(timeout=60)[0] == f"Stopped the server of zmqruntime on port 7777 (process {pid}).\n"
    client.disconnect()
    for follow in ((), ("--follow",)):
        kept = command("logs", *follow, execution_id[:20])
        assert (kept.returncode, kept.stdout) == (0, followed.stdout)
        assert kept.stderr == "From disk; no server is running on port 7777\n"
    missing = command("logs", "f" * 20)
    assert (missing.returncode, missing.stdout, missing.stderr.count("\n")) == (2, "", 1)


def test_cancel_says_what_will_happen(client: ExecutionClient, command: Command) -> None:
    execution_id = client.submit({"do": "hold_interpreter"})
    wait_until_running(client, execution_id)
    queued = client.submit({"do": "nothing"})
    axis = command("cancel", execution_id, "--axis", "B06")
    assert "axis B06 will stop at its next check" in axis.stdout
    assert "will not run" in command("cancel", queued).stdout
    assert document(command("cancel", execution_id, "--now", "--json"))["status"] == "ok"
    assert client.wait(execution_id, 30).status is ExecutionStatus.CANCELLED
    assert command("cancel", execution_id).returncode == 0  # what was wanted is so
    finished = client.submit({"do": "nothing"})
    client.wait(finished, 30)
    refused = document(command("cancel", finished, "--json"), code=1)
    assert (refused["status"], refused["error"]["kind"]) == ("ended", "refused")


def test_queue_and_history(client: ExecutionClient, command: Command) -> None:
    assert document(command("queue", "pause", "--json"))["paused"]
    first, second, third = (client.submit({"do": "nothing", "value": number}) for number in range(3))
    assert "0 of 3 queued executions will run before it" in command("queue", "move", third, "0").stdout
    assert document(command("queue", "hold", first, "--json"))["queued"] == [third, first, second]
    assert "queued, held" in command("status").stdout
    assert command("queue", "drain").stdout.startswith("Draining")
    assert command("queue", "resume").stdout.startswith("Resumed")
    client.wait(second, 30)
    assert command("queue", "release", first).stdout.startswith("Released")
    client.wait(first, 30)
    late = command("queue", "hold", first)
    assert (late.returncode, late.stdout, late.stderr.count("\n")) == (1, "", 1)
    history = document(command("history", "--limit", "2", "--json"))["executions"]
    assert [entry["execution_id"] for entry in history] == [first, second]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_ends_a_stream_and_nothing_else(client: ExecutionClient, start_command: StartCommand) -> None:
    execution_id = client.submit({"do": "wait"})
    streams = [start_command("events", execution_id), start_command("events", execution_id, "--json")]
    for stream in streams:
        assert stream.stdout is not None
        while "A01" not in stream.stdout.readline():
            pass
        stream.send_signal(signal.SIGINT)
    (stdout, stderr), (json_lines, nothing) = (stream.communicate(timeout=60) for stream in streams)
    assert [stream.returncode for stream in streams] == [130, 130]
    assert (stdout, stderr, nothing) == ("", "Error: interrupted\n", "")
    assert json.loads(json_lines)["error"]["kind"] == "interrupted"
    assert client.poll_status(execution_id).status is ExecutionStatus.RUNNING
    client.cancel(execution_id)


def test_a_stream_goes_on_with_the_successor_of_a_killed_server(
    make_client: MakeClient, start_command: StartCommand
) -> None:
    client = make_client()
    execution_id = client.submit({"do": "wait"})
    stream = start_command("events", execution_id)
    assert stream.stdout is not None
    while "A01" not in stream.stdout.readline():
        pass
    os.kill(client.server.pid, signal.SIGKILL)
    stdout, stderr = stream.communicate(timeout=60)
    assert stream.returncode == 0
    assert "  interrupted: the server ended" in stdout
    said = stderr.splitlines()
    assert all("waiting for it, or its successor" in line or "answers again" in line for line in said), said


def test_a_server_that_is_gone_for_good_ends_a_stream_with_an_error(
    make_client: MakeClient, command: Command, start_command: StartCommand
) -> None:
    client = make_client(persistent=True)
    pid, execution_id = client.server.pid, client.submit({"do": "wait"})
    stream = start_command("events", execution_id)
    assert stream.stdout is not None
    while "A01" not in stream.stdout.readline():
        pass
    client.disconnect()  # it would start a successor
    os.kill(pid, signal.SIGKILL)
    stderr = stream.communicate(timeout=60)[1].splitlines()
    assert (stream.returncode, len(stderr)) == (1, 2)
    assert stderr[0].endswith("ended; waiting for it, or its successor")
    assert stderr[1].startswith("Error: the server on port 7777 ended or stopped responding; a new one")
    assert document(command("list", "--json"))["servers"][0]["state"] == "stale"
    make_client()
    assert "  interrupted: the server ended" in command("events", execution_id).stdout


def test_stop_ends_the_server_and_names_what_it_ran(make_client: MakeClient, command: Command) -> None:
    client = make_client()
    execution_id = client.submit({"do": "wait"})
    wait_until_running(client, execution_id)
    assert document(command("stop", "--json"))["interrupted"] == [execution_id]
    client.disconnect()
    again = document(command("stop", "--json"))
    assert (again["stopped"], again["pid"]) == (False, None)


def test_the_reader_of_a_stream_may_leave(client: ExecutionClient, start_command: StartCommand) -> None:
    execution_id = client.submit({"do": "talk", "lines": 5000, "width": 100})
    client.wait(execution_id, 30)
    stream = start_command("events", execution_id)
    assert stream.stdout is not None
    assert stream.stderr is not None
    stream.stdout.readline()
    stream.stdout.close()
    assert stream.stderr.read() == ""
    assert stream.wait(60) == 1


def test_doctor_runs_a_task_and_leaves_nothing(client: ExecutionClient, command: Command, isolated_home: Path) -> None:
    before = {path for path in isolated_home.rglob("*") if "server-7777" not in str(path)}
    report = document(command("doctor", "--json"))
    assert {check["state"] for check in report["checks"]} == {"ok"}
    assert [check["name"] for check in report["checks"]][-2:] == ["server", "trial"]
    assert {path for path in isolated_home.rglob("*") if "server-7777" not in str(path)} == before
    assert client.status().executions == []


def test_doctor_says_what_is_wrong_and_the_remedy(command: Command, isolated_home: Path) -> None:
    (isolated_home / ".zmqruntime").write_text("not a folder")
    data = isolated_home / ".local/share/zmqruntime/server-7777"
    data.mkdir(parents=True)
    (data / "executions.sqlite").write_text("not a database" * 100)
    done = command("doctor")
    assert done.returncode == 1
    assert done.stderr == "Error: 2 checks failed: home folder, database\n"
    assert ".zmqruntime is not a folder" in done.stdout
    assert done.stdout.count("remedy: ") == 3
    too_long = document(command("doctor", "--app", "a" * 100, "--json"), code=1)
    (failed,) = (check for check in too_long["checks"] if check["state"] == "failed")
    assert failed["name"] == "sockets"
    assert "shorter" in failed["remedy"]


def test_keys_are_shown_exchanged_and_forgotten(command: Command) -> None:
    ours = json.loads(command("keys", "show", "--json").stdout)
    theirs = json.loads(command("keys", "show", "--json", "--app", "elsewhere").stdout)
    assert command("keys", "admit", "laptop", theirs["client"]).returncode == 0
    assert command("keys", "trust", "lab-server", theirs["server"]).returncode == 0
    shown = json.loads(command("keys", "show", "--json").stdout)
    assert shown["server"] == ours["server"]
    assert shown["admitted"] == {"laptop": theirs["client"]}
    assert shown["trusted"] == {"lab-server": theirs["server"]}
    assert "laptop" in command("keys", "show").stdout
    assert command("keys", "forget", "laptop").returncode == 0
    dashed = "-" + theirs["client"][1:]
    assert command("keys", "admit", "--", "dashed", dashed).returncode == 0
    assert json.loads(command("keys", "show", "--json").stdout)["admitted"] == {"dashed": dashed}
    wrong = (
        ("keys", "forget", "laptop"),
        ("keys", "admit", "laptop", "short"),
        ("keys", "admit", "../up", ours["client"]),
    )
    for arguments in wrong:
        done = command(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1
