"""Executions on disk: one SQLite database per server, written once per turn, before anything is promised to clients."""

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from zmqruntime.codec import encode
from zmqruntime.environment import TaskEnvironment
from zmqruntime.execution.server import stored_events
from zmqruntime.execution.server.contents import Contents
from zmqruntime.execution.server.damage import is_intact, is_whole, readable
from zmqruntime.execution.server.database import REMEDY, DamagedStoreError, Database, StoreError, as_list
from zmqruntime.execution.server.environments import Environments
from zmqruntime.execution.server.handovers import HandedOver
from zmqruntime.execution.server.history import History
from zmqruntime.execution.server.needs import needs_of
from zmqruntime.execution.server.pending import Pending, Written
from zmqruntime.execution.server.record import COLUMNS, DamagedRowError, Record, read_rows
from zmqruntime.execution.server.stored_events import StoredEvents
from zmqruntime.messages import ExecuteRequest, ExecutionStatus, PackedExecuteRequest

__all__ = ["DamagedStoreError", "Record", "Store", "StoreError", "Written"]

_log = logging.getLogger(__name__)


class Store:
    """The database of one server; used on its loop's thread only.

    Writes are collected and carried out by :meth:`commit`, and synchronized to disk if one of them must be durable.

    Args:
        path: The database file; created if it does not exist.

    Raises:
        ConfigurationError: The database cannot be opened, or was made by a newer release.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending = Pending()
        self._database = Database(path, self._read_numbers)

    def _read_numbers(self, database: Database) -> None:
        (self._last_number,) = database.connection.execute("SELECT COALESCE(MAX(number), 0) FROM executions").fetchone()
        self._history = History(database)
        self._environments = Environments(database.connection)
        self._contents = Contents(database, self._environments)

    def close(self) -> None:
        """Release the database."""
        self._database.close()

    # --- writing -------------------------------------------------------------------------------------------------

    @property
    def is_urgent(self) -> bool:
        """Whether pending writes should not wait for further ones."""
        return self._pending.is_urgent

    @property
    def promised(self) -> int:
        """How many durable writes were added so far."""
        return self._pending.promised

    def keep_uptime(self) -> None:
        """Write the uptime with the next commit."""
        self._pending.add(*self._history.uptime_row())

    def create(self, request: ExecuteRequest) -> Record:
        """Return a record for a new queued execution; :meth:`insert` writes it."""
        self._last_number += 1
        return Record(
            number=self._last_number,
            execution_id=request.submission_id,
            plate_id=request.plate_id,
            priority=request.priority,
            rank=float(self._last_number),
            soft_time_limit=request.soft_time_limit,
            time_limit=request.time_limit,
            max_retries=request.max_retries,
            retry_delay=request.retry_delay,
            resumable=request.resumable,
            status=ExecutionStatus.QUEUED,
            submitted_at=time.time(),
            environment=None if request.environment is None else self._environments.number_of(request.environment),
            has_checkpoints=False,
            name=request.name,
            queue=request.queue,
            needs=needs_of(request),
        )

    def insert(self, record: Record, request: ExecuteRequest) -> None:
        """Write a new record; durable with the next commit."""
        self._pending.change(record).request = request
        self._pending.promise()

    def update(self, record: Record) -> None:
        """Write the current state of a record; durable with the next commit."""
        self._pending.change(record)
        self._pending.promise()

    def note_end(self, record: Record) -> None:
        """Record the end of an execution and its place in the order of endings."""
        self._history.note_end(record)

    def append_state(self, record: Record) -> None:
        """Write the current state of a record, and append an event with it; durable with the next commit."""
        self._pending.add_state(record, time.time())

    def spell_out_states(self, record: Record) -> None:
        """Store the states that follow from the record; call it before the record loses when it has started."""
        self._pending.spell_out(record)

    def append_events(self, record: Record, events: list[msgspec.Raw]) -> None:
        """Append encoded events with the record's next numbers, which are not published before they are durable."""
        self._pending.add_events(record, events)

    def save_checkpoint(self, record: Record, key: str, value: msgspec.Raw) -> None:
        """Keep a value for a resumed run; durable with the next commit."""
        record.has_checkpoints = True
        self._pending.promise()
        self._pending.add_checkpoint(record, key, bytes(value))

    def forget_checkpoints(self, record: Record) -> None:
        """Delete the checkpoints of an execution that has ended for good."""
        self._pending.checkpoints.pop(record.number, None)
        if record.has_checkpoints:
            self._pending.add("DELETE FROM checkpoints WHERE number = ?", (record.number,))

    def replace_events(self, record: Record, batches: list[tuple[int, bytes]]) -> None:
        """Replace all stored batches by these, each given with the number of its last event."""
        self._pending.replace_events(record, batches)

    def write(self, statement: str, values: tuple[object, ...]) -> None:
        """Carry out a statement with the next commit, durably."""
        self._pending.add(statement, values)
        self._pending.promise()

    def write_latest(self, statement: str, values: tuple[object, ...], among: frozenset[str]) -> None:
        """Carry out a statement in place of those of ``among`` about the same name that wait for the next commit."""
        self._pending.remove_others(among, values)
        self.write(statement, values)

    def set_setting(self, name: str, value: bool) -> None:
        """Keep a switch of the queue; durable with the next commit."""
        self.write("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, int(value)))

    def prune(self, keep: int, max_uptime: float, at_most: int) -> list[str]:
        """Delete some of the oldest ended executions with the next commit, which does not wait for others.

        Args:
            keep: Number of the newest ended executions to keep.
            max_uptime: Age in seconds, counted while a server was running so that a wrong clock deletes nothing, after
                which executions are deleted as well.
            at_most: Maximum number of executions to delete.

        Returns:
            The ids of the deleted executions.
        """
        pruned = self._history.prune(keep, max_uptime, at_most, self._pending.add)
        self._pending.is_urgent = self._pending.is_urgent or bool(pruned)
        return pruned

    def commit(self) -> list[Written]:
        """Carry out all writes since the last commit, in one transaction.

        Returns:
            The batches of events that were written.

        Raises:
            StoreError: None of them was carried out, for example because the disk is full. They are kept for the
                next attempt unless :meth:`discard` is called.
            DamagedStoreError: The same, and a next attempt would fail as well.
        """
        pending = self._pending
        if pending.is_empty:
            return []
        statements, written = pending.statements()
        statements = [*self._environments.new_rows(), *statements]
        self._database.write(statements, pending.event_bytes, durable=pending.is_durable)
        self._environments.written()
        pending.written()
        return written

    def discard(self, record: Record) -> None:
        """Drop the uncommitted writes of a record that was never committed."""
        self._pending.discard(record)

    # --- reading; each raises StoreError if the database cannot be read -------------------------------------------

    def open_records(self) -> list[Record]:
        """Return all executions that have not ended, in order of submission; skip and log damaged entries."""
        # Not by the index: an execution that is missing in a damaged one would wait forever.
        return self._records("NOT INDEXED WHERE ended_at IS NULL ORDER BY number")

    def find(self, execution_id: str) -> Record | None:
        """Return an execution, ended or not, or None."""
        return self._found("WHERE execution_id = ?", execution_id, {execution_id}).get(execution_id)

    def find_many(self, execution_ids: list[str]) -> dict[str, Record]:
        """Return the executions with these ids, as far as they exist, by their ids."""
        if len(execution_ids) == 1:
            return self._found("WHERE execution_id = ?", execution_ids[0], set(execution_ids))
        where = "WHERE execution_id IN (SELECT value FROM json_each(?))"
        return self._found(where, as_list(execution_ids), set(execution_ids))

    def _found(self, where: str, value: object, asked: set[str]) -> dict[str, Record]:
        found: dict[str, Record] = {}
        for entry in self._rows(where, value):
            if isinstance(entry, DamagedRowError):
                raise StoreError(f"{entry} in {self.path}; {REMEDY}")
            if entry.execution_id not in asked:
                raise StoreError(f"the index of {self.path} is damaged: it returned another execution; {REMEDY}")
            found[entry.execution_id] = entry
        return found

    def checked_end(self, record: Record) -> Record:
        """Return a record that has ended; for one that is open, say that its row is damaged.

        All open ones were read from the rows when the server started. A row whose id cannot be read was left out then,
        and is still found by the id in the index.
        """
        if record.ended_at is None:
            raise StoreError(f"the entry of execution {record.execution_id!r} is damaged in {self.path}; {REMEDY}")
        return record

    def ids_from(self, prefix: str, limit: int) -> list[str]:
        """Return up to ``limit`` ids that start with ``prefix``, sorted."""
        query = "SELECT execution_id FROM executions WHERE execution_id >= ? AND execution_id < ? ORDER BY 1 LIMIT ?"
        # None of the characters allowed in an id sorts after the tilde.
        found = [row[0] for row in self._database.all(query, prefix, f"{prefix}~", limit)]
        return [execution_id for execution_id in found if is_whole(execution_id)]

    def ended_records(self, limit: int, before: float | None = None, older_than: str | None = None) -> list[Record]:
        """Return ended executions, newest first, optionally only those before a time or an execution."""
        top = self._history.place_before(before, older_than)
        return self._records("WHERE ended_order < ? ORDER BY ended_order DESC LIMIT ?", top, limit)

    def add_outcome(self, record: Record) -> None:
        """Read traceback and result into the record, unless they are already there or the result is too large."""
        self._contents.add_outcome(record)

    def result_piece(self, record: Record, offset: int, length: int) -> bytes:
        """Return a piece of an encoded result in the database."""
        return self._contents.result_piece(record, offset, length)

    def request_of(self, record: Record) -> PackedExecuteRequest:
        """Return the submission of an execution."""
        found = self.requests_of([record])[record.execution_id]
        if isinstance(found, StoreError):
            raise found
        return found

    def requests_of(self, records: Sequence[Record]) -> dict[str, PackedExecuteRequest | StoreError]:
        """Return the submissions of executions by their ids; an error in place of one that cannot be read."""
        found: dict[str, PackedExecuteRequest | StoreError] = {}
        stored: list[Record] = []
        for record in records:
            change = self._pending.changes.get(record.execution_id)
            if change is not None and change.request is not None:
                found[record.execution_id] = _packed(change.request)
            else:
                stored.append(record)
        return found | self._contents.requests_of(stored) if stored else found

    def environment_of(self, record: Record) -> TaskEnvironment | None:
        """Return the environment of its processes, one object for equal ones; None for the server's own."""
        if record.environment is None:
            return None
        with self._database.reading():
            return self._environments.find(record.environment)

    def checkpoints_of(self, record: Record) -> dict[str, msgspec.Raw]:
        """Return the checkpoints of an interrupted or failed run, also unwritten ones: a retry may be immediate."""
        if not record.has_checkpoints:
            return {}
        kept = self._contents.checkpoints_of(record) | self._pending.checkpoints.get(record.number, {})
        return {key: msgspec.Raw(value) for key, value in kept.items()}

    def events_after(self, record: Record, after: int) -> StoredEvents:
        """Return the events on disk after event ``after``, as many as fit into one reply."""
        if record.execution_id in self._pending.changes:  # what it implies may have changed since it was written
            found = self.find(record.execution_id)
            if found is None:
                return StoredEvents([], 0)
            record = found
        return stored_events.events_after(self._database, record, after, self.add_outcome)

    def events_backwards(self, record: Record) -> Iterator[bytes]:
        """Iterate over all stored batches, from newest to oldest; do not write before the iteration has ended."""
        return stored_events.backwards(self._database, record)

    def _records(self, where: str, *values: object) -> list[Record]:
        found: list[Record] = []
        for entry in self._rows(where, *values):
            if isinstance(entry, Record):
                found.append(entry)
            else:
                _log.error("%s in %s; skipping it and serving all others", entry, self.path)
        return found

    def _rows(self, where: str, *values: object) -> list[Record | DamagedRowError]:
        with self._database.reading() as connection:
            return list(read_rows(connection.execute(f"SELECT {COLUMNS} FROM executions {where}", values)))

    # --- other tables --------------------------------------------------------------------------------------------

    def setting(self, name: str) -> bool:
        """Return a switch of the queue; off if it was never set."""
        row = self._database.one("SELECT value FROM settings WHERE name = ?", name)
        return bool(row and row[0])

    def queue_rows(self) -> list[tuple[str, int, int | None]]:
        """Return the settings of named queues; one whose settings are damaged counts as paused."""
        found = []
        for name, paused, most, crc in self._database.all("SELECT name, paused, most, crc FROM queues"):
            if not is_intact(crc, name, paused, most):
                _log.error("the settings of queue %r in %s are damaged: it is paused; resume it", name, self.path)
                paused, most = 1, None
            found.append((readable(name), paused, most))
        return found

    def rate_rows(self) -> list[tuple[str, int, float, float]]:
        """Return the starts of executions with a rate limit, in order; a damaged one counts as one of just now."""
        found = []
        query = "SELECT key, sequence, at, until, crc FROM rate_starts ORDER BY key, sequence"
        for key, sequence, at, until, crc in self._database.all(query):
            if not is_intact(crc, key, sequence, at, until):
                _log.error("a start with rate key %r in %s is damaged and counts as one of just now", key, self.path)
                at = time.time()
                until = max(at, until)
            found.append((readable(key), sequence, at, until))
        return found

    def kept_dependencies(self) -> list[str]:
        """Return the completed executions that others depend on although history has dropped them."""
        return [row[0] for row in self._database.all("SELECT execution_id FROM completed_dependencies")]

    def handed_over(self) -> HandedOver | None:
        """Return what workers had been handed ahead when that was last written; None if nothing ever was."""
        row = self._database.one("SELECT content, crc FROM handed_over")
        if row is None:
            return None
        found = HandedOver.read(*row)
        if found is None:
            raise StoreError(f"what workers were handed ahead is damaged in {self.path}; {REMEDY}")
        return found

    def keep_handed_over(self, handed: HandedOver) -> None:
        """Write what workers are handed ahead; durable with the next commit."""
        self.write("INSERT OR REPLACE INTO handed_over (id, content, crc) VALUES (0, ?, ?)", handed.row())

    def schedule_rows(self) -> list[tuple[str, bytes, int | None]]:
        """Return the schedules as they were written."""
        rows = self._database.all("SELECT name, content, crc FROM schedules")
        return [(readable(name), content, crc) for name, content, crc in rows]


def _packed(request: ExecuteRequest) -> PackedExecuteRequest:
    if isinstance(request, PackedExecuteRequest):
        return request
    fields = msgspec.structs.asdict(request)
    return PackedExecuteRequest(**{**fields, "payload": msgspec.Raw(encode(request.payload))})
