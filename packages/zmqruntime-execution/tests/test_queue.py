"""The queue: order, holds, limits on time and number, retries, and what survives a restart."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import given, strategies as st

from zmqruntime import (
    ErrorCode,
    ExecutionStatus,
    LogLine,
    ProgressUpdate,
    QueueAction,
    RequestRefusedError,
    StateChange,
)
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.server.queue import Backlog

S = ExecutionStatus
MakeClient = Callable[..., ExecutionClient]


def wait_for_progress(client: ExecutionClient, execution_id: str) -> None:
    next(event for event in client.events(execution_id) if isinstance(event, ProgressUpdate))


def ended_in_order(client: ExecutionClient, ids: list[str]) -> bool:
    ends = [client.wait(execution_id, 30).ended_at or 0.0 for execution_id in ids]
    return ends == sorted(ends)


# --- the backlog alone --------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(-2, 2), st.sampled_from(["run", "hold", "remove", "move"])), max_size=40))
def test_backlog_gives_them_in_its_order(drawn: list[tuple[int, str]]) -> None:
    backlog = Backlog()
    for number, (priority, _) in enumerate(drawn):
        backlog.add(str(number), priority, float(number), number)
    for number, (priority, fate) in enumerate(drawn):
        if fate == "hold":
            backlog.hold(str(number))
        elif fate == "remove":
            backlog.remove(str(number))
        elif fate == "move":
            rank = backlog.rank_for(str(number), 0)
            backlog.remove(str(number))
            backlog.add(str(number), priority, rank, number)
    held = {str(number) for number, (_, fate) in enumerate(drawn) if fate == "hold"}
    expected = [execution_id for execution_id in backlog.ordered() if execution_id not in held]
    given_out = []
    while (first := backlog.first()) is not None:
        execution_id = first[1]
        given_out.append(execution_id)
        backlog.remove(execution_id)
    assert given_out == expected
    for execution_id in held:
        backlog.release(execution_id)
        assert backlog.next_ones(1) == [execution_id]
        backlog.remove(execution_id)
    assert len(backlog) == 0


@pytest.mark.parametrize(("position", "expected"), [(0, "cab"), (1, "acb"), (2, "abc"), (9, "abc")])
def test_a_place_in_the_backlog(position: int, expected: str) -> None:
    backlog = Backlog()
    for number, name in enumerate("abc"):
        backlog.add(name, 0, float(number), number)
    rank = backlog.rank_for("c", position)
    backlog.remove("c")
    backlog.add("c", 0, rank, 2)
    assert "".join(backlog.ordered()) == expected


# --- on a server --------------------------------------------------------------------------------------------------


def test_paused_held_and_moved_executions_run_in_the_order_that_was_asked_for(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    assert client.change_queue(QueueAction.PAUSE).paused
    ids = [client.submit({"do": "nothing", "value": number}) for number in range(4)]
    client.change_queue(QueueAction.HOLD, ids[0])
    assert client.change_queue(QueueAction.MOVE, ids[3], 1).queued == [ids[0], ids[3], ids[1], ids[2]]
    assert client.poll_status(ids[3]).queue_position == 1
    client.shutdown_server()
    client.connect()
    status = client.status()
    assert (status.paused, status.running, status.queued) == (True, 0, 4)
    assert [e.execution_id for e in status.executions] == [ids[0], ids[3], ids[1], ids[2]]
    assert status.executions[0].held
    client.change_queue(QueueAction.RESUME)
    assert ended_in_order(client, [ids[3], ids[1], ids[2]])
    assert client.poll_status(ids[0]).status is S.QUEUED
    client.change_queue(QueueAction.RELEASE, ids[0])
    assert client.wait(ids[0], 30).status is S.COMPLETE
    with pytest.raises(RequestRefusedError, match="not in the queue") as caught:
        client.change_queue(QueueAction.HOLD, ids[0])
    assert caught.value.code is ErrorCode.CONFLICT
    client.shutdown_server()


def test_a_drained_queue_accepts_nothing_and_runs_what_it_has(client: ExecutionClient) -> None:
    first = client.submit({"do": "nothing"})
    assert client.change_queue(QueueAction.DRAIN).draining
    with pytest.raises(RequestRefusedError, match="draining"):
        client.submit({"do": "nothing"})
    assert client.wait(first, 30).status is S.COMPLETE
    client.change_queue(QueueAction.RESUME)
    assert client.wait(client.submit({"do": "nothing"}), 30).status is S.COMPLETE


def test_a_full_queue_refuses_and_a_batch_is_taken_whole_or_not_at_all(make_client: MakeClient) -> None:
    client = make_client("SmallQueueServer")
    client.change_queue(QueueAction.PAUSE)
    batch = [client.request_for({"do": "nothing", "value": number}) for number in range(4)]
    with pytest.raises(RequestRefusedError, match="the maximum is 3") as caught:
        client.submit_batch(batch)
    assert caught.value.code is ErrorCode.QUEUE_FULL
    assert client.status().queued == 0
    ids = client.submit_batch(batch[:3])
    with pytest.raises(RequestRefusedError, match="the maximum is 3"):
        client.submit({"do": "nothing"})
    client.change_queue(QueueAction.RESUME)
    assert [client.wait(execution_id, 30).result for execution_id in ids] == [0, 1, 2]
    assert ended_in_order(client, ids)


def test_the_status_lists_all_that_is_open_but_for_the_end_of_a_long_queue(client: ExecutionClient) -> None:
    retried = client.submit({"do": "raise", "text": "no"}, max_retries=5, retry_delay=60)
    running = client.submit({"do": "wait"})
    wait_for_progress(client, running)
    queued = client.submit_batch([client.request_for({"do": "nothing"}) for _ in range(5)], 30)
    report = client.status(limit=0)
    assert [entry.execution_id for entry in report.executions] == [running, *queued, retried]
    assert [entry.queue_position for entry in report.executions] == [None, 0, 1, 2, 3, 4, None]
    more = client.submit_batch([client.request_for({"do": "nothing"}) for _ in range(1500)], 30)
    report = client.status(limit=0)
    assert (report.queued, report.running) == (1506, 1)
    assert [entry.execution_id for entry in report.executions] == [running, *queued, *more[:195]]
    client.change_queue(QueueAction.PAUSE)
    client.cancel(running)
    client.wait(running, 30)


def test_a_failed_task_is_tried_again_as_often_as_allowed(client: ExecutionClient) -> None:
    good = client.submit({"do": "flaky", "failures": 2}, max_retries=2, retry_delay=0.01)
    bad = client.submit({"do": "flaky", "failures": 2}, max_retries=1, retry_delay=0.01)
    snapshot = client.wait(good, 30)
    assert (snapshot.status, snapshot.result, snapshot.attempts) == (S.COMPLETE, 3, 3)
    states = [str(e.execution.status) for e in client.events(good) if isinstance(e, StateChange)]
    assert states == ["queued", "running"] * 3 + ["complete"]
    snapshot = client.wait(bad, 30)
    assert (snapshot.status, snapshot.error, snapshot.attempts) == (S.FAILED, "OSError: attempt 2", 2)


def test_a_retry_can_be_cancelled_while_it_waits(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "raise", "text": "no"}, max_retries=5, retry_delay=600)
    for event in client.events(execution_id):
        if isinstance(event, StateChange) and event.execution.status is S.QUEUED and event.execution.attempts:
            assert client.cancel(execution_id).execution_status is S.CANCELLED
    assert client.wait(execution_id, 30).status is S.CANCELLED


def test_a_task_that_kills_its_worker_is_not_tried_for_ever(client: ExecutionClient) -> None:
    snapshot = client.wait(client.submit({"do": "kill_self"}, max_retries=100, retry_delay=0.01), 60)
    assert (snapshot.status, snapshot.attempts) == (S.FAILED, 3)
    assert "died 3 times" in (snapshot.error or "")


@pytest.mark.parametrize(("task", "limit"), [("wait", "soft_time_limit"), ("hold_interpreter", "time_limit")])
def test_time_limits_end_what_runs_too_long(client: ExecutionClient, task: str, limit: str) -> None:
    options = {limit: 0.3}
    snapshot = client.wait(client.submit({"do": task}, **options), 30)  # type: ignore[arg-type]
    assert (snapshot.status, snapshot.error) == (S.FAILED, "it exceeded its time limit of 0.3 s")
    assert client.wait(client.submit({"do": "nothing", "value": 1}, time_limit=30), 30).result == 1


@pytest.mark.parametrize("grace", [0.0, 0.2])
def test_forced_cancel_kills_what_does_not_listen(client: ExecutionClient, grace: float) -> None:
    execution_id = client.submit({"do": "hold_interpreter"})
    following = client.submit({"do": "nothing", "value": 1})
    wait_for_progress(client, execution_id)
    report = client.cancel(execution_id, grace_seconds=grace)
    assert "killed" in report.message
    how = "did not stop within 0.2 s, so" if grace else "was to stop at once:"
    snapshot = client.wait(execution_id, 30)
    assert (snapshot.status, snapshot.error) == (S.CANCELLED, f"it was cancelled and {how} its processes were killed")
    assert client.wait(following, 30).result == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a way to join is a TCP port there")
def test_a_killed_worker_leaves_no_socket_of_its_task(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "link_and_hold"})
    wait_for_progress(client, execution_id)
    folder = client.config.home / client.config.ipc_socket_dir
    assert len(list(folder.glob("task-*.sock"))) == 1
    client.cancel(execution_id, grace_seconds=0)
    assert client.wait(execution_id, 30).status is S.CANCELLED
    client.shutdown_server()
    assert list(folder.glob("task-*.sock")) == []


def test_a_grace_is_not_used_up_by_a_task_that_listens(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "wait"})
    wait_for_progress(client, execution_id)
    worker = psutil.Process(client.server.pid).children(recursive=True)
    client.cancel(execution_id, grace_seconds=60)
    assert client.wait(execution_id, 30).status is S.CANCELLED
    assert client.wait(client.submit({"do": "who"}), 30).result[0] in [process.pid for process in worker]


def test_one_axis_cannot_be_killed_alone(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "wait"})
    wait_for_progress(client, execution_id)
    assert client.cancel(execution_id, axis_id="A01", grace_seconds=0).status == "refused"
    client.cancel(execution_id)
    client.wait(execution_id, 30)


@pytest.mark.parametrize("ending", ["nothing", "exit", "segfault", "kill_self", "cancel"])
def test_processes_that_left_their_group_end_with_the_worker(client: ExecutionClient, ending: str) -> None:
    if ending in ("nothing", "cancel"):
        execution_id = client.submit({"do": "grandchild"})
        wait_for_progress(client, execution_id)
        pid = next(int(e.text) for e in client.events(execution_id) if isinstance(e, LogLine))
        assert psutil.pid_exists(pid)
        client.cancel(execution_id, grace_seconds=0)
        client.wait(execution_id, 30)
        assert not psutil.pid_exists(pid)
    else:
        client.wait(client.submit({"do": "who"}), 30)
        execution_id = client.submit({"do": "leave_grandchild", "ending": ending if ending != "exit" else "sys_exit"})
        client.wait(execution_id, 30)


@pytest.mark.skipif(sys.platform == "win32", reason="workers have no guard there")
def test_a_worker_that_is_being_killed_gets_nothing_more_to_do(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "grandchild"})
    wait_for_progress(client, execution_id)
    grandchild = psutil.Process(next(int(e.text) for e in client.events(execution_id) if isinstance(e, LogLine)))
    following = client.submit({"do": "who"})
    (guard,) = psutil.Process(client.server.pid).children()
    (killed,) = (child.pid for child in guard.children() if child != grandchild)
    guard.suspend()  # so that the task can say that it stopped long before it is killed
    client.cancel(execution_id, grace_seconds=0)
    assert client.wait(execution_id, 30).status is S.CANCELLED
    grandchild.wait(10)
    assert client.wait(following, 30).result[0] != killed


def test_an_interrupted_execution_resumes_from_its_checkpoints(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    execution_id = client.submit({"do": "resumable", "upto": 10}, resumable=True)
    updates = (e for e in client.events(execution_id) if isinstance(e, ProgressUpdate))
    next(update for update in updates if update.completed == 5)
    os.kill(client.server.pid, signal.SIGKILL)
    snapshot = client.wait(execution_id, 60)
    assert (snapshot.status, snapshot.attempts) == (S.COMPLETE, 2)
    assert snapshot.result == [0, 1, 2, 3, 4, 5]
    events = list(client.events(execution_id))
    progress = [e for e in events if isinstance(e, ProgressUpdate)]
    assert [e.sequence for e in progress] == list(range(1, 11))
    assert [e.completed for e in progress] == list(range(10))
    states = [str(e.execution.status) for e in events if isinstance(e, StateChange)]
    assert states == ["queued", "running", "interrupted", "queued", "running", "complete"]
    client.shutdown_server()


def test_history_comes_in_pages_newest_first(client: ExecutionClient) -> None:
    ids = [client.submit({"do": "nothing", "value": number}) for number in range(5)]
    client.wait(ids[-1], 30)
    newest = client.history(limit=2)
    older = client.history(limit=10, before=newest[-1].ended_at)
    assert [e.execution_id for e in (*newest, *older)] == ids[::-1]


def test_old_history_is_forgotten_with_its_log(make_client: MakeClient, isolated_home: Path) -> None:
    client = make_client("ForgetfulServer", persistent=True)
    ids = [client.submit({"do": "log", "lines": 1}) for _ in range(4)]
    client.wait(ids[-1], 30)
    client.shutdown_server()
    client.connect()
    with contextlib.suppress(RequestRefusedError):
        deadline = time.monotonic() + 10
        while client.poll_status(ids[0]) and time.monotonic() < deadline:
            client.poll_status(ids[-1])
    assert [e.execution_id for e in client.history()] == ids[:1:-1]
    assert {path.stem for path in isolated_home.rglob("*.log") if path.stem != "server"} == set(ids[2:])
    client.shutdown_server()


def test_what_a_task_prints_on_whatever_way_is_in_its_log(client: ExecutionClient, isolated_home: Path) -> None:
    execution_id = client.submit({"do": "print"})
    lines = {(e.logger, str(e.level), e.text) for e in client.events(execution_id) if isinstance(e, LogLine)}
    assert lines == {
        ("stdout", "info", "printed"),
        ("stderr", "warning", "to stderr"),
        ("library", "error", "logged by a library"),
        ("stdout", "info", "from C"),
        ("stdout", "info", "from a child"),
        ("stdout", "info", "without an end"),
    }
    text = next(isolated_home.rglob(f"{execution_id}.log")).read_text()
    assert "ERROR    library: logged by a library\n" in text
    assert len(text.splitlines()) == len(lines)


def test_a_log_file_is_no_larger_than_it_may_be(make_client: MakeClient, isolated_home: Path) -> None:
    client = make_client("ForgetfulServer")
    execution_id = client.submit({"do": "talk", "lines": 2_000, "width": 100})
    assert client.wait(execution_id, 30).status is S.COMPLETE
    files = list(isolated_home.rglob(f"{execution_id}.log*"))
    assert sum(path.stat().st_size for path in files) <= 50_000
    last = next(path for path in files if path.suffix == ".log").read_text().splitlines()[-1]
    assert last.endswith(f"{1999:0100d}")
