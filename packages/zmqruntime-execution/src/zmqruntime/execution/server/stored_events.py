"""The events of an execution as they are read from the database: stored batches, and the states that are implied."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from zmqruntime.execution.server.damage import whole_batches
from zmqruntime.execution.server.database import Database, StoreError
from zmqruntime.execution.server.implied_states import FIRST, LAST, batch_of
from zmqruntime.execution.server.record import Record

__all__ = ["EVENTS_AFTER", "StoredEvents", "backwards", "events_after", "with_implied"]

EVENTS_AFTER = "SELECT upto, batch FROM event_batches WHERE number = ? AND upto > ? ORDER BY upto"
_REPLAY_BYTES = 900_000  # with the last batch below a million, above which a decoder scans a message first

_Rows = Iterable[tuple[int, bytes]]


class StoredEvents(NamedTuple):
    """Some of the events of an execution."""

    batches: list[bytes]
    """Encoded batches in order; one that cannot be read is replaced by one with a line that says so."""
    upto: int
    """Number of the last event that the execution has on disk."""


def events_after(database: Database, record: Record, after: int, add_outcome: Callable[[Record], None]) -> StoredEvents:
    """Return the batches after an event, as many as fit into one reply.

    Args:
        database: The database.
        record: The execution as it is on disk.
        after: Number of that event.
        add_outcome: Reads its outcome into the record.
    """
    upto = record.event_count if record.implied_states else _last_stored(database, record)
    with database.reading() as connection:
        rows = connection.execute(EVENTS_AFTER, (record.number, after))
        found = list(_up_to_size(with_implied(record, after, rows, add_outcome)))
    return StoredEvents(whole_batches(record.execution_id, after, found), upto)


def with_implied(
    record: Record, after: int, rows: _Rows, add_outcome: Callable[[Record], None]
) -> Iterator[tuple[int, bytes | None]]:
    """Put the implied states where they belong among the rows of ``EVENTS_AFTER``; None for one that cannot be read."""
    first = min(record.implied_states, FIRST)
    if after < first:
        yield first, batch_of(record, 0, first)
    yield from rows
    if record.implied_states == LAST and after < record.event_count:
        try:
            add_outcome(record)
        except StoreError:
            yield record.event_count, None
        else:
            yield record.event_count, batch_of(record, FIRST, LAST)


def _up_to_size(batches: Iterable[tuple[int, bytes | None]]) -> Iterator[tuple[int, bytes | None]]:
    size = 0
    for upto, batch in batches:
        yield upto, batch
        size += len(batch or b"")
        if size > _REPLAY_BYTES:
            return


def _last_stored(database: Database, record: Record) -> int:
    row = database.one("SELECT COALESCE(MAX(upto), 0) FROM event_batches WHERE number = ?", record.number)
    return 0 if row is None else int(row[0])


def backwards(database: Database, record: Record) -> Iterator[bytes]:
    """Iterate over the stored batches from newest to oldest; do not write before the iteration has ended."""
    query = "SELECT batch FROM event_batches WHERE number = ? ORDER BY upto DESC"
    with database.reading() as connection:
        for (batch,) in connection.execute(query, (record.number,)):
            yield batch
