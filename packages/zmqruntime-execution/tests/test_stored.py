"""What a server has left on disk, read while it is running, and after it was stopped or killed."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from zmqruntime import ExecutionSnapshot, ExecutionStatus, ProgressUpdate, RequestRefusedError, ZMQConfig
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.server.stored import StoredExecutions, database_path

Command = Callable[..., "subprocess.CompletedProcess[str]"]
MakeClient = Callable[..., ExecutionClient]
CONFIG = ZMQConfig()


def stored(*, server_has_ended: bool = True) -> StoredExecutions:
    return StoredExecutions(CONFIG, 7777, server_has_ended=server_has_ended)


def files(home: Path) -> dict[str, tuple[int, bytes]]:
    """Everything that a server has left, to the byte and to the time of its last change."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in home.rglob("*")
        if path.is_file() and not path.is_socket()
    }


def wait_until_running(client: ExecutionClient, execution_id: str) -> None:
    for event in client.events(execution_id):
        if isinstance(event, ProgressUpdate):
            return


def end(client: ExecutionClient, how: signal.Signals) -> None:
    """End the server, and what it has started, and return once that is so."""
    server = psutil.Process(client.server.pid)
    family = [server, *server.children(recursive=True)]
    client.disconnect()
    server.send_signal(how)
    _, alive = psutil.wait_procs(family, 30)
    assert alive == []


def test_the_same_as_the_running_server_says_while_it_goes_on(client: ExecutionClient) -> None:
    long = client.submit({"do": "nothing", "value": "x" * 200_000}, plate_id="long")
    logged = client.submit({"do": "log", "lines": 3})
    failed = client.submit({"do": "raise", "text": "no luck"})
    client.wait(failed, 30)
    working = client.submit({"do": "resumable_until", "file": "never"})
    wait_until_running(client, working)
    waiting = [client.submit({"do": "nothing"}, priority=priority) for priority in (0, 5)]
    with stored(server_has_ended=False) as disk:
        assert disk.history() == client.history()
        assert disk.logs(logged) == client.logs(logged)
        for execution_id in (long, logged, failed, *waiting):
            said = msgspec.structs.replace(client.poll_status(execution_id), queue_position=None, waits_for=None)
            assert disk.poll_status(execution_id) == said
        known = [entry.execution_id for entry in disk.status().executions]
        assert known == [entry.execution_id for entry in client.status().executions]
        assert (disk.status().running, disk.status().queued) == (1, 2)
        assert disk.find(long).execution_ids == [long]
        assert len(disk.poll_status(long).result) == 200_000
        assert disk.snapshot_of(long).result is None
        client.cancel(working)
        client.wait(waiting[0], 30)
        assert disk.status().queued == 0, "what was written since the last look"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_changed_and_what_was_running_is_interrupted(
    make_client: MakeClient, command: Command, isolated_home: Path, how: signal.Signals
) -> None:
    client = make_client(persistent=True)
    done = client.submit({"do": "log", "lines": 3}, plate_id="p1")
    client.wait(done, 30)
    resumable = client.submit({"do": "resumable_until", "file": "never"}, resumable=True)
    wait_until_running(client, resumable)
    queued = client.submit({"do": "nothing"})
    end(client, how)
    before = files(isolated_home)
    overview = command("status", "--json")
    document = json.loads(overview.stdout)
    assert (overview.returncode, overview.stderr, document["server"], document["from_disk"]) == (0, "", None, True)
    found = [(entry["execution_id"], entry["status"]) for entry in document["executions"]]
    assert found == [(resumable, "interrupted"), (queued, "queued"), (done, "complete")]
    for_people = command("status").stdout.splitlines()
    assert for_people[:2] == ["From disk; no server is running on port 7777", "1 interrupted, 1 queued"]
    history = command("history")
    assert history.stderr == "From disk; no server is running on port 7777\n"
    assert [line.split()[0] for line in history.stdout.splitlines()[1:]] == [resumable, done]
    one = command("status", done)
    assert (one.returncode, one.stderr) == (0, "From disk; no server is running on port 7777\n")
    assert "Status     complete" in one.stdout
    log = json.loads(command("logs", done, "--json").stdout)
    assert [line.partition("task: ")[2] for line in log["lines"]] == ["line 0", "line 1", "line 2"]
    assert files(isolated_home) == before
    successor = make_client()
    successor.cancel(resumable)
    assert successor.wait(resumable, 30).status is ExecutionStatus.CANCELLED
    assert successor.wait(queued, 30).status is ExecutionStatus.COMPLETE


def test_what_was_being_cancelled_is_cancelled_and_a_retry_is_still_queued(make_client: MakeClient) -> None:
    client = make_client("TwoAtOnceServer", persistent=True)
    deaf = client.submit({"do": "ignore_everything"})
    wait_until_running(client, deaf)
    client.cancel(deaf)
    tried = client.submit({"do": "raise", "text": "no"}, max_retries=3, retry_delay=1000.0)
    for event in client.events(tried):
        if isinstance(event, ProgressUpdate) or getattr(event, "sequence", 0) == 3:
            break
    end(client, signal.SIGKILL)
    with stored() as disk:
        assert disk.snapshot_of(deaf).status is ExecutionStatus.CANCELLED
        assert disk.snapshot_of(tried).status is ExecutionStatus.QUEUED
    make_client()  # replaces the socket files of the one that was killed


def test_of_a_copy_without_the_index_of_its_log_nothing_is_missing(
    client: ExecutionClient, isolated_home: Path
) -> None:
    done = client.submit({"do": "nothing"})
    client.wait(done, 30)
    database = database_path(CONFIG, 7777)
    elsewhere = database_path(CONFIG, 7800)
    elsewhere.parent.mkdir()
    for ending in ("", "-wal"):
        shutil.copy(f"{database}{ending}", f"{elsewhere}{ending}")
    with StoredExecutions(CONFIG, 7800) as disk:
        assert [entry.execution_id for entry in disk.history()] == [done]


def test_a_server_that_begins_to_write_is_noticed(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    first = client.submit({"do": "nothing"})
    client.wait(first, 30)
    end(client, signal.SIGTERM)
    with stored() as disk:
        assert [entry.execution_id for entry in disk.history()] == [first]
        successor = make_client()
        second = successor.submit({"do": "nothing"})
        successor.wait(second, 30)
        assert [entry.execution_id for entry in disk.history()] == [second, first]


def test_what_cannot_be_read_is_said_in_a_line(command: Command, isolated_home: Path) -> None:
    path = database_path(CONFIG, 7777)
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for content, words in (
        (None, "was written by a newer release"),
        (b"no database" * 200, "cannot read the database"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(RequestRefusedError, match=words):
            stored()
        done = command("history")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert words in done.stderr
    assert os.listdir(path.parent) == [path.name]


def test_an_id_that_is_not_there(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "nothing"})
    client.wait(execution_id, 30)
    with stored() as disk:
        assert disk.find("nothing_like_it").execution_ids == []
        with pytest.raises(RequestRefusedError, match="there is no execution nothing_like_it in"):
            disk.snapshot_of("nothing_like_it")
        assert isinstance(disk.snapshot_of(execution_id), ExecutionSnapshot)


def test_of_a_long_queue_the_first_are_listed_and_all_are_counted(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    working = client.submit({"do": "resumable_until", "file": "never"})
    wait_until_running(client, working)
    ids = client.submit_batch([client.request_for({"do": "nothing"}) for _ in range(203)])
    end(client, signal.SIGKILL)
    with stored() as disk:
        status = disk.status()
    assert status.queued == 203
    assert [entry.execution_id for entry in status.executions] == [working, *ids[:200]]  # interrupted, queued
    make_client()  # replaces the socket files of the one that was killed
