"""What shows only after long: many executions, several clients, another clock after a restart, run after run."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from zmqruntime import ExecuteRequest, ExecutionStatus, ProgressPhase, ProgressStatus, ProgressUpdate, StateChange
from zmqruntime.execution import ExecutionClient, ExecutionServer, WorkerKind, current_task
from zmqruntime.messages import Event, EventsRequest, Message, QueueAction

S = ExecutionStatus
MakeClient = Callable[..., ExecutionClient]


class FlakyServer(ExecutionServer):
    """Fails once if it is asked to."""

    worker_kind = WorkerKind.THREAD

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        task = current_task()
        if request.payload == "fail once" and not task.checkpoints():
            task.checkpoint("tried", True)
            raise OSError("the first attempt")
        for number in range(3):
            task.report(
                axis_id=f"A{number}",
                step_name="count",
                step_index=0,
                total_steps=1,
                phase=ProgressPhase.STEP_STARTED,
                status=ProgressStatus.RUNNING,
                completed=0,
                total=1,
            )
        task.log.info("done")
        return request.payload


def test_what_is_lost_at_the_high_water_mark_is_asked_for(make_client: MakeClient) -> None:
    """A client that reads nothing for a while: more is published than its queue and the server's hold."""
    client, other = make_client("ThreadServer"), make_client("ThreadServer")
    asked: list[Message] = []
    send, release = client.ask_on_loop, threading.Event()

    def note(message: Message) -> "Future[Message]":
        asked.append(message)
        return send(message)

    client.ask_on_loop = note  # type: ignore[method-assign]
    client.change_queue(QueueAction.PAUSE)
    ids = client.submit_batch([client.request_for({"do": "nothing", "value": n}) for n in range(2_500)], 60)

    def read_nothing() -> None:
        release.wait(60)

    client._io.call_soon(read_nothing)
    try:
        other.change_queue(QueueAction.RESUME)
        assert other.wait(ids[-1], 60).status is S.COMPLETE
    finally:
        release.set()
    assert [client.wait(execution_id, 60).result for execution_id in ids] == list(range(2_500))
    assert any(isinstance(message, EventsRequest) for message in asked)


def test_nothing_is_kept_of_executions_that_have_ended() -> None:
    seen: list[ProgressUpdate] = []
    with FlakyServer(7791) as server, ExecutionClient(7791, progress_callback=seen.append) as client:
        for _ in range(3):
            ids = [client.submit("fail once", max_retries=1, retry_delay=0.001) for _ in range(50)]
            ids += client.submit_batch([client.request_for(number) for number in range(150)], 30)
            for execution_id in ids:
                assert client.wait(execution_id, 60).status is S.COMPLETE
                list(client.events(execution_id))
        settle(client)
        ledger, runner = server._ledger, server._runner
        open_ones = (ledger.active, ledger._started, ledger._event_sizes, ledger.backlog._keys, ledger._just_ended)
        assert [len(kept) for kept in (*open_ones, runner._timers._timers, runner._overdue)] == [0] * 7
        kept = (client._followers, client._ends, client._delivered, client._unsure, client._control.channel._waiting)
        assert [len(each) for each in kept] == [0] * 5
        assert len(client._recent_ends) == 600
        assert len(seen) == 1800


def settle(client: ExecutionClient) -> None:
    """Let the I/O thread do what was handed to it."""
    done = threading.Event()
    client.poll_status(client.history(1)[0].execution_id)
    client._io.call_soon(done.set)
    assert done.wait(10)


def test_a_retry_does_not_wait_for_a_clock_that_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    tomorrow = time.time() + 86_400
    with monkeypatch.context() as patch, FlakyServer(7791), ExecutionClient(7791) as client:
        patch.setattr(time, "time", lambda: tomorrow)
        execution_id = client.submit("fail once", max_retries=1, retry_delay=2.0)
        next(event for event in client.events(execution_id) if is_retry(event))
    with FlakyServer(7791), ExecutionClient(7791) as client:
        assert client.wait(execution_id, 20).result == "fail once"


def is_retry(event: Event) -> bool:
    return isinstance(event, StateChange) and event.execution.status is S.QUEUED and event.execution.attempts == 1


def test_what_one_client_stops_or_leaves_is_not_the_work_of_another(make_client: MakeClient) -> None:
    mine, yours = (make_client("TwoThreadsServer", persistent=True) for _ in range(2))
    running = {client: client.submit({"do": "wait"}) for client in (mine, yours)}
    queued = yours.submit({"do": "nothing", "value": 1})
    for client, execution_id in running.items():
        next(event for event in client.events(execution_id) if isinstance(event, ProgressUpdate))
    mine.cancel(running[mine])
    assert mine.wait(running[mine], 30).status is S.CANCELLED
    mine.disconnect()
    assert yours.wait(queued, 30).result == 1
    assert yours.poll_status(running[yours]).status is S.RUNNING
    yours.cancel(running[yours])
    assert yours.wait(running[yours], 30).status is S.CANCELLED
    yours.shutdown_server()


@pytest.mark.parametrize("server", ["BenchServer", "ThreadServer"])
def test_a_run_after_a_run_in_the_same_process(make_client: MakeClient, server: str) -> None:
    for number in range(3):
        client = make_client(server)
        assert client.wait(client.submit({"do": "nothing", "value": number}), 30).result == number
        client.disconnect()
