"""Loops of tasks in worker processes, as programs and the command line see them."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zmqruntime import LogLine, ProgressUpdate
from zmqruntime.exceptions import RequestRefusedError
from zmqruntime.execution import ExecutionClient

Command = Callable[..., "subprocess.CompletedProcess[str]"]
StartCommand = Callable[..., "subprocess.Popen[str]"]

SERVER = Path(__file__).with_name("counting_server.py")


@pytest.fixture
def client(isolated_home: Path) -> Iterator[ExecutionClient]:
    """A client with a server whose tasks count."""
    with ExecutionClient(7777, server=f"{SERVER}:CountingServer", persistent=False) as client:
        yield client


def test_loops_in_threads_in_processes_and_in_bars_arrive(client: ExecutionClient) -> None:
    ids = {what: client.submit(what) for what in ("threads", "process", "bars")}
    assert client.wait(ids["threads"], 60).result == [ids["threads"]] * 2
    seen = {what: list(client.events(execution_id)) for what, execution_id in ids.items()}
    axes = {
        what: {event.axis_id for event in events if isinstance(event, ProgressUpdate) and event.percent == 100.0}
        for what, events in seen.items()
    }
    assert axes == {"threads": {"left", "right"}, "process": {"away"}, "bars": {"bar"}}
    assert not [event.text for event in seen["bars"] if isinstance(event, LogLine)]


def test_the_command_line_shows_loops(
    client: ExecutionClient, command: Command, start_command: StartCommand, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    execution_id = client.submit(str(gate))
    reached = 0
    for event in client.events(execution_id):
        if isinstance(event, ProgressUpdate) and "at the gate" in (event.message or ""):
            reached = event.number
            break
    in_full = command("status", execution_id)
    assert "Progress   " in in_full.stdout, in_full.stderr
    assert "Doing      epoch 1/3, batch 0/5, 1/2 at the gate\n" in in_full.stdout
    assert f"{execution_id}  running  " in command("status").stdout
    watching = start_command("watch", execution_id)
    assert watching.stdout is not None
    first = watching.stdout.readline()
    assert "epoch 1/3, batch 0/5, 1/2 at the gate" in first, first
    gate.touch()
    rest = list(client.events(execution_id, reached))
    assert [event.number for event in rest] == sorted({event.number for event in rest})
    assert rest[0].number > reached
    assert watching.stdout.read().splitlines()[-1].startswith("complete  100 %")
    assert watching.wait(60) == 0
    assert "100 %  epoch 3/3\n" in command("events", execution_id).stdout


def test_an_id_of_ones_own_is_the_same_execution_for_everybody(client: ExecutionClient) -> None:
    chosen = "nightly-2026-11-30"
    assert client.submit("bars", submission_id=chosen) == chosen
    assert client.wait(chosen, 60).result == [chosen]
    assert client.submit("bars", submission_id=chosen) == chosen
    with ExecutionClient(7777) as other:
        assert other.submit("bars", submission_id=chosen) == chosen
        ended = other.wait(chosen, 60)
        assert (ended.result, ended.attempts) == ([chosen], 1)
        with pytest.raises(RequestRefusedError):
            other.submit("something else", submission_id=chosen)
    assert client.wait(chosen, 60).attempts == 1
