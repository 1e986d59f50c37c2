"""Executions that a worker is handed ahead: queued until it begins them, and never run twice or lost."""

import contextlib
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil
import pytest

from zmqruntime import ExecutionStatus, ProgressUpdate, QueueAction, ZMQConfig
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.server.handovers import HandedOver, Pace
from zmqruntime.execution.workers.begun import BegunNotes, begun_dir, forget_begun, notes_in, read_begun
from zmqruntime.execution.workers.work_queue import Inbox, WorkQueue, receive_end
from zmqruntime.messages import EventBatch, EventBatches, Message
from zmqruntime.testing import leak_check, own_home

S = ExecutionStatus
Kill = Callable[[ExecutionClient], None]
ClientT = TypeVar("ClientT", bound=ExecutionClient)

SERVERS = Path(__file__).with_name("servers.py")
QUICK = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.5)
COUNT = 15


@pytest.fixture(scope="module")
def isolated_home() -> Iterator[Path]:
    """One home for all tests here: they share a server, or what is left of it when one of them has killed it."""
    with pytest.MonkeyPatch.context() as patch, own_home(patch) as home:
        yield home


@pytest.fixture(scope="module")
def no_leaks() -> Iterator[None]:
    """The server belongs to all of them, so nothing must be left after the last one."""
    with leak_check():
        yield


def make_client(kind: type[ClientT]) -> ClientT:
    """A client of the shared server, which outlives it."""
    return kind(7777, server=f"{SERVERS}:HandingAheadServer", config=QUICK)


@pytest.fixture(scope="module")
def shared(isolated_home: Path, no_leaks: None) -> Iterator[None]:
    """Stops the shared server after the last test."""
    yield
    with make_client(ExecutionClient) as client:
        client.shutdown_server()
    for log in isolated_home.rglob("server.log"):
        print(log.read_text())  # shown when a test failed


@pytest.fixture
def client(shared: None) -> Iterator[ExecutionClient]:
    """A client of the shared server, which has nothing to do before and after the test."""
    with make_client(ExecutionClient) as client:
        yield client
        client.change_queue(QueueAction.RESUME)
        client.cancel_many(client.unended(), grace_seconds=0)


class Batch:
    """A first execution that runs until it is let go, and others behind it, each of which leaves a line in a file."""

    def __init__(self, client: ExecutionClient, folder: Path, after: str = "", *, resumable: bool = False) -> None:
        self.client = client
        self.go, self.ran = folder / "go", folder / "ran"
        wait = f"import pathlib, time\nreport(0, 1)\ngo = pathlib.Path({str(self.go)!r})\n"
        wait += "while not go.exists(): time.sleep(0.001)\n"
        tasks = [{"do": "code", "code": wait + after}, *[{"do": "append", "file": str(self.ran)}] * COUNT]
        self.first, *self.others = client.submit_batch(
            [client.request_for(task, resumable=resumable) for task in tasks]
        )
        next(event for event in client.events(self.first) if isinstance(event, ProgressUpdate))
        assert len(handed(client).runs) == COUNT

    def let_go(self) -> None:
        self.go.touch()

    def lines(self) -> int:
        return len(self.ran.read_text().splitlines()) if self.ran.exists() else 0

    def check_others(self, *, but: int = 0) -> None:
        """The others have run, once and in their first attempt."""
        ends = [self.client.wait(execution_id, 60) for execution_id in self.others]
        assert [end.attempts for end in ends if end.status is S.COMPLETE] == [1] * (COUNT - but)
        assert self.lines() == COUNT - but


def database(client: ExecutionClient) -> "contextlib.closing[sqlite3.Connection]":
    path = client.config.server_dir(client.port) / "executions.sqlite"
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def handed(client: ExecutionClient) -> HandedOver:
    with database(client) as connection:
        found = HandedOver.read(*connection.execute("SELECT content, crc FROM handed_over").fetchone())
    assert found is not None
    return found


def test_what_is_ahead_is_queued_until_its_worker_begins_it(client: ExecutionClient, tmp_path: Path) -> None:
    batch = Batch(client, tmp_path)
    report = batch.client.status()
    assert (report.running, report.queued) == (1, COUNT)
    states = [batch.client.poll_status(each) for each in batch.others]
    assert [(each.status, each.queue_position, each.attempts) for each in states] == [
        (S.QUEUED, place, 0) for place in range(COUNT)
    ]
    batch.let_go()
    batch.check_others()


def test_a_worker_that_dies_takes_only_what_it_was_running_with_it(client: ExecutionClient, tmp_path: Path) -> None:
    batch = Batch(client, tmp_path, "os.kill(os.getpid(), 9)")
    batch.let_go()
    assert "SIGKILL" in (batch.client.wait(batch.first, 60).error or "")
    batch.check_others()


def test_a_worker_that_cannot_be_cleaned_gives_back_what_it_has(client: ExecutionClient, tmp_path: Path) -> None:
    batch = Batch(client, tmp_path, "os.close(1)")
    batch.let_go()
    assert batch.client.wait(batch.first, 60).status is S.COMPLETE
    batch.check_others()


def test_one_that_is_ahead_and_is_cancelled_never_runs(client: ExecutionClient, tmp_path: Path) -> None:
    batch = Batch(client, tmp_path)
    assert "will not run" in batch.client.cancel(batch.others[3]).message
    end = batch.client.wait(batch.others[3], 60)
    assert (end.status, end.attempts) == (S.CANCELLED, 0)
    batch.let_go()
    batch.check_others(but=1)


def test_many_that_are_ahead_are_cancelled_together(client: ExecutionClient, tmp_path: Path) -> None:
    batch = Batch(client, tmp_path)
    counts = batch.client.cancel_many(batch.others, queued_only=True)
    assert counts.not_run == COUNT
    batch.let_go()
    assert batch.client.wait(batch.first, 60).status is S.COMPLETE
    assert batch.lines() == 0


def test_killing_the_first_one_does_not_touch_those_that_are_ahead(client: ExecutionClient, tmp_path: Path) -> None:
    batch = Batch(client, tmp_path)
    batch.client.cancel(batch.first, grace_seconds=0)
    assert batch.client.wait(batch.first, 60).status is S.CANCELLED
    batch.check_others()


def test_a_higher_priority_comes_before_what_is_ahead(client: ExecutionClient, tmp_path: Path) -> None:
    batch = Batch(client, tmp_path)
    urgent = batch.client.submit({"do": "nothing"}, priority=5)
    batch.let_go()
    started = batch.client.wait(urgent, 60).started_at or 0.0
    batch.check_others()
    assert all(started <= (batch.client.poll_status(each).started_at or 0.0) for each in batch.others)


def test_a_pause_holds_what_is_ahead(client: ExecutionClient, tmp_path: Path) -> None:
    batch = Batch(client, tmp_path)
    batch.client.change_queue(QueueAction.PAUSE)
    batch.let_go()
    batch.client.wait(batch.first, 60)
    assert batch.client.status().queued == COUNT
    assert batch.lines() == 0
    batch.client.change_queue(QueueAction.RESUME)
    batch.check_others()


def test_one_that_is_ahead_can_be_held_and_moved(client: ExecutionClient, tmp_path: Path) -> None:
    batch = Batch(client, tmp_path)
    batch.client.change_queue(QueueAction.HOLD, batch.others[0])
    batch.client.change_queue(QueueAction.MOVE, batch.others[-1], position=0)
    batch.let_go()
    moved, *rest = [batch.client.wait(each, 60).started_at or 0.0 for each in (batch.others[-1], *batch.others[1:-1])]
    assert all(moved <= each for each in rest)
    assert batch.client.poll_status(batch.others[0]).status is S.QUEUED
    batch.client.change_queue(QueueAction.RELEASE, batch.others[0])
    batch.check_others()


def test_a_long_one_at_the_head_does_not_hold_the_others_back(isolated_home: Path, tmp_path: Path) -> None:
    server = f"{SERVERS}:HandingAheadForAMomentServer"
    with ExecutionClient(7778, server=server, config=QUICK, persistent=False) as client:
        let_others_pass(client, tmp_path / "go")


def let_others_pass(client: ExecutionClient, go: Path) -> None:
    waiting, *others = client.submit_batch(
        [
            client.request_for({"do": "resumable_until", "file": str(go)}),
            *[client.request_for({"do": "nothing"}) for _ in range(20)],
        ]
    )
    assert all(client.wait(each, 60).status is S.COMPLETE for each in others)
    assert client.poll_status(waiting).status is S.RUNNING
    go.touch()
    client.wait(waiting, 60)


def test_what_is_ahead_stays_queued_when_the_server_is_stopped(client: ExecutionClient, tmp_path: Path) -> None:
    batch = Batch(client, tmp_path)
    batch.client.shutdown_server()
    batch.client.connect()
    assert batch.client.poll_status(batch.first).status is S.INTERRUPTED
    batch.check_others()


def test_what_is_ahead_stays_queued_when_the_server_is_killed(
    client: ExecutionClient, tmp_path: Path, kill_server: Kill
) -> None:
    batch = Batch(client, tmp_path)
    kill_server(batch.client)
    assert batch.client.wait(batch.first, 60).status is S.INTERRUPTED
    batch.check_others()


def test_what_a_worker_began_before_its_server_was_killed_is_not_run_again(
    client: ExecutionClient, tmp_path: Path, kill_server: Kill
) -> None:
    batch = Batch(client, tmp_path)
    server = psutil.Process(batch.client.server.pid)
    began = tmp_path / "began"
    stuck = f"import pathlib, time\npathlib.Path({str(began)!r}).touch()\ntime.sleep(3600)"
    last = batch.client.submit({"do": "code", "code": stuck}, priority=2)
    assert len(handed(batch.client).runs) > 1
    server.suspend()
    batch.let_go()
    while not began.exists():
        os.sched_yield()
    kill_server(batch.client)
    end = batch.client.wait(last, 60)
    assert (end.status, end.attempts) == (S.INTERRUPTED, 1)
    assert batch.client.wait(batch.first, 60).status is S.INTERRUPTED


def test_after_a_power_failure_what_was_ahead_may_have_run(
    client: ExecutionClient, tmp_path: Path, kill_server: Kill
) -> None:
    batch = Batch(client, tmp_path)
    was = handed(batch.client)
    os.kill(batch.client.server.pid, signal.SIGSTOP)  # so that no successor starts before the machine "was off"
    with database(batch.client) as connection:
        row = msgspec.structs.replace(was, boot="another").row()
        connection.execute("UPDATE handed_over SET content = ?, crc = ?", row)
    kill_server(batch.client)
    ends = [batch.client.wait(each, 60) for each in (batch.first, *batch.others)]
    assert {(end.status, end.attempts) for end in ends} == {(S.INTERRUPTED, 1)}
    assert batch.lines() == 0


def test_resumable_ones_that_were_ahead_run_again_without_an_attempt_spent(
    client: ExecutionClient, tmp_path: Path, kill_server: Kill
) -> None:
    batch = Batch(client, tmp_path, resumable=True)
    kill_server(batch.client)
    batch.let_go()
    assert batch.client.wait(batch.first, 60).attempts == 2
    batch.check_others()


class CountingClient(ExecutionClient):
    """Notes how many executions each message from the server is about."""

    told: list[int]

    def on_event(self, topic: bytes, event: Message) -> None:
        if isinstance(event, EventBatch | EventBatches):
            self.told.append(len(event.batches) if isinstance(event, EventBatches) else 1)
        super().on_event(topic, event)


def test_ends_that_come_together_are_one_commit_and_one_message(shared: None, tmp_path: Path) -> None:
    with make_client(CountingClient) as client:
        client.told = []
        batch = Batch(client, tmp_path)
        server = psutil.Process(client.server.pid)
        server.suspend()
        told_before = len(client.told)
        batch.let_go()
        while batch.lines() < COUNT:
            os.sched_yield()
        server.resume()
        batch.check_others()
        told = client.told[told_before:]
    assert len(told) <= 4, "the server hears of some of them in another turn at most"
    assert sum(told) <= COUNT + 3, "start and end of each are told together"


# --- the parts alone ----------------------------------------------------------------------------------------------


def test_pace_gives_a_worker_about_a_fiftieth_of_a_second_ahead() -> None:
    pace = Pace()
    assert pace.ahead("f") == 0, "it is not known how long it takes"
    pace.note("f", 0.001)
    pace.note("g", 5.0)
    assert (pace.ahead("f"), pace.ahead("g")) == (20, 0)
    for _ in range(30):
        pace.note("g", 0.0)
    assert pace.ahead("g") > 0


def test_pace_forgets_the_names_that_it_has_not_heard_of_for_longest() -> None:
    pace = Pace()
    for number in range(3000):
        pace.note(str(number), 0.001)
    assert (pace.ahead("0"), pace.ahead("2999")) == (0, 20)


def test_what_a_server_forgets_at_its_first_commit_are_not_the_notes_of_its_own_workers(
    client: ExecutionClient, tmp_path: Path, kill_server: Kill
) -> None:
    kill_server(client)
    client.connect()
    execution_id = client.submit({"do": "nothing"})
    assert client.wait(execution_id, 60).status is S.COMPLETE
    with database(client) as connection:
        query = "SELECT number FROM executions WHERE execution_id = ?"
        (number,) = connection.execute(query, (execution_id,)).fetchone()
    assert (number, 1) in read_begun(notes_in(begun_dir(client.config.server_dir(client.port))))


def test_only_the_notes_that_are_named_are_forgotten(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    (tmp_path / "1").write_bytes(b"of another worker")
    before = notes_in(tmp_path)
    notes = BegunNotes(tmp_path, ours.fileno())
    assert notes.note(7, 1)
    forget_begun(before)
    assert (7, 1) in read_begun(notes_in(tmp_path))
    os.close(notes.descriptor)
    ours.close()
    theirs.close()


def test_a_damaged_row_is_not_read() -> None:
    content, crc = HandedOver(boot="b", runs=[(1, 1)]).row()
    assert HandedOver.read(content, crc) == HandedOver(boot="b", runs=[(1, 1)])
    assert HandedOver.read(content, crc + 1) is None


@pytest.mark.skipif(sys.platform != "linux", reason="this platform has no packets in order")
def test_each_packet_is_taken_by_one_side() -> None:
    ours, theirs = socket.socketpair()
    queue = WorkQueue()
    queue.give_end_to(ours)
    end = receive_end(theirs)
    assert end is not None
    for number in range(3):
        assert queue.put(b"%d" % number)
    assert end.recv(10) == b"0"
    assert queue.take_back() == [b"1", b"2"]
    inbox = Inbox(end)
    inbox.end()
    assert inbox.take() is None
    assert not queue.fits(bytes(64 * 1024))
    queue.close()
    for sock in (ours, theirs, end):
        sock.close()


def test_without_packets_nothing_is_handed_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SOCK_SEQPACKET")
    ours, theirs = socket.socketpair()
    queue = WorkQueue()
    queue.give_end_to(ours)
    assert not queue.is_usable
    assert receive_end(theirs) is None
    assert queue.take_back() == []
    ours.close()
    theirs.close()
