"""Executions on real servers with real worker processes."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest

from zmqruntime import (
    ErrorCode,
    ExecuteRequest,
    ExecutionStatus,
    LogLine,
    MessageError,
    ProgressUpdate,
    RequestRefusedError,
    StateChange,
    ZMQConfig,
)
from zmqruntime.execution import ExecutionClient, ExecutionServer, WaitTimeoutError
from zmqruntime.messages import AcceptedResponse, Message, PositionsRequest, QueueAction

S = ExecutionStatus
MakeClient = Callable[..., ExecutionClient]


def wait_for_progress(client: ExecutionClient, execution_id: str) -> None:
    """Return once the task has reported something."""
    for event in client.events(execution_id):
        if isinstance(event, ProgressUpdate):
            return
    raise AssertionError("the execution ended without a report")


def submit_when_it_can_write(client: ExecutionClient, task: object, seconds: float = 30) -> str:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return client.submit(task)
        except RequestRefusedError:
            if time.monotonic() > deadline:
                raise


def statuses(client: ExecutionClient, execution_id: str) -> list[str]:
    """Every status that the execution had, as it was published."""
    return [str(e.execution.status) for e in client.events(execution_id) if isinstance(e, StateChange)]


def test_submit_and_wait_gives_the_result_and_what_it_took(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "nothing", "value": {"counts": [1, 2, 3], "name": "ä"}}, plate_id="/plate")
    snapshot = client.wait(execution_id, 30)
    assert snapshot.status is S.COMPLETE
    assert snapshot.result == {"counts": [1, 2, 3], "name": "ä"}
    assert snapshot.plate_id == "/plate"
    assert snapshot.ended_at is not None
    assert snapshot.started_at is not None
    assert snapshot.submitted_at <= snapshot.started_at <= snapshot.ended_at
    assert snapshot.cpu_seconds is not None
    assert client.poll_status(execution_id) == snapshot
    assert statuses(client, execution_id) == ["queued", "running", "complete"]


def test_workers_are_other_processes_and_stay_warm(client: ExecutionClient) -> None:
    first, second = (client.wait(client.submit({"do": "who"}), 30).result for _ in range(2))
    assert first == second
    assert first[1] == client.server.pid != first[0]


def test_every_progress_update_arrives_in_order_before_wait_returns(make_client: MakeClient) -> None:
    seen: list[ProgressUpdate] = []
    client = make_client(progress_callback=seen.append)
    for upto in (3, 2000):
        seen.clear()
        assert client.wait(client.submit({"do": "count", "upto": upto}), 30).result == upto
        assert [update.sequence for update in seen] == list(range(1, upto + 1))
        assert [update.completed for update in seen] == list(range(upto))


def test_a_stuck_callback_delays_neither_the_task_nor_wait(make_client: MakeClient) -> None:
    entered, release = threading.Event(), threading.Event()

    def callback(update: ProgressUpdate) -> None:
        entered.set()
        release.wait(60)

    client = make_client(progress_callback=callback)
    try:
        execution_id = client.submit({"do": "count", "upto": 30_000})
        assert client.wait(execution_id, 60).status is S.COMPLETE
        assert entered.wait(10)
    finally:
        release.set()


def test_a_slow_reader_of_many_events_gets_them_all(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "count", "upto": 20_000})
    client.wait(execution_id, 60)
    late = [e.sequence for e in client.events(execution_id) if isinstance(e, ProgressUpdate)]
    assert late == list(range(1, 20_001))
    assert sum(1 for _ in client.events(execution_id, after=20_000)) == 3


def test_another_client_can_follow_wait_and_cancel(client: ExecutionClient, make_client: MakeClient) -> None:
    other = make_client()
    execution_id = client.submit({"do": "wait"})
    wait_for_progress(other, execution_id)
    report = other.cancel(execution_id)
    assert (report["status"], report.execution_status) == ("ok", S.CANCELLING)
    assert other.wait(execution_id, 30).status is S.CANCELLED
    assert client.wait(execution_id, 30).status is S.CANCELLED


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"do": "raise", "text": "no such channel"}, "ValueError: no such channel"),
        ({"do": "sys_exit"}, "SystemExit: 5"),
        ({"do": "unencodable"}, "TypeError"),
        ({"do": "unencodable_failure"}, "the reason (its result cannot be sent"),
        ({"do": "exit", "code": 3}, "ended: exit code 3"),
        ({"do": "segfault"}, "SIGSEGV"),
        ({"do": "kill_self"}, "SIGKILL"),
    ],
)
def test_whatever_a_task_does_fails_that_execution_and_nothing_else(
    client: ExecutionClient, payload: dict[str, object], error: str
) -> None:
    server = client.server.pid
    failed = client.submit(payload)
    following = client.submit({"do": "nothing", "value": "fine"})
    snapshot = client.wait(failed, 30)
    assert snapshot.status is S.FAILED
    assert snapshot.error is not None
    assert error in snapshot.error
    assert client.wait(following, 30).result == "fine"
    assert client.connect().pid == server


def test_a_failure_can_carry_a_result_and_no_traceback(client: ExecutionClient) -> None:
    snapshot = client.wait(client.submit({"do": "fail", "text": "2 wells failed", "value": {"A01": "ok"}}), 30)
    assert (snapshot.status, snapshot.error, snapshot.traceback) == (S.FAILED, "2 wells failed", None)
    assert snapshot.result == {"A01": "ok"}


def test_cancel_while_queued_while_running_and_after_the_end(client: ExecutionClient) -> None:
    running, queued = client.submit({"do": "wait"}), client.submit({"do": "wait"})
    wait_for_progress(client, running)
    assert client.poll_status(queued).queue_position == 0
    assert client.cancel(queued).execution_status is S.CANCELLED
    assert client.wait(queued, 30).status is S.CANCELLED
    assert client.poll_status(running).status is S.RUNNING
    client.cancel(running)
    assert client.wait(running, 30).status is S.CANCELLED
    assert statuses(client, running) == ["queued", "running", "cancelling", "cancelled"]
    report = client.cancel(running)
    assert (report.status, report.execution_status) == ("ended", S.CANCELLED)
    with pytest.raises(RequestRefusedError, match="no-such-id") as caught:
        client.cancel("no-such-id")
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_a_cancelled_task_is_cancelled_whatever_it_does_then(client: ExecutionClient) -> None:
    for name in ("swallow", "finish_although_cancelled"):
        execution_id = client.submit({"do": name})
        wait_for_progress(client, execution_id)
        client.cancel(execution_id)
        assert client.wait(execution_id, 30).status is S.CANCELLED
    assert client.wait(client.submit({"do": "cancel_self"}), 30).status is S.CANCELLED


def test_a_cancel_right_behind_the_start_is_heard(client: ExecutionClient) -> None:
    """It may reach the worker before the task has begun there."""
    for _ in range(30):
        execution_id = client.submit({"do": "wait"})
        for event in client.events(execution_id):
            if isinstance(event, StateChange) and event.execution.status is S.RUNNING:
                client.cancel(execution_id)
        assert client.wait(execution_id, 5).status is S.CANCELLED


def test_a_hook_is_told_of_axes_and_of_the_whole_task(make_client: MakeClient) -> None:
    for server in ("BenchServer", "ThreadServer"):
        client = make_client(server)
        execution_id = client.submit({"do": "hooked"})
        wait_for_progress(client, execution_id)
        for axis_id in ("A01", "A01"):
            client.cancel(execution_id, axis_id=axis_id)
        client.cancel(execution_id)
        snapshot = client.wait(execution_id, 30)
        assert snapshot.status is S.CANCELLED
        assert sorted(snapshot.result, key=str) == ["A01", None]
        client.disconnect()


def test_one_axis_is_cancelled_alone(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "axes", "axes": ["A01", "A02"]})
    started: set[str] = set()
    for event in client.events(execution_id):
        if isinstance(event, ProgressUpdate):
            started.add(event.axis_id)
            if started == {"A01", "A02"}:
                assert client.cancel(execution_id, axis_id="A02").execution_status is S.RUNNING
                assert client.cancel(execution_id, axis_id="A01").status == "ok"
    snapshot = client.wait(execution_id, 30)
    assert (snapshot.status, snapshot.result) == (S.COMPLETE, ["A01", "A02"])


def test_two_run_at_once_and_cancel_of_one_leaves_the_other(make_client: MakeClient) -> None:
    client = make_client("TwoAtOnceServer")
    first, second = client.submit({"do": "wait"}), client.submit({"do": "wait"})
    wait_for_progress(client, first)
    wait_for_progress(client, second)
    client.cancel(first)
    assert client.wait(first, 30).status is S.CANCELLED
    assert client.poll_status(second).status is S.RUNNING
    client.cancel(second)
    assert client.wait(second, 30).status is S.CANCELLED


def test_higher_priority_runs_first_then_the_order_of_submission(client: ExecutionClient) -> None:
    blocker = client.submit({"do": "wait"})
    wait_for_progress(client, blocker)
    low = [client.submit({"do": "nothing"}, priority=0) for _ in range(2)]
    high = client.submit({"do": "nothing"}, priority=5)
    status = client.status()
    assert (status.queued, status.running, status.workers) == (3, 1, 1)
    assert [e.execution_id for e in status.executions] == [blocker, high, *low]
    client.cancel(blocker)
    ends = [client.wait(execution_id, 30).ended_at for execution_id in (high, *low)]
    assert ends == sorted(ends, key=lambda time: time or 0.0)


def test_wait_has_a_deadline_and_the_execution_goes_on(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "wait"})
    with pytest.raises(WaitTimeoutError, match=r"0\.05 s"):
        client.wait(execution_id, 0.05)
    wait_for_progress(client, execution_id)
    client.cancel(execution_id)
    assert client.wait(execution_id, 30).status is S.CANCELLED


def test_the_same_submission_sent_again_is_the_same_execution(client: ExecutionClient) -> None:
    request = ExecuteRequest(submission_id="my-own-id-0001", payload={"do": "nothing", "value": 1})
    replies = [client.request(request, AcceptedResponse) for _ in range(3)]
    assert [reply.duplicate for reply in replies] == [False, True, True]
    assert client.wait("my-own-id-0001", 30).result == 1
    assert client.request(request, AcceptedResponse).duplicate
    assert statuses(client, "my-own-id-0001") == ["queued", "running", "complete"]


def test_log_lines_travel_with_the_execution(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "log", "lines": 3})
    lines = [event for event in client.events(execution_id) if isinstance(event, LogLine)]
    assert [(line.sequence, line.text) for line in lines] == [(1, "line 0"), (2, "line 1"), (3, "line 2")]


def test_progress_that_breaks_the_schema_is_refused_at_the_sender(client: ExecutionClient) -> None:
    result = client.wait(client.submit({"do": "bad_progress"}), 30).result
    assert "execution_id" in result


def test_a_task_that_is_too_large_is_refused_before_it_is_sent(client: ExecutionClient) -> None:
    with pytest.raises(MessageError, match="pass a path"):
        client.submit(b"x" * (ZMQConfig().max_message_bytes + 1))
    assert client.wait(client.submit({"do": "nothing", "value": b"x" * 5_000_000}), 30).result == b"x" * 5_000_000


def test_a_killed_server_loses_nothing_that_it_accepted(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    done = client.submit({"do": "nothing", "value": 7})
    client.wait(done, 30)
    running = client.submit({"do": "grandchild"})
    wait_for_progress(client, running)
    grandchild = next(int(e.text) for e in client.events(running) if isinstance(e, LogLine))
    assert psutil.pid_exists(grandchild)
    queued = [client.submit({"do": "nothing", "value": number}) for number in range(5)]
    workers = psutil.Process(client.server.pid).children()
    os.kill(client.server.pid, signal.SIGKILL)
    assert client.wait(running, 60).status is S.INTERRUPTED
    _, alive = psutil.wait_procs(workers, 2)
    assert not alive
    assert [client.wait(execution_id, 30).result for execution_id in queued] == list(range(5))
    assert client.poll_status(done).result == 7
    snapshot = client.poll_status(running)
    assert snapshot.status is S.INTERRUPTED
    assert snapshot.error == "the server ended while the execution was running"
    assert statuses(client, running) == ["queued", "running", "interrupted"]
    assert not psutil.pid_exists(grandchild)
    client.shutdown_server()


def test_workers_that_hold_the_interpreter_die_with_their_server(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    execution_id = client.submit({"do": "hold_interpreter"})
    wait_for_progress(client, execution_id)
    workers = psutil.Process(client.server.pid).children()
    os.kill(client.server.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, 2)
    assert not alive
    client.connect()
    client.shutdown_server()


def test_stopping_the_server_interrupts_what_runs_and_ends_all_its_processes(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    running = client.submit({"do": "grandchild"})
    wait_for_progress(client, running)
    family = psutil.Process(client.server.pid).children(recursive=True)
    client.shutdown_server()
    _, alive = psutil.wait_procs(family, 2)
    assert not alive
    client.connect()
    snapshot = client.poll_status(running)
    assert snapshot.status is S.INTERRUPTED
    assert snapshot.error == "the server was stopped while the execution was running"
    client.shutdown_server()


def test_a_reader_goes_on_where_it_was_after_a_restart(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    execution_id = client.submit({"do": "wait"})
    events = client.events(execution_id)
    for event in events:
        if isinstance(event, ProgressUpdate):
            break
    os.kill(client.server.pid, signal.SIGKILL)
    rest = list(events)
    assert [str(e.execution.status) for e in rest if isinstance(e, StateChange)] == ["interrupted"]
    client.shutdown_server()


def test_a_server_of_a_script_finds_its_class_in_the_workers(isolated_home: Path, tmp_path: Path) -> None:
    script = tmp_path / "render.py"
    script.write_text(
        "from zmqruntime.execution import ExecutionClient, ExecutionServer\n"
        "class Render(ExecutionServer):\n"
        "    def execute_task(self, execution_id, request):\n"
        "        return request.payload * 2\n"
        "if __name__ == '__main__':\n"
        "    with ExecutionClient(server=Render, persistent=False) as client:\n"
        "        print(client.wait(client.submit(21), 30).result)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "42\n"


def test_a_server_in_this_process_with_options_for_its_workers() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        from servers import ModelServer, NeedyServer
    finally:
        sys.path.pop(0)
    with ModelServer(7778, model="nuclei") as server, ExecutionClient(7778) as client:
        assert server.max_concurrent == 1
        assert client.wait(client.submit({"do": "model"}), 30).result == "nuclei"
    with NeedyServer(7778, model="nuclei"), ExecutionClient(7778) as client:
        snapshot = client.wait(client.submit({"do": "nothing"}), 30)
        assert snapshot.status is S.FAILED
        assert "must be in its options" in (snapshot.error or "")


def test_a_local_class_is_refused_with_the_remedy() -> None:
    class Local(ExecutionServer):
        def execute_task(self, execution_id: str, request: ExecuteRequest) -> None:
            return None

    from zmqruntime import ConfigurationError

    with pytest.raises(ConfigurationError, match="top of its module"):
        Local(7779).start()


def test_a_full_disk_refuses_what_is_new_and_loses_nothing(make_client: MakeClient, isolated_home: Path) -> None:
    client = make_client()
    running = client.submit({"do": "wait"})
    wait_for_progress(client, running)
    database = next(isolated_home.rglob("executions.sqlite"))
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")  # as good as a full disk: the server cannot write
        with pytest.raises(RequestRefusedError, match="not accepted") as caught:
            client.submit({"do": "nothing"}, timeout=30)
        assert caught.value.code is ErrorCode.STORAGE
        lock.execute("ROLLBACK")
    client.cancel(running)
    assert client.wait(running, 30).status is S.CANCELLED
    assert client.wait(client.submit({"do": "nothing", "value": 1}), 30).result == 1


def test_what_a_full_disk_refused_leaves_its_worker_to_the_next(make_client: MakeClient, isolated_home: Path) -> None:
    client = make_client()
    client.wait(client.submit({"do": "nothing"}), 30)  # the only worker is idle now
    database = next(isolated_home.rglob("executions.sqlite"))
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        with pytest.raises(RequestRefusedError, match="not accepted"):
            client.submit({"do": "nothing"}, timeout=30)
        lock.execute("ROLLBACK")
    accepted = submit_when_it_can_write(client, {"do": "nothing", "value": 2})
    assert client.wait(accepted, 30).result == 2


def test_a_cancel_while_the_start_waits_for_the_disk_is_heard(make_client: MakeClient, isolated_home: Path) -> None:
    client = make_client()
    client.wait(client.submit({"do": "nothing"}), 30)  # the worker is idle now
    client.change_queue(QueueAction.PAUSE)
    execution_id = client.submit({"do": "wait"})
    database = next(isolated_home.rglob("executions.sqlite"))
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        client.change_queue(QueueAction.RESUME)
        assert client.cancel(execution_id).execution_status is S.CANCELLING
        lock.execute("ROLLBACK")
    assert client.wait(execution_id, 10).status is S.CANCELLED


def test_an_end_that_was_heard_needs_no_server(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "nothing", "value": 3})
    assert client.wait(execution_id, 30).result == 3
    client.shutdown_server()
    assert client.wait(execution_id, 5).result == 3


def test_a_client_that_was_cut_off_asks_for_many_executions_at_once(client: ExecutionClient) -> None:
    client.change_queue(QueueAction.PAUSE)
    ids = client.submit_batch([client.request_for({"do": "nothing"}) for _ in range(1500)], 30)
    asked: list[Message] = []
    send = client.ask_on_loop

    def note(message: Message) -> "Future[Message]":
        asked.append(message)
        return send(message)

    client.ask_on_loop = note  # type: ignore[method-assign]
    client._io.call_soon(client.on_resync)
    client.status()
    questions = [message.execution_ids for message in asked if isinstance(message, PositionsRequest)]
    assert [*questions[0], *questions[1]] == ids


def test_a_database_of_a_newer_release_is_refused_and_left_alone(make_client: MakeClient, isolated_home: Path) -> None:
    client = make_client()
    client.disconnect()
    database = next(isolated_home.rglob("executions.sqlite"))
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    from zmqruntime import ServerStartError

    with pytest.raises(ServerStartError, match="newer release"):
        make_client()
