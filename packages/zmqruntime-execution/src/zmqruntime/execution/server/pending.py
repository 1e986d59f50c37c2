"""What the next commit of a server will write: changed executions, their events, and other rows."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from zmqruntime.codec import encode
from zmqruntime.execution.events.event_batches import OpenBatch, unpack
from zmqruntime.execution.server.damage import crc_of
from zmqruntime.execution.server.database import Statement
from zmqruntime.execution.server.implied_states import FIRST, LAST, batch_of, latest_is_implied
from zmqruntime.execution.server.record import Record, Row
from zmqruntime.messages import ExecuteRequest, StateChange

__all__ = ["Pending", "Written", "with_crc"]

_OUTCOME = "INSERT OR REPLACE INTO outcomes (number, traceback, result, crc) VALUES (?, ?, ?, ?)"
_SUBMISSION = "INSERT INTO submissions (number, payload, crc) VALUES (?, ?, ?)"
_EVENTS = "INSERT INTO event_batches (number, upto, batch) VALUES (?, ?, ?)"
_CHECKPOINT = "INSERT OR REPLACE INTO checkpoints (number, key, value, crc) VALUES (?, ?, ?, ?)"
_MOST_UNWRITTEN_BYTES = 1024 * 1024


class Written(NamedTuple):
    """A batch of events that is on disk."""

    record: Record
    batch: bytes


class Change:
    """The changes of one execution since the last commit."""

    __slots__ = ("batches", "implied_before", "record", "request")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.request: ExecuteRequest | None = None
        """The submission, if the record itself is new."""
        self.batches: list[OpenBatch] = []
        self.implied_before = record.implied_states
        """How many of its states are implied on disk."""

    def add_events(self, events: list[msgspec.Raw]) -> None:
        """Add encoded events with the next numbers."""
        for event in events:
            if not self.batches or self.batches[-1].is_full:
                self.batches.append(OpenBatch(self.record.event_count))
            self.batches[-1].add([event])
            self.record.event_count += 1

    def packed(self) -> Iterator[tuple[int | None, bytes]]:
        """Encode the new batches in order, each with the number of its last event, or None if it is not stored."""
        record = self.record
        if self.implied_before < LAST == record.implied_states == record.event_count:
            yield None, batch_of(record, self.implied_before, LAST)
            return
        if self.implied_before < (first := min(record.implied_states, FIRST)):
            yield None, batch_of(record, self.implied_before, first)
        for batch in self.batches:
            yield batch.upto, batch.pack(record.execution_id)
        if self.implied_before < LAST == record.implied_states:
            yield None, batch_of(record, FIRST, LAST)


class Pending:
    """Collects the writes of a turn; on the thread of the server's loop only."""

    def __init__(self) -> None:
        self.changes: dict[str, Change] = {}
        self.checkpoints: dict[int, dict[str, bytes]] = {}
        self.is_durable = False
        """Whether the disk must have the next commit before anything of it is told."""
        self.is_urgent = False
        """Whether it should not wait for further writes."""
        self.promised = 0
        """How many durable writes were added so far."""
        self.event_bytes = 0
        self._writes: list[tuple[str, Row]] = []

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.changes and not self._writes

    def promise(self) -> None:
        """Make the next commit durable, and soon."""
        self.is_durable = self.is_urgent = True
        self.promised += 1

    def change(self, record: Record) -> Change:
        """Return what has changed about an execution, which will be written."""
        change = self.changes.get(record.execution_id)
        if change is None:
            change = self.changes[record.execution_id] = Change(record)
            if record.written_count is None:
                record.written_count = record.event_count
        return change

    # --- events --------------------------------------------------------------------------------------------------

    def add_events(self, record: Record, events: list[msgspec.Raw]) -> None:
        """Add encoded events with the record's next numbers."""
        self.change(record).add_events(events)
        self.is_durable = True
        self.event_bytes += sum(len(memoryview(event)) for event in events)
        self.is_urgent = self.is_urgent or self.event_bytes > _MOST_UNWRITTEN_BYTES

    def add_state(self, record: Record, now: float) -> None:
        """Add an event with the current state of the record, durably."""
        self.promise()
        record.state_count += 1
        change = self.change(record)
        if latest_is_implied(record):
            record.implied_states += 1
            record.event_count += 1
            return
        self.spell_out(record)
        snapshot = record.snapshot(event_count=record.event_count + 1)
        told = StateChange(sequence=record.state_count, timestamp=now, execution=snapshot)
        change.add_events([msgspec.Raw(encode(told))])

    def spell_out(self, record: Record) -> None:
        """Store the state events that its row implies like all others, because they will follow from it no longer."""
        if not record.implied_states:
            return
        change = self.change(record)
        before, upto = change.implied_before, record.implied_states
        if before:
            self.add(_EVENTS, (record.number, before, batch_of(record, 0, before)))
        if upto > before:
            change.batches.insert(0, OpenBatch.of(unpack(batch_of(record, before, upto))))
        record.implied_states = change.implied_before = 0

    def replace_events(self, record: Record, batches: list[tuple[int, bytes]]) -> None:
        """Replace all stored batches by these, each given with the number of its last event."""
        self.add("DELETE FROM event_batches WHERE number = ?", (record.number,))
        self._writes.extend((_EVENTS, (record.number, upto, batch)) for upto, batch in batches)

    # --- other rows ----------------------------------------------------------------------------------------------

    def add(self, statement: str, values: Row) -> None:
        """Add a statement, to be carried out before the changes of executions are written."""
        self._writes.append((statement, values))

    def remove_others(self, statements: frozenset[str], values: Row) -> None:
        """Drop those of some statements that are about the same name, the first value."""
        self._writes = [each for each in self._writes if each[0] not in statements or each[1][:1] != values[:1]]

    def add_checkpoint(self, record: Record, key: str, value: bytes) -> None:
        """Add a value for a resumed run."""
        self.add(_CHECKPOINT, with_crc(record.number, key, value))
        self.checkpoints.setdefault(record.number, {})[key] = value

    def discard(self, record: Record) -> None:
        """Drop the writes of a record that was never committed."""
        self.changes.pop(record.execution_id, None)
        self._writes = [(statement, values) for statement, values in self._writes if values[0] != record.number]

    # --- the commit ----------------------------------------------------------------------------------------------

    def statements(self) -> tuple[list[Statement], list[Written]]:
        """Encode all of it, so that within the transaction only the database itself can fail.

        Returns:
            The statements in order, and the batches of events that are published once they are carried out.
        """
        rows: dict[str, list[Row]] = {}
        written: list[Written] = []
        for change in self.changes.values():
            for statement, values in _rows_of(change):
                rows.setdefault(statement, []).append(values)
            record = change.record
            for upto, batch in change.packed():
                written.append(Written(record, batch))
                if upto is not None:
                    rows.setdefault(_EVENTS, []).append((record.number, upto, batch))
        return [*self._others(), *rows.items()], written

    def _others(self) -> list[Statement]:
        """Return the other statements in their order, consecutive ones together if they are the same."""
        found: list[Statement] = []
        for statement, values in self._writes:
            if not found or found[-1][0] != statement:
                found.append((statement, []))
            found[-1][1].append(values)
        return found

    def written(self) -> None:
        """Note that all of it is on disk."""
        for change in self.changes.values():
            change.record.has_new_outcome = False
            change.record.written_count = change.record.event_count
        self.changes.clear()
        self._writes.clear()
        self.checkpoints.clear()
        self.is_durable = self.is_urgent = False
        self.event_bytes = 0


def with_crc(number: int, *values: object) -> Row:
    """Return a row of a table other than ``executions``, with its checksum."""
    return (number, *values, crc_of(number, *values))


def _rows_of(change: Change) -> list[tuple[str, Row]]:
    """Return the rows of an execution, except for its events."""
    record = change.record
    if change.request is None:
        rows = [record.updated()]
    else:
        rows = [record.inserted(), (_SUBMISSION, with_crc(record.number, encode(change.request.payload)))]
    is_first = record.attempts <= 1
    if record.has_new_outcome and not (is_first and record.traceback is None and record.result is None):
        rows.append((_OUTCOME, with_crc(record.number, record.traceback, record.result)))
    return rows
