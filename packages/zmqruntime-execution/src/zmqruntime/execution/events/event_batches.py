"""Numbered batches of events, packed by the server as they happen and unpacked in order by a client."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from zmqruntime.codec import Decoder, encode
from zmqruntime.exceptions import MessageError
from zmqruntime.execution.events.compaction import Superseded
from zmqruntime.messages import Event, EventBatch, LogLine, Message

__all__ = [
    "Gap",
    "OpenBatch",
    "PackedBatch",
    "Reader",
    "compact",
    "empty_batch",
    "numbers_of",
    "pack_many",
    "unpack",
]

_COMPACT_EVENTS = 500
_FULL_BYTES = 64 * 1024


class PackedBatch(Message, frozen=True, kw_only=True, tag="event_batch"):
    """An ``EventBatch`` whose events are encoded."""

    execution_id: str
    after: int
    upto: int
    events: list[msgspec.Raw]
    numbers: list[int] = msgspec.field(default_factory=list)


class _PackedBatches(Message, frozen=True, kw_only=True, tag="event_batches"):
    """An ``EventBatches`` whose batches are encoded."""

    batches: list[msgspec.Raw]


unpack: Decoder[PackedBatch] = Decoder(PackedBatch)
"""Decodes a stored batch, leaving its events encoded; raises ``MessageError`` if it is not a batch."""
_decode_event: Decoder[Event] = Decoder(Event)


class OpenBatch:
    """Events of one execution that are not written yet, numbered from ``after`` + 1."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.events: list[msgspec.Raw] = []
        self.size = 0

    @classmethod
    def of(cls, packed: PackedBatch) -> "OpenBatch":
        """Return a batch with the same events."""
        batch = cls(packed.after)
        batch.add(packed.events)
        return batch

    @property
    def upto(self) -> int:
        """Number of the last event."""
        return self.after + len(self.events)

    @property
    def is_full(self) -> bool:
        """Whether further events should go into another batch."""
        return self.size > _FULL_BYTES

    def add(self, events: list[msgspec.Raw]) -> None:
        """Append encoded events."""
        self.events += events
        self.size += sum(len(memoryview(event)) for event in events)

    def pack(self, execution_id: str) -> bytes:
        """Return the batch as it is stored and published."""
        return _pack(execution_id, self.after, self.upto, self.events)


def empty_batch(execution_id: str, count: int) -> EventBatch:
    """Return a batch that tells a new subscriber the number of events."""
    return EventBatch(execution_id=execution_id, after=count, upto=count, events=[])


def pack_many(batches: list[msgspec.Raw]) -> bytes:
    """Return encoded batches of several executions as one message, a single one as it is."""
    return encode(_PackedBatches(batches=batches)) if len(batches) > 1 else bytes(batches[0])


def compact(newest_first: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Compact batches into fewer ones without superseded events, which cover the same numbers without a gap.

    Never holds more than one new batch in memory.

    Args:
        newest_first: Encoded batches, from newest to oldest.

    Yields:
        The number of the last event of each new batch, and the encoded batch, from newest to oldest.
    """
    judge = Superseded()
    kept: list[tuple[int, msgspec.Raw]] = []
    upto = after = 0
    execution_id = ""
    for batch in map(unpack, newest_first):
        execution_id, after, upto = batch.execution_id, batch.after, upto or batch.upto
        numbered = list(zip(numbers_of(batch), batch.events, strict=True))
        kept += [(number, event) for number, event in reversed(numbered) if not _may_go(event, judge)]
        if len(kept) >= _COMPACT_EVENTS:
            yield upto, _pack_numbered(execution_id, after, upto, kept[::-1])
            kept, upto = [], 0
    if upto:
        yield upto, _pack_numbered(execution_id, after, upto, kept[::-1])


def numbers_of(batch: EventBatch | PackedBatch) -> Sequence[int]:
    """Return the number of each event of a batch.

    For a batch that an earlier version has merged, the numbers are not known: all but the last event then have the
    number of the event before the batch, so that a reader that continues from there repeats some, but misses none.
    """
    count = len(batch.events)
    if count == batch.upto - batch.after:
        return range(batch.after + 1, batch.upto + 1)
    if len(batch.numbers) == count:
        return batch.numbers
    return [*[batch.after] * (count - 1), batch.upto]


def _may_go(event: msgspec.Raw, judge: Superseded) -> bool:
    try:
        return judge.may_go(_decode_event(event))
    except MessageError:
        return False  # an event that violates the schema is kept, for readers to report


def _pack(execution_id: str, after: int, upto: int, events: list[msgspec.Raw], numbers: Sequence[int] = ()) -> bytes:
    return encode(PackedBatch(execution_id=execution_id, after=after, upto=upto, events=events, numbers=list(numbers)))


def _pack_numbered(execution_id: str, after: int, upto: int, numbered: list[tuple[int, msgspec.Raw]]) -> bytes:
    numbers = [number for number, _ in numbered] if len(numbered) < upto - after else ()
    return _pack(execution_id, after, upto, [event for _, event in numbered], numbers)


class Gap(Exception):
    """Events are missing between those read so far and a batch; request those after ``Reader.position``."""


class Reader:
    """Orders live and requested batches of one execution, without gaps or duplicates."""

    __slots__ = ("_sequences", "known", "position")

    def __init__(self, position: int = 0) -> None:
        self.position = position
        """Number of the last event that was read."""
        self.known = position
        """Highest number known to exist."""
        self._sequences: dict[type[Event], int] = {}

    @property
    def is_behind(self) -> bool:
        """Whether there are unread events."""
        return self.position < self.known

    def note(self, upto: int) -> None:
        """Note that events up to ``upto`` exist."""
        self.known = max(self.known, upto)

    def settle(self, upto: int) -> None:
        """Note that nothing is left to read up to ``upto``: the rest was compacted or pruned."""
        self.position = self.known = upto

    def restart(self) -> None:
        """Start again from the first event, because the server's events differ from those that were read."""
        self.position = self.known = 0
        self._sequences.clear()

    def read(self, batch: EventBatch) -> list[Event]:
        """Return the new events of a batch.

        Raises:
            Gap: Events before them are missing; nothing was read.
        """
        self.note(batch.upto)
        if batch.upto <= self.position:
            return []
        if batch.after > self.position:
            raise Gap
        position, self.position = self.position, batch.upto
        after, latest, new = batch.after, self._sequences, list[Event]()
        for number, event in zip(numbers_of(batch), batch.events, strict=True):
            if number <= position and number != after:
                continue
            kind, sequence = type(event), event.sequence
            if sequence > latest.get(kind, 0):
                latest[kind] = sequence
            elif sequence or kind is not LogLine:  # 0 is that of a line from the server, not from the task
                continue
            # It was just decoded; a copy of each would cost more than all the rest.
            msgspec.structs.force_setattr(event, "number", number)
            new.append(event)
        return new
