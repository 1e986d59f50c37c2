"""Tasks in threads of the server's process, on real servers."""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from zmqruntime import ExecuteRequest, ExecutionStatus, LogLine, ProgressUpdate, StateChange
from zmqruntime.execution import ExecutionClient, ExecutionServer, WorkerKind, current_task

S = ExecutionStatus
MakeClient = Callable[..., ExecutionClient]


def started(client: ExecutionClient, *execution_ids: str) -> None:
    """Return once each of these tasks has reported something."""
    for execution_id in execution_ids:
        next(event for event in client.events(execution_id) if isinstance(event, ProgressUpdate))


@pytest.fixture
def client(make_client: MakeClient) -> ExecutionClient:
    """A client with a server that runs tasks in threads."""
    return make_client("ThreadServer")


@pytest.fixture
def lasting(make_client: MakeClient) -> Iterator[ExecutionClient]:
    """The same with a server that outlives its clients, for tests that end and restart it."""
    client = make_client("ThreadServer", persistent=True)
    yield client
    client.connect()
    client.shutdown_server()


def test_a_task_runs_in_the_process_of_the_server(client: ExecutionClient) -> None:
    snapshots = [client.wait(client.submit({"do": "pid"}), 30) for _ in range(2)]
    assert [snapshot.result for snapshot in snapshots] == [client.server.pid] * 2
    assert snapshots[0].cpu_seconds is not None
    assert snapshots[0].peak_memory_bytes is None
    assert not psutil.Process(client.server.pid).children()
    assert client.status().workers == 1


def test_all_progress_arrives_in_order(make_client: MakeClient) -> None:
    seen: list[ProgressUpdate] = []
    client = make_client("ThreadServer", progress_callback=seen.append)
    for upto in (3, 20_000):
        seen.clear()
        execution_id = client.submit({"do": "count", "upto": upto})
        assert client.wait(execution_id, 60).result == upto
        later = [e for e in client.events(execution_id) if isinstance(e, ProgressUpdate)]
        assert [update.sequence for update in later] == list(range(1, upto + 1))
        assert [update.completed for update in later] == list(range(upto))
        assert later[: len(seen)] == seen


def test_what_is_logged_travels_and_what_is_printed_does_not(client: ExecutionClient, isolated_home: Path) -> None:
    for _ in range(2):
        execution_id = client.submit({"do": "log_and_print"})
        lines = [event for event in client.events(execution_id) if isinstance(event, LogLine)]
        assert [(line.sequence, line.logger, line.text) for line in lines] == [
            (1, "task", "through the task"),
            (2, "library", "through logging"),
        ]
        log = next(isolated_home.rglob(f"{execution_id}.log")).read_text()
        assert log.count("through") == 2


def test_cancel_is_seen_at_the_next_check(client: ExecutionClient) -> None:
    for payload in ({"do": "wait"}, {"do": "swallow"}, {"do": "finish_although_cancelled"}):
        execution_id = client.submit(payload)
        started(client, execution_id)
        assert client.cancel(execution_id).execution_status is S.CANCELLING
        assert client.wait(execution_id, 30).status is S.CANCELLED
    assert client.wait(client.submit({"do": "nothing", "value": 1}), 30).result == 1


def test_a_grace_is_refused_and_changes_nothing(client: ExecutionClient) -> None:
    running, queued = client.submit({"do": "wait"}), client.submit({"do": "nothing"})
    started(client, running)
    for grace in (0.0, 5.0):
        reply = client.cancel(running, grace_seconds=grace)
        assert (reply.status, reply.execution_status) == ("refused", S.RUNNING)
        assert "cannot be killed; cancel it without a grace" in reply.message
    assert client.cancel(queued, grace_seconds=0).status == "ok"
    assert client.wait(queued, 30).status is S.CANCELLED
    assert client.cancel(running).status == "ok"
    assert client.wait(running, 30).status is S.CANCELLED


def test_one_axis_is_cancelled_alone_in_processes_that_joined(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "axes", "axes": ["A01", "A02"]})
    axes: set[str] = set()
    for event in client.events(execution_id):
        if isinstance(event, ProgressUpdate):
            axes.add(event.axis_id)
            if axes == {"A01", "A02"}:
                assert client.cancel(execution_id, axis_id="A02").status == "ok"
                assert client.cancel(execution_id, axis_id="A01").status == "ok"
    snapshot = client.wait(execution_id, 30)
    assert (snapshot.status, snapshot.result) == (S.COMPLETE, ["A01", "A02"])


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"do": "raise", "text": "no such channel"}, "ValueError: no such channel"),
        ({"do": "sys_exit"}, "SystemExit: 5"),
        ({"do": "unencodable"}, "TypeError"),
        ({"do": "unencodable_failure"}, "the reason (its result cannot be sent"),
        ({"do": "fail", "text": "2 wells failed", "value": 7}, "2 wells failed"),
    ],
)
def test_a_task_that_fails_fails_alone(client: ExecutionClient, payload: dict[str, Any], error: str) -> None:
    failed, following = client.submit(payload), client.submit({"do": "pid"})
    snapshot = client.wait(failed, 30)
    assert snapshot.status is S.FAILED
    assert (snapshot.error or "").startswith(error)
    assert snapshot.result == payload.get("value")
    assert client.wait(following, 30).result == client.server.pid


def test_two_run_at_once_each_with_its_own_log_and_cancel(make_client: MakeClient) -> None:
    client = make_client("TwoThreadsServer")
    first, second = client.submit({"do": "wait"}), client.submit({"do": "wait"})
    started(client, first, second)
    client.cancel(first)
    assert client.wait(first, 30).status is S.CANCELLED
    logged = client.submit({"do": "log_and_print"})
    assert client.wait(logged, 30).status is S.COMPLETE
    assert client.poll_status(second).status is S.RUNNING
    client.cancel(second)
    assert client.wait(second, 30).status is S.CANCELLED
    assert not [event for event in client.events(second) if isinstance(event, LogLine)]


@pytest.mark.parametrize("limits", [{"time_limit": 0.1}, {"soft_time_limit": 0.1}])
def test_a_time_limit_lets_it_stop_and_then_it_has_failed(client: ExecutionClient, limits: dict[str, float]) -> None:
    snapshot = client.wait(client.submit({"do": "wait"}, **limits), 30)  # type: ignore[arg-type]
    assert (snapshot.status, snapshot.error) == (S.FAILED, "it exceeded its time limit of 0.1 s")


def test_what_finishes_after_its_hard_limit_has_failed_too(client: ExecutionClient) -> None:
    snapshot = client.wait(client.submit({"do": "overrun"}, time_limit=0.1), 30)
    assert (snapshot.status, snapshot.result) == (S.FAILED, None)
    assert "exceeded its time limit" in (snapshot.error or "")
    assert client.wait(client.submit({"do": "nothing", "value": 2}), 30).result == 2


def test_ending_the_server_lets_tasks_stop_and_what_can_resume_does(lasting: ExecutionClient) -> None:
    plain = lasting.submit({"do": "wait"})
    started(lasting, plain)
    resumable = lasting.submit({"do": "resumable", "upto": 4}, resumable=True)
    lasting.shutdown_server()
    lasting.connect()
    snapshot = lasting.poll_status(plain)
    assert snapshot.status is S.INTERRUPTED
    assert snapshot.error == "the server was stopped while the execution was running"
    started(lasting, resumable)
    lasting.shutdown_server()
    lasting.connect()
    assert lasting.wait(resumable, 30).result == [0, 1, 2]


def test_what_completes_while_the_server_ends_is_complete(lasting: ExecutionClient) -> None:
    execution_id = lasting.submit({"do": "overrun"})
    started(lasting, execution_id)
    lasting.shutdown_server()
    lasting.connect()
    assert lasting.poll_status(execution_id).result == "finished too late"


def test_processes_that_joined_hear_that_the_server_ends(lasting: ExecutionClient) -> None:
    execution_id = lasting.submit({"do": "axes", "axes": ["A01", "A02"]})
    axes = (event.axis_id for event in lasting.events(execution_id) if isinstance(event, ProgressUpdate))
    assert {next(axes), next(axes)} == {"A01", "A02"}
    children = psutil.Process(lasting.server.pid).children(recursive=True)
    begin = time.monotonic()
    lasting.shutdown_server()
    assert time.monotonic() - begin < 6
    assert not psutil.wait_procs(children, 5)[1]


def test_a_task_that_does_not_stop_is_left_behind_and_interrupted(make_client: MakeClient) -> None:
    client = make_client("ImpatientThreadServer", persistent=True)
    execution_id = client.submit({"do": "ignore_everything"})
    started(client, execution_id)
    begin = time.monotonic()
    client.shutdown_server()
    assert time.monotonic() - begin < 5
    client.connect()
    assert client.poll_status(execution_id).status is S.INTERRUPTED
    statuses = [str(e.execution.status) for e in client.events(execution_id) if isinstance(e, StateChange)]
    assert statuses == ["queued", "running", "interrupted"]
    client.shutdown_server()


def test_while_the_disk_is_full_a_task_runs_on_and_is_heard_later(client: ExecutionClient, isolated_home: Path) -> None:
    running = client.submit({"do": "overrun"}, time_limit=None)
    started(client, running)
    database = next(isolated_home.rglob("executions.sqlite"))
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        client.cancel(running)
        lock.execute("ROLLBACK")
    assert client.wait(running, 30).status is S.CANCELLED


def test_a_server_in_this_process_may_be_local_and_leaves_nothing() -> None:
    began, here = threading.Event(), list[tuple[int, str]]()

    class Local(ExecutionServer):
        worker_kind = WorkerKind.THREAD

        def execute_task(self, execution_id: str, request: ExecuteRequest) -> int:
            here.append((os.getpid(), current_task().execution_id))
            began.set()
            while request.payload == "wait":
                current_task().check_cancelled()
                threading.Event().wait(0.002)
            return id(self)

    with Local(7790) as server, ExecutionClient(7790) as client:
        execution_id = client.submit(None)
        assert client.wait(execution_id, 30).result == id(server)
        assert here == [(os.getpid(), execution_id)]
        began.clear()
        client.submit("wait")
        assert began.wait(10)
