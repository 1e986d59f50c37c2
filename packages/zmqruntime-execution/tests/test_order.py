"""Dependencies, resources, limits and named queues of a real server, also when it is killed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zmqruntime import ErrorCode, ExecutionSnapshot, ExecutionStatus, QueueAction, RequestRefusedError, StateChange
from zmqruntime.execution import Concurrency, ExecutionClient, Rate

S = ExecutionStatus
MakeClient = Callable[..., ExecutionClient]


def until(file: Path) -> dict[str, str]:
    """A task that runs until a file is there."""
    code = f"import time\nfrom pathlib import Path\nwhile not Path({str(file)!r}).exists():\n    time.sleep(0.01)\n"
    return {"do": "code", "code": code}


def wait_until_running(client: ExecutionClient, execution_id: str, attempt: int = 1) -> None:
    for event in client.events(execution_id):
        if isinstance(event, StateChange) and (event.execution.status, event.execution.attempts) == (
            S.RUNNING,
            attempt,
        ):
            return


def ran_at(snapshot: ExecutionSnapshot) -> tuple[float, float]:
    assert snapshot.started_at is not None
    assert snapshot.ended_at is not None
    return snapshot.started_at, snapshot.ended_at


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A file that tasks wait for; made at the latest when the test ends."""
    file = tmp_path / "gate"
    yield file
    file.touch()


def test_what_keeps_an_execution_waiting_keeps_nothing_behind_it(make_client: MakeClient, gate: Path) -> None:
    client = make_client(max_concurrent=4, resources={"gpu": 1.5})
    busy = client.submit(until(gate), name="busy", queue="slow", resources={"gpu": 1}, concurrency=Concurrency("db", 1))
    wait_until_running(client, busy)
    client.change_queue(QueueAction.LIMIT, queue="slow", limit=1)
    client.change_queue(QueueAction.PAUSE, queue="off")
    waiting = {
        "1 other first": client.submit({}, after=[busy]),
        "gpu": client.submit({}, resources={"gpu": 1, "memory": 1e6, "threads": 1}),
        "concurrency": client.submit({}, concurrency=Concurrency("db", 1)),
        "queue limit": client.submit({}, queue="slow"),
        "queue paused": client.submit({}, queue="off"),
    }
    assert client.wait(client.submit({"value": 1}, resources={"gpu": 0.5}), 30).result == 1
    report = client.status()
    assert {entry.waits_for: entry.execution_id for entry in report.executions if entry.waits_for} == waiting
    assert [entry.name for entry in report.executions if entry.status is S.RUNNING] == ["busy"]
    queues = {queue.name: (queue.queued, queue.running, queue.limit, queue.paused) for queue in report.queues}
    assert queues == {"default": (3, 0, None, False), "slow": (1, 1, 1, False), "off": (1, 0, None, True)}
    gate.touch()
    paused = waiting.pop("queue paused")
    ends = [client.wait(execution_id, 30) for execution_id in [busy, *waiting.values()]]
    assert [end.status for end in ends] == [S.COMPLETE] * 5
    assert client.poll_status(paused).waits_for == "queue paused"
    client.change_queue(QueueAction.RESUME, queue="off")
    assert client.wait(paused, 30).status is S.COMPLETE


def test_how_a_dependency_ends_is_passed_on(make_client: MakeClient, gate: Path) -> None:
    client = make_client(max_concurrent=2)
    first, second, third = (
        client.request_for({"do": "code", "code": "1/0"}, name="divide"),
        client.request_for(until(gate)),
        client.request_for({}),
    )
    batch = [
        first,
        second,
        third,
        client.request_for({}, after=[first.submission_id, third.submission_id]),
        client.request_for({}, after=[second.submission_id], name="middle"),
    ]
    batch += [client.request_for({}, after=[each.submission_id]) for each in batch[3:]]
    ids = client.submit_batch(batch)
    wait_until_running(client, ids[1])
    client.cancel(ids[1], grace_seconds=0)
    errors = [client.wait(execution_id, 30).error for execution_id in ids[3:]]
    failed = f"it needs {ids[0]} (divide), which failed: ZeroDivisionError: division by zero"
    cancelled = f"it needs {ids[1]}, which was cancelled"
    assert errors == [failed, cancelled, failed, cancelled]
    assert client.wait(client.submit({}, after=[ids[0]]), 30).error == failed
    for wrong, code, text in (
        ({"after": ["unknown-execution"]}, ErrorCode.NOT_FOUND, "unknown-execution, which this server does not have"),
        ({"resources": {"gpu": 1}}, ErrorCode.INVALID, "no resource 'gpu', only memory, threads"),
        ({"resources": {"memory": 1e18}}, ErrorCode.INVALID, "needs 1e\\+18 of 'memory', but this server has"),
        ({"resources": {"memory": float("nan")}}, ErrorCode.INVALID, "resources"),
    ):
        with pytest.raises(RequestRefusedError, match=text) as refused:
            client.submit({}, **wrong)
        assert refused.value.code is code


def test_order_and_limits_survive_a_kill(
    make_client: MakeClient, kill_server: Callable[[ExecutionClient], None], gate: Path
) -> None:
    client = make_client(persistent=True, max_concurrent=4)
    rate = Rate("api", 2, 3.0)
    early = [client.submit({}, rate=rate) for _ in range(2)]
    first = client.submit(until(gate), resumable=True, concurrency=Concurrency("db", 1))
    lost = client.submit(until(gate), name="lost")
    starts = [ran_at(client.wait(execution_id, 30)) for execution_id in early]
    wait_until_running(client, first)
    wait_until_running(client, lost)
    client.change_queue(QueueAction.PAUSE, queue="off")
    after = client.submit({}, after=[first, *early])
    doomed = client.submit({}, after=[lost])
    same_key = client.submit({}, concurrency=Concurrency("db", 1))
    paused = client.submit({}, queue="off")
    late = [client.submit({}, rate=rate) for _ in range(3)]
    kill_server(client)
    client.connect()
    wait_until_running(client, first, attempt=2)
    states = {each: client.poll_status(each).waits_for for each in (after, same_key, paused)}
    assert states == {after: "1 other first", same_key: "concurrency", paused: "queue paused"}
    lost_error = "which was interrupted: the server ended while the execution was running"
    assert client.wait(doomed, 30).error == f"it needs {lost} (lost), {lost_error}"
    gate.touch()
    assert client.wait(after, 30).status is S.COMPLETE
    assert client.wait(same_key, 30).status is S.COMPLETE
    starts += [ran_at(client.wait(execution_id, 30)) for execution_id in late]
    times = sorted(start for start, _ in starts)
    assert all(later - earlier >= 3.0 for earlier, later in zip(times, times[2:], strict=False))
    client.shutdown_server()
