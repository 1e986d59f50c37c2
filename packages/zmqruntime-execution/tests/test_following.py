"""Followers against a model of a lossy channel: every event once, in order, to the end."""

import concurrent.futures
import contextlib
import dataclasses
import logging
import logging.handlers
import queue
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from zmqruntime import CancelRequest, LogLevel, LogLine, ProgressUpdate, QueueAction
from zmqruntime.execution import ExecutionClient, InvalidProgressError
from zmqruntime.execution.client.followers import Follower, IteratorSink
from zmqruntime.messages import Event, EventBatch, EventsRequest, EventsResponse, Message


def line(number: int) -> LogLine:
    return LogLine(execution_id="e", sequence=number, timestamp=0.0, level=LogLevel.INFO, logger="t", text=str(number))


def batch(after: int, upto: int) -> EventBatch:
    return EventBatch(execution_id="e", after=after, upto=upto, events=[line(n) for n in range(after + 1, upto + 1)])


class ListSink:
    """Keeps everything; has room when the test says so."""

    def __init__(self) -> None:
        self.is_done = False
        self.room = True
        self.numbers: list[int] = []

    def put(self, events: list[Event]) -> None:
        self.numbers.extend(event.sequence for event in events)

    def has_room(self) -> bool:
        return self.room

    def end(self) -> None:
        self.is_done = True

    def fail(self, error: Exception) -> None:
        raise error


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["arrives", "lost", "full", "answer"])), max_size=40))
def test_every_event_once_and_in_order_whatever_is_lost(steps: list[tuple[int, str]]) -> None:
    sink, asked = ListSink(), list[int]()
    follower = Follower("e", 0, sink, lambda _, after: asked.append(after))
    total = 0

    def answer() -> None:
        after = asked.pop()
        middle = min(total, after + 7)
        follower.on_response(EventsResponse(execution_id="e", batches=[batch(after, middle)] * 2, upto=total))

    for size, fate in steps:
        live = batch(total, total + size)
        total += size
        sink.room = fate != "full"
        if fate != "lost":
            follower.on_batch(live)
        if fate == "answer" and asked:
            answer()
    sink.room = True
    follower.on_position(total)
    while asked:
        answer()
    assert sink.numbers == list(range(1, total + 1))


def test_a_reader_that_is_ahead_of_what_is_left_settles() -> None:
    asked: list[int] = []
    follower = Follower("e", 0, ListSink(), lambda _, after: asked.append(after))
    follower.on_position(50)
    assert asked == [0]
    follower.on_response(EventsResponse(execution_id="e", batches=[], upto=40))
    assert asked == [0]


def test_no_answer_is_asked_for_again_at_the_next_sign() -> None:
    asked: list[int] = []
    follower = Follower("e", 0, ListSink(), lambda _, after: asked.append(after))
    follower.on_position(5)
    follower.on_response(None)
    follower.on_position(5)
    assert asked == [0, 0]


def test_an_answer_counts_only_events_that_it_could_hold(client: ExecutionClient) -> None:
    """An event of the same turn as the question is not written yet: who took it for merged away would never see it."""
    client.change_queue(QueueAction.PAUSE)
    for _ in range(30):
        execution_id = client.submit({"do": "nothing"})
        client.send_request(CancelRequest(execution_id=execution_id))
        answer = client.send_request(EventsRequest(execution_id=execution_id)).result(30)
        assert isinstance(answer, EventsResponse)
        assert answer.batches[-1].upto == answer.upto


class UnluckyClient(ExecutionClient):
    """The replies to its first questions for events get lost."""

    lost = 0

    def ask_on_loop(self, message: Message) -> "concurrent.futures.Future[Message]":
        if isinstance(message, EventsRequest) and self.lost < 3:
            self.lost += 1
            return concurrent.futures.Future()
        return super().ask_on_loop(message)


def test_a_reply_that_gets_lost_is_asked_for_again(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "nothing"})
    client.wait(execution_id, 30)
    with UnluckyClient(client.port, config=dataclasses.replace(client.config, request_timeout=0.2)) as unlucky:
        assert len(list(unlucky.events(execution_id))) == 3
        assert unlucky.lost == 3


def test_an_end_before_the_subscription_has_arrived_is_not_missed(make_client: Callable[..., ExecutionClient]) -> None:
    """What is published while the data channel is still opening, first or again, is asked for once it is open."""
    client = make_client(persistent=True)
    for number in range(5):
        client.change_queue(QueueAction.PAUSE)
        ids = [client.submit({"do": "nothing", "value": number}) for _ in range(3)]
        client.shutdown_server()
        client.connect()
        client.change_queue(QueueAction.RESUME)
        assert [client.wait(execution_id, 20).result for execution_id in ids] == [number] * 3
    client.shutdown_server()


def test_after_missed_heartbeats_what_was_lost_is_asked_for(
    client: ExecutionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the live events nor the positions in heartbeats arrive; only the gap between two heartbeats tells."""
    monkeypatch.setattr(client, "on_event", lambda topic, event: None)
    monkeypatch.setattr(client, "on_heartbeat", lambda heartbeat: None)
    execution_id = client.submit({"do": "nothing", "value": 1})
    deadline = time.monotonic() + 20
    while client.poll_status(execution_id).ended_at is None and time.monotonic() < deadline:
        pass
    monkeypatch.setattr(client.subscription, "_beat_at", 0.0)
    assert client.wait(execution_id, 10).result == 1


@pytest.mark.parametrize("server", ["BenchServer", "ThreadServer"])
def test_progress_that_breaks_the_schema_is_told_and_costs_nothing_else(
    make_client: Callable[..., ExecutionClient], server: str
) -> None:
    seen, told = list[ProgressUpdate](), list[InvalidProgressError]()
    client = make_client(server, progress_callback=seen.append, on_error=told.append)
    execution_id = client.submit({"do": "rude"})
    assert client.wait(execution_id, 30).status == "complete"
    assert [update.completed for update in seen] == [0, 2]
    assert sorted({word for error in told for word in WRONG if word in str(error)}) == sorted(WRONG)
    live = client.bad_updates
    assert live == len(told) >= len(WRONG)
    late = list(client.events(execution_id))
    assert [event.completed for event in late if isinstance(event, ProgressUpdate)] == [0, 2]
    assert [event.text for event in late if isinstance(event, LogLine)] == ["between"]
    assert client.bad_updates >= live + len(WRONG)
    assert client.wait(client.submit({"do": "nothing", "value": 1}), 30).result == 1


def test_who_does_not_listen_to_errors_has_them_counted_and_logged(client: ExecutionClient) -> None:
    logged: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = logging.handlers.QueueHandler(logged)
    logger = logging.getLogger("zmqruntime.execution.progress.rules")
    logger.addHandler(handler)
    try:
        list(client.events(client.submit({"do": "rude"})))
        assert client.bad_updates >= len(WRONG)
        while "completed 9 is more than total 3" not in logged.get(timeout=10).getMessage():
            pass  # the others
    finally:
        logger.removeHandler(handler)


WRONG = ("completed 9", "timestamp nan", "percent", "phase")


class CountedLock(threading.Condition):
    """Counts how often it is taken."""

    taken = 0

    def __enter__(self) -> bool:
        self.taken += 1
        return super().__enter__()


def test_a_reader_takes_the_lock_once_for_all_that_has_arrived() -> None:
    sink = IteratorSink(lambda events: events)
    lock = sink._changed = CountedLock()
    sink.put(list[Event](map(line, range(1, 1_001))))
    reader = iter(sink)
    assert [next(reader).sequence for _ in range(1_000)] == list(range(1, 1_001))
    assert lock.taken == 2
    sink.put([line(1_001), line(1_002)])
    assert next(reader).sequence == 1_001
    sink.put([line(1_003)])
    taken = sink.take(10)  # what one way of reading has taken over is not lost for the other
    assert [event.sequence for event in taken or ()] == [1_002, 1_003]
    sink.end()
    assert sink.take(1) is None


def test_a_reader_that_was_full_tells_once_that_there_is_room() -> None:
    sink = IteratorSink(lambda events: events)
    told: list[int] = []
    sink.on_room = lambda: told.append(1)
    sink.put(list[Event](map(line, range(1, 5_003))))
    reader = iter(sink)
    assert not sink.has_room()
    for _ in range(2):
        next(reader)
        assert not told
    next(reader)
    assert told == [1]
    assert sink.has_room()
    next(reader)
    assert told == [1]


def test_many_followers_in_one_process_get_all_events(make_client: Callable[..., ExecutionClient]) -> None:
    client = make_client()
    with contextlib.ExitStack() as stack:
        config = client.config
        others = [stack.enter_context(ExecutionClient(client.port, config=config)) for _ in range(12)]
        execution_id = client.submit({"do": "steps", "count": 300, "size": 10})
        with concurrent.futures.ThreadPoolExecutor(len(others)) as threads:
            followed = list(threads.map(lambda each: list(each.events(execution_id)), others))
        count = client.wait(execution_id, 60).event_count
    assert count > 300
    for events in followed:
        assert events == followed[0]
        assert [event.number for event in events] == list(range(1, count + 1))
