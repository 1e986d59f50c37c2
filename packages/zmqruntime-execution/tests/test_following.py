"""Followers against a model of a lossy channel: every event once, in order, to the end."""

from hypothesis import given
from hypothesis import strategies as st

from zmqruntime import CancelRequest, LogLevel, LogLine, QueueAction
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.following import Follower
from zmqruntime.messages import Event, EventBatch, EventsRequest, EventsResponse


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
