"""Each event tells its number, with which another reader continues exactly after it."""

import msgspec
from hypothesis import given, settings, strategies as st

from zmqruntime import LogLine, ProgressPhase, ProgressStatus, ProgressUpdate
from zmqruntime.codec import Decoder, encode
from zmqruntime.execution.client.tolerant_decoder import TolerantDecoder
from zmqruntime.execution.events.event_batches import OpenBatch, Reader, compact
from zmqruntime.messages import Event, EventBatch, LogLevel

decode: Decoder[EventBatch] = Decoder(EventBatch)


def progress(sequence: int, step: int) -> ProgressUpdate:
    return ProgressUpdate(
        execution_id="e", plate_id="", axis_id="A01", step_name="", step_index=step, total_steps=9,
        phase=ProgressPhase.PATTERN_GROUP, status=ProgressStatus.RUNNING, completed=0, total=0, percent=0.0,
        timestamp=0.0, sequence=sequence,
    )  # fmt: skip


def line(sequence: int) -> LogLine:
    return LogLine(execution_id="e", sequence=sequence, timestamp=0.0, level=LogLevel.INFO, logger="", text="")


def events_of(kinds: list[int]) -> list[Event]:
    counts = [0, 0]
    made: list[Event] = []
    for kind in kinds:  # 0 is a line, others are the step of an update
        counts[kind > 0] += 1
        made.append(progress(counts[1], kind) if kind else line(counts[0]))
    return made


def packed(events: list[Event], size: int) -> list[bytes]:
    batches: list[bytes] = []
    for begin in range(0, len(events), size):
        batch = OpenBatch(begin)
        batch.add([msgspec.Raw(encode(event)) for event in events[begin : begin + size]])
        batches.append(batch.pack("e"))
    return batches


def read(batches: list[bytes], after: int = 0) -> list[Event]:
    reader = Reader(after)
    return [event for data in batches for event in reader.read(decode(data)) if reader.position]


@settings(deadline=None)  # a busy machine is slow
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 7), st.data())
def test_a_reader_continues_exactly_after_the_number_of_an_event(
    kinds: list[int], size: int, data: st.DataObject
) -> None:
    events = events_of(kinds)
    live = packed(events, size)
    assert [event.number for event in read(live)] == list(range(1, len(events) + 1))
    merged = [batch for _, batch in compact(reversed(live))][::-1]
    again = [batch for _, batch in compact(reversed(merged))][::-1]
    assert again == merged
    kept = read(merged)
    assert [event.number for event in kept][-1] == len(events)
    for event in kept:
        assert event.sequence == events[event.number - 1].sequence
    last_read = data.draw(st.integers(0, len(events)))
    assert read(merged, last_read) == [event for event in kept if event.number > last_read]
    assert read(live, last_read) == read(live)[last_read:]


def test_events_that_an_earlier_version_has_merged_are_repeated_rather_than_missed() -> None:
    old = encode(EventBatch(execution_id="e", after=10, upto=20, events=[line(1), line(2), line(3)]))
    assert [event.number for event in read([old], 10)] == [10, 10, 20]
    assert len(read([old], 15)) == 3


def test_an_event_that_cannot_be_read_takes_its_number_with_it() -> None:
    batch = OpenBatch(4)
    batch.add([msgspec.Raw(encode(line(1))), msgspec.Raw(encode({"type": "log"})), msgspec.Raw(encode(line(2)))])
    salvaged = TolerantDecoder((EventBatch,), lambda error: None)(batch.pack("e"))
    assert isinstance(salvaged, EventBatch)
    assert [event.number for event in Reader(4).read(salvaged)] == [5, 7]
