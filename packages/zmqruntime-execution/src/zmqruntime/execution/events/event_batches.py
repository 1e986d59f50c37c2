"""Events of an execution, numbered and packed: by the server as they happen, and unpacked in order by a client."""

from collections.abc import Iterable, Iterator

import msgspec

from zmqruntime.codec import Decoder, encode
from zmqruntime.exceptions import MessageError
from zmqruntime.execution.events.compaction import Superseded
from zmqruntime.messages import Event, EventBatch, LogLine, Message

__all__ = ["Gap", "OpenBatch", "PackedBatch", "Reader", "compact", "empty_batch", "unpack"]

_COMPACT_EVENTS = 500
_FULL_BYTES = 64 * 1024


class PackedBatch(Message, frozen=True, kw_only=True, tag="event_batch"):
    """An ``EventBatch`` whose events are encoded."""

    execution_id: str
    after: int
    upto: int
    events: list[msgspec.Raw]


unpack: Decoder[PackedBatch] = Decoder(PackedBatch)
"""A batch as it is stored, with its events still encoded. Raises MessageError."""
_decode_event: Decoder[Event] = Decoder(Event)


class OpenBatch:
    """The events of one execution that are not written yet, numbered from ``after``."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.events: list[msgspec.Raw] = []
        self.size = 0

    @property
    def upto(self) -> int:
        """The number of the last event."""
        return self.after + len(self.events)

    @property
    def is_full(self) -> bool:
        """Whether more events had better go into another batch."""
        return self.size > _FULL_BYTES

    def add(self, events: list[msgspec.Raw]) -> None:
        """Append encoded events."""
        self.events += events
        self.size += sum(len(memoryview(event)) for event in events)

    def pack(self, execution_id: str) -> bytes:
        """The batch as it is stored and published."""
        return _pack(execution_id, self.after, self.upto, self.events)


def empty_batch(execution_id: str, count: int) -> EventBatch:
    """Says how many events there are, to a subscriber that has just come."""
    return EventBatch(execution_id=execution_id, after=count, upto=count, events=[])


def compact(newest_first: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The same batches without superseded events, in fewer pieces that cover the same numbers without a gap.

    Takes encoded batches from the newest to the oldest and gives each piece, encoded, with the number of its last
    event, in that order. Never holds more than a piece.
    """
    judge = Superseded()
    kept: list[msgspec.Raw] = []
    upto = after = 0
    execution_id = ""
    for batch in map(unpack, newest_first):
        execution_id, after, upto = batch.execution_id, batch.after, upto or batch.upto
        kept += [event for event in reversed(batch.events) if not _may_go(event, judge)]
        if len(kept) >= _COMPACT_EVENTS:
            yield upto, _pack(execution_id, after, upto, kept[::-1])
            kept, upto = [], 0
    if upto:
        yield upto, _pack(execution_id, after, upto, kept[::-1])


def _may_go(event: msgspec.Raw, judge: Superseded) -> bool:
    try:
        return judge.may_go(_decode_event(event))
    except MessageError:
        return False  # what breaks the schema stays, for its readers to tell


def _pack(execution_id: str, after: int, upto: int, events: list[msgspec.Raw]) -> bytes:
    return encode(PackedBatch(execution_id=execution_id, after=after, upto=upto, events=events))


class Gap(Exception):
    """Events are missing between what was read and what arrived; ask for those after ``Reader.position``."""


class Reader:
    """Puts the batches of one execution, live ones and asked-for ones, into order without gap or repetition."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        """The number of the last event that was read."""
        self.known = position
        """The highest number that is known to exist."""
        self._sequences: dict[type[Event], int] = {}

    @property
    def is_behind(self) -> bool:
        """Whether events exist that were not read."""
        return self.position < self.known

    def note(self, upto: int) -> None:
        """Events up to ``upto`` exist."""
        self.known = max(self.known, upto)

    def settle(self, upto: int) -> None:
        """There is nothing left to read: the rest was merged or pruned away."""
        self.position = self.known = upto

    def restart(self) -> None:
        """Whatever was read is not what there is: begin with the first event."""
        self.position = self.known = 0
        self._sequences.clear()

    def read(self, batch: EventBatch) -> list[Event]:
        """The events of the batch that are new.

        Raises:
            Gap: some before them are missing; nothing was read.
        """
        self.note(batch.upto)
        if batch.upto <= self.position:
            return []
        if batch.after > self.position:
            raise Gap
        known = self.position - batch.after if len(batch.events) == batch.upto - batch.after else 0
        self.position = batch.upto
        return [event for event in batch.events[known:] if self._is_new(event)]

    def _is_new(self, event: Event) -> bool:
        kind = type(event)
        if isinstance(event, LogLine) and event.sequence == 0:
            return True  # not of the task: its server says something about the events
        if event.sequence <= self._sequences.get(kind, 0):
            return False
        self._sequences[kind] = event.sequence
        return True
