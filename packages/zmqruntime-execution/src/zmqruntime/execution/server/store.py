"""Executions on disk: one SQLite database per server, written once per turn, before anything is promised to clients."""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from zmqruntime.codec import encode
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.events.event_batches import OpenBatch
from zmqruntime.execution.events.result_files import INLINE_RESULT_BYTES
from zmqruntime.execution.server.checkpointing import Checkpointer
from zmqruntime.execution.server.damage import (
    DATABASE_ERRORS,
    any_text,
    crc_of,
    is_intact,
    is_whole,
    readable,
    value_problem,
)
from zmqruntime.execution.server.environments import Environments
from zmqruntime.execution.server.needs import needs_of
from zmqruntime.execution.server.record import (
    COLUMNS,
    INSERT,
    UPDATE,
    DamagedRowError,
    Record,
    read_rows,
)
from zmqruntime.execution.server.schema import MIGRATIONS
from zmqruntime.messages import ExecuteRequest, ExecutionStatus, PackedExecuteRequest, StateChange
from zmqruntime.transport import prepare_private_file

__all__ = ["DamagedStoreError", "Record", "Store", "StoreError", "Written"]

_log = logging.getLogger(__name__)

_OUTCOME = "INSERT OR REPLACE INTO outcomes (number, traceback, result, crc) VALUES (?, ?, ?, ?)"
_SUBMISSION = "INSERT INTO submissions (number, payload, crc) VALUES (?, ?, ?)"
_INSERT_BATCH = "INSERT INTO event_batches (number, upto, batch) VALUES (?, ?, ?)"
_TABLES = ("executions", "submissions", "outcomes", "event_batches", "checkpoints")
_BUSY_SECONDS = 0.1  # no other process should write this file; one that does must not block the server
_REPLAY_BYTES = 1024 * 1024
_UPTIME = "uptime"
_MOST_UNWRITTEN_BYTES = 1024 * 1024
_REMEDY = (
    "stop the server and move the file away, with the files whose names start with its name; the server creates a new "
    "one when it is started, and 'sqlite3 FILE .recover' may recover the contents of the old one"
)

_Statement = tuple[str, tuple[object, ...]]
_Statements = tuple[str, list[tuple[object, ...]]]


class StoreError(Exception):
    """The database cannot be read, or could not be written; then nothing of the turn was written."""


class DamagedStoreError(StoreError):
    """The database is damaged where it would be written; trying again is of no use."""


class Written(NamedTuple):
    """A batch of events that is on disk."""

    record: Record
    batch: bytes


class _Change:
    """The changes of one execution since the last commit."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.request: ExecuteRequest | None = None
        """The submission, if the record itself is new."""
        self.batches: list[OpenBatch] = []

    def add_events(self, events: list[msgspec.Raw]) -> None:
        for event in events:
            if not self.batches or self.batches[-1].is_full:
                self.batches.append(OpenBatch(self.record.event_count))
            self.batches[-1].add([event])
            self.record.event_count += 1


def _with_crc(number: int, *values: object) -> tuple[object, ...]:
    return (number, *values, crc_of(number, *values))


def _mismatch(crc: object, *values: object) -> str | None:
    return None if is_intact(crc, *values) else "it does not match its checksum"


def _as_json(values: Sequence[str] | Sequence[int]) -> str:
    """Return values for ``json_each``, so that one prepared statement takes any number of them."""
    return msgspec.json.encode(values).decode()


def _packed(request: ExecuteRequest) -> PackedExecuteRequest:
    if isinstance(request, PackedExecuteRequest):
        return request
    fields = msgspec.structs.asdict(request)
    return PackedExecuteRequest(**{**fields, "payload": msgspec.Raw(encode(request.payload))})


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
        self._changes: dict[str, _Change] = {}
        self._writes: list[_Statement] = []
        self._new_checkpoints: dict[int, dict[str, bytes]] = {}
        self._durable = False
        self._syncs = False
        self.is_urgent = False
        """Whether pending writes should not wait for further ones."""
        self.promised = 0
        """How many durable writes were added so far."""
        self._unwritten_bytes = 0
        self._opened_at = time.monotonic()
        self._damage_mark = path.with_name(f"{path.name}-damaged")
        try:
            prepare_private_file(path)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.text_factory = any_text
            try:
                self._open()
                self._read_numbers()
            except BaseException:
                self._connection.close()
                raise
        except (OSError, *DATABASE_ERRORS) as error:
            raise ConfigurationError(f"cannot open database {path}: {error}; if it is damaged, {_REMEDY}") from error

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        self._check_for_damage()
        self._checkpointer = Checkpointer(self.path, self._connection)
        (version,) = run("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ConfigurationError(
                f"database {self.path} has schema {version}, which was made by a newer release; this release supports "
                f"up to {len(MIGRATIONS)}. Install the newer release, or move the file away"
            )
        for reached, script in enumerate(MIGRATIONS[version:], start=version + 1):
            self._connection.executescript(f"BEGIN; {script} PRAGMA user_version = {reached}; COMMIT;")

    def _read_numbers(self) -> None:
        run = self._connection.execute
        self._last_number: int = run("SELECT COALESCE(MAX(number), 0) FROM executions").fetchone()[0]
        query = "SELECT COUNT(*), COALESCE(MAX(ended_order), 0) FROM executions WHERE ended_order IS NOT NULL"
        self._ended_count, self._last_ended = run(query).fetchone()
        row = run("SELECT value FROM settings WHERE name = ?", (_UPTIME,)).fetchone()
        self._uptime_before: int = row[0] if row else 0
        self._pruned_upto = 0
        """Executions up to this place in the order of endings are deleted, or will be with the next commit."""
        self._environments = Environments(self._connection)

    @property
    def uptime(self) -> int:
        """Seconds the server has been running, over all its runs; independent of changes of the system clock."""
        return self._uptime_before + int(time.monotonic() - self._opened_at)

    def keep_uptime(self) -> None:
        """Write the uptime with the next commit."""
        self._writes.append(("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (_UPTIME, self.uptime)))

    def close(self) -> None:
        """Release the database."""
        self._checkpointer.close()
        self._connection.close()

    # --- writing -------------------------------------------------------------------------------------------------

    def _must_write(self) -> None:
        """Make the next commit durable, and soon."""
        self._durable = self.is_urgent = True
        self.promised += 1

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
        self._change(record).request = request
        self._must_write()

    def update(self, record: Record) -> None:
        """Write the current state of a record; durable with the next commit."""
        self._change(record)
        self._must_write()

    def note_end(self, record: Record) -> None:
        """Record the end of an execution and its place in the order of endings."""
        self._last_ended += 1
        self._ended_count += 1
        record.ended_order, record.ended_uptime = self._last_ended, self.uptime

    def append_state(self, record: Record) -> None:
        """Append an event with the current state of the record."""
        record.state_count += 1
        change = self._change(record)
        snapshot = record.snapshot(event_count=record.event_count + 1)
        event = StateChange(sequence=record.state_count, timestamp=time.time(), execution=snapshot)
        change.add_events([msgspec.Raw(encode(event))])

    def append_events(self, record: Record, events: list[msgspec.Raw]) -> None:
        """Append encoded events with the record's next numbers, which are not published before they are durable."""
        self._change(record).add_events(events)
        self._durable = True
        self._unwritten_bytes += sum(len(memoryview(event)) for event in events)
        self.is_urgent = self.is_urgent or self._unwritten_bytes > _MOST_UNWRITTEN_BYTES

    def _change(self, record: Record) -> _Change:
        change = self._changes.get(record.execution_id)
        if change is None:
            change = self._changes[record.execution_id] = _Change(record)
        return change

    def save_checkpoint(self, record: Record, key: str, value: msgspec.Raw) -> None:
        """Keep a value for a resumed run; durable with the next commit."""
        record.has_checkpoints = True
        self._must_write()
        statement = "INSERT OR REPLACE INTO checkpoints (number, key, value, crc) VALUES (?, ?, ?, ?)"
        encoded = bytes(value)
        self._writes.append((statement, _with_crc(record.number, key, encoded)))
        self._new_checkpoints.setdefault(record.number, {})[key] = encoded

    def forget_checkpoints(self, record: Record) -> None:
        """Delete the checkpoints of an execution that has ended for good."""
        self._new_checkpoints.pop(record.number, None)
        if record.has_checkpoints:
            self._writes.append(("DELETE FROM checkpoints WHERE number = ?", (record.number,)))

    def replace_events(self, record: Record, batches: list[tuple[int, bytes]]) -> None:
        """Replace all stored batches by these, each given with the number of its last event."""
        self._writes.append(("DELETE FROM event_batches WHERE number = ?", (record.number,)))
        self._writes.extend((_INSERT_BATCH, (record.number, upto, batch)) for upto, batch in batches)

    def write(self, statement: str, values: tuple[object, ...]) -> None:
        """Carry out a statement with the next commit, durably."""
        self._writes.append((statement, values))
        self._must_write()

    def write_latest(self, statement: str, values: tuple[object, ...], among: frozenset[str]) -> None:
        """Carry out a statement in place of those of ``among`` about the same name that wait for the next commit."""
        self._writes = [each for each in self._writes if each[0] not in among or each[1][:1] != values[:1]]
        self.write(statement, values)

    def set_setting(self, name: str, value: bool) -> None:
        """Keep a switch of the queue; durable with the next commit."""
        self._writes.append(("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, int(value))))
        self._must_write()

    def prune(self, keep: int, max_uptime: float, at_most: int) -> list[str]:
        """Delete some of the oldest ended executions with the next commit.

        Args:
            keep: Number of the newest ended executions to keep.
            max_uptime: Age in seconds, counted while a server was running so that a wrong clock deletes nothing, after
                which executions are deleted as well.
            at_most: Maximum number of executions to delete.

        Returns:
            The ids of the deleted executions.
        """
        query = (
            "SELECT number, execution_id, ended_uptime, ended_order FROM executions WHERE ended_order > ? "
            "ORDER BY ended_order LIMIT ?"
        )
        excess, oldest = self._ended_count - keep, self.uptime - max_uptime
        with self._reading():
            rows = self._connection.execute(query, (self._pruned_upto, at_most)).fetchall()
        gone = [row for place, row in enumerate(rows) if place < excess or row[2] < oldest]
        for number, _, _, ended_order in gone:
            self._writes.extend((f"DELETE FROM {table} WHERE number = ?", (number,)) for table in _TABLES)
            self._pruned_upto = ended_order
        self._ended_count -= len(gone)
        return [execution_id for _, execution_id, _, _ in gone]

    def commit(self) -> list[Written]:
        """Carry out all writes since the last commit, in one transaction.

        Returns:
            The batches of events that were written.

        Raises:
            StoreError: None of them was carried out, for example because the disk is full. They are kept for the
                next attempt unless :meth:`discard` is called.
            DamagedStoreError: The same, and a next attempt would fail as well.
        """
        if not self._changes and not self._writes:
            return []
        statements, written = self._statements()
        try:
            self._write(statements)
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            if not isinstance(error, Exception):
                raise
            raise self._write_error(error) from error
        for change in self._changes.values():
            change.record.has_new_outcome = False
            change.record.written_count = change.record.event_count
        self._environments.written()
        self._changes.clear()
        self._writes.clear()
        self._new_checkpoints.clear()
        self._durable = self.is_urgent = False
        self._unwritten_bytes = 0
        return written

    def _statements(self) -> tuple[list[_Statements], list[Written]]:
        """Encode all pending writes, so that within the transaction only the database itself can fail."""
        rows: dict[str, list[tuple[object, ...]]] = {}
        written: list[Written] = []

        def add(statement: str, values: tuple[object, ...]) -> None:
            rows.setdefault(statement, []).append(values)

        for change in self._changes.values():
            record = change.record
            if change.request is None:
                add(UPDATE, record.changed_row())
            else:
                add(INSERT, record.new_row())
                add(_SUBMISSION, _with_crc(record.number, encode(change.request.payload)))
            if record.has_new_outcome:
                add(_OUTCOME, _with_crc(record.number, record.traceback, record.result))
            for open_batch in change.batches:
                batch = open_batch.pack(record.execution_id)
                add(_INSERT_BATCH, (record.number, open_batch.upto, batch))
                written.append(Written(record, batch))
        return [*rows.items(), *((statement, [values]) for statement, values in self._writes)], written

    def _write(self, statements: list[_Statements]) -> None:
        run = self._connection.execute
        if self._durable is not self._syncs:
            run(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            self._syncs = self._durable
        run("BEGIN IMMEDIATE")
        self._environments.write()
        for statement, rows in statements:
            self._connection.executemany(statement, rows)
        run("COMMIT")
        self._shorten_log(sum(len(rows) for _, rows in statements))

    def _write_error(self, error: Exception) -> StoreError:
        """Return the error of a failed commit; of a damaged file, the next server has to know before it starts."""
        text = f"cannot write {self.path}: {error}"
        if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.OperationalError):
            return StoreError(text)
        with contextlib.suppress(OSError):
            self._damage_mark.touch(0o600)
        return DamagedStoreError(f"{text}; {_REMEDY}")

    def _check_for_damage(self) -> None:
        """Check the whole file if the last server could not write it.

        Raises:
            sqlite3.DatabaseError: It is damaged.
        """
        if self._damage_mark.exists():
            (problem,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
            if problem != "ok":
                raise sqlite3.DatabaseError(str(problem).replace("\n", " "))
            self._damage_mark.unlink()

    def _shorten_log(self, statements: int) -> None:
        """Shorten the write-ahead log if necessary; the commit has succeeded even if this fails."""
        try:
            self._checkpointer.note(statements, self._unwritten_bytes)
        except sqlite3.Error as error:
            _log.warning("cannot shorten the log of %s yet: %s", self.path, error)

    def discard(self, record: Record) -> None:
        """Drop the uncommitted writes of a record that was never committed."""
        self._changes.pop(record.execution_id, None)
        self._writes = [(statement, values) for statement, values in self._writes if values[0] != record.number]

    # --- reading; each raises StoreError if the database cannot be read -------------------------------------------

    def open_records(self) -> list[Record]:
        """Return all executions that have not ended, in order of submission; skip and log damaged entries."""
        # Not by the index: an execution that is missing in a damaged one would wait forever.
        return self._records("NOT INDEXED WHERE ended_at IS NULL ORDER BY number", ())

    def find(self, execution_id: str) -> Record | None:
        """Return an execution, ended or not, or None."""
        for found in self._rows("WHERE execution_id = ?", (execution_id,)):
            if isinstance(found, DamagedRowError):
                raise StoreError(f"{found} in {self.path}; {_REMEDY}")
            if found.execution_id != execution_id:
                raise StoreError(f"the index of {self.path} is damaged: it returned another execution; {_REMEDY}")
            return found
        return None

    def find_many(self, execution_ids: list[str]) -> dict[str, Record]:
        """Return the executions with these ids, as far as they exist, by their ids."""
        if len(execution_ids) == 1:
            record = self.find(execution_ids[0])
            return {} if record is None else {record.execution_id: record}
        found: dict[str, Record] = {}
        asked = set(execution_ids)
        for entry in self._rows("WHERE execution_id IN (SELECT value FROM json_each(?))", (_as_json(execution_ids),)):
            if isinstance(entry, DamagedRowError):
                raise StoreError(f"{entry} in {self.path}; {_REMEDY}")
            if entry.execution_id not in asked:
                raise StoreError(f"the index of {self.path} is damaged: it returned another execution; {_REMEDY}")
            found[entry.execution_id] = entry
        return found

    def add_outcome(self, record: Record) -> None:
        """Read traceback and result into the record, unless they are already there or the result is too large."""
        if record.ended_order is None or record.has_new_outcome:
            return
        query = (
            f"SELECT traceback, CASE WHEN length(result) <= {INLINE_RESULT_BYTES} THEN result END, crc "
            "FROM outcomes WHERE number = ?"
        )
        row = self._one(query, (record.number,))
        if row is not None:
            text, result, crc = row
            record.traceback = None if text is None else readable(text)
            problem = None if result is None else value_problem(result) or _mismatch(crc, record.number, text, result)
            if problem is not None:
                raise StoreError(f"the result of execution {record.execution_id} in {self.path} is damaged: {problem}")
            record.result = result

    def result_piece(self, record: Record, offset: int, length: int) -> bytes:
        """Return a piece of an encoded result in the database."""
        if record.result is not None:
            return record.result[offset : offset + length]
        with self._reading(), self._connection.blobopen("outcomes", "result", record.number, readonly=True) as blob:
            blob.seek(min(offset, len(blob)))
            return blob.read(length)

    def ids_from(self, prefix: str, limit: int) -> list[str]:
        """Return up to ``limit`` ids that start with ``prefix``, sorted."""
        query = "SELECT execution_id FROM executions WHERE execution_id >= ? AND execution_id < ? ORDER BY 1 LIMIT ?"
        with self._reading():  # none of the characters allowed in an id sorts after the tilde
            found = [row[0] for row in self._connection.execute(query, (prefix, f"{prefix}~", limit))]
        return [execution_id for execution_id in found if is_whole(execution_id)]

    def ended_records(self, limit: int, before: float | None = None, older_than: str | None = None) -> list[Record]:
        """Return ended executions, newest first, optionally only those before a time or an execution."""
        top = self._last_ended + 1
        if older_than is not None:
            row = self._one("SELECT ended_order FROM executions WHERE execution_id = ?", (older_than,))
            top = 0 if row is None else row[0] or top
        elif before is not None:
            query = "SELECT ended_order FROM executions WHERE ended_at < ? ORDER BY ended_at DESC LIMIT 1"
            row = self._one(query, (before,))
            top = 0 if row is None else row[0] + 1
        return self._records("WHERE ended_order < ? ORDER BY ended_order DESC LIMIT ?", (top, limit))

    def setting(self, name: str) -> bool:
        """Return a switch of the queue; off if it was never set."""
        row = self._one("SELECT value FROM settings WHERE name = ?", (name,))
        return bool(row and row[0])

    def queue_rows(self) -> list[tuple[str, int, int | None]]:
        """Return the settings of named queues; one whose settings are damaged counts as paused."""
        found = []
        for name, paused, most, crc in self._all("SELECT name, paused, most, crc FROM queues"):
            if not is_intact(crc, name, paused, most):
                _log.error("the settings of queue %r in %s are damaged: it is paused; resume it", name, self.path)
                paused, most = 1, None
            found.append((readable(name), paused, most))
        return found

    def rate_rows(self) -> list[tuple[str, int, float, float]]:
        """Return the starts of executions with a rate limit, in order; a damaged one counts as one of just now."""
        found = []
        query = "SELECT key, sequence, at, until, crc FROM rate_starts ORDER BY key, sequence"
        for key, sequence, at, until, crc in self._all(query):
            if not is_intact(crc, key, sequence, at, until):
                _log.error("a start with rate key %r in %s is damaged and counts as one of just now", key, self.path)
                at = time.time()
                until = max(at, until)
            found.append((readable(key), sequence, at, until))
        return found

    def kept_dependencies(self) -> list[str]:
        """Return the completed executions that others depend on although history has dropped them."""
        return [row[0] for row in self._all("SELECT execution_id FROM completed_dependencies")]

    def schedule_rows(self) -> list[tuple[str, bytes, int | None]]:
        """Return the schedules as they were written."""
        rows = self._all("SELECT name, content, crc FROM schedules")
        return [(readable(name), content, crc) for name, content, crc in rows]

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        with self._reading():
            return self._connection.execute(query).fetchall()

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
            change = self._changes.get(record.execution_id)
            if change is not None and change.request is not None:
                found[record.execution_id] = _packed(change.request)
            else:
                stored.append(record)
        if stored:
            query = "SELECT number, payload, crc FROM submissions WHERE number IN (SELECT value FROM json_each(?))"
            numbers = _as_json([record.number for record in stored])
            with self._reading():
                rows = {row[0]: row[1:] for row in self._connection.execute(query, (numbers,))}
        for record in stored:
            try:
                found[record.execution_id] = self._request_in(record, rows.get(record.number))
            except StoreError as error:
                found[record.execution_id] = error
        return found

    def _request_in(self, record: Record, row: tuple[Any, ...] | None) -> PackedExecuteRequest:
        if row is None:
            raise StoreError(f"the payload of execution {record.execution_id} is missing in {self.path}; {_REMEDY}")
        payload, crc = row
        problem = value_problem(payload) or _mismatch(crc, record.number, payload)
        if problem is not None:
            raise StoreError(f"the payload of execution {record.execution_id} in {self.path} is damaged: {problem}")
        return PackedExecuteRequest(
            submission_id=record.execution_id,
            plate_id=record.plate_id,
            priority=record.priority,
            payload=msgspec.Raw(payload),
            soft_time_limit=record.soft_time_limit,
            time_limit=record.time_limit,
            max_retries=record.max_retries,
            retry_delay=record.retry_delay,
            resumable=record.resumable,
            environment=self.environment_of(record),
            name=record.name,
            queue=record.queue,
            **record.needs.fields(),
        )

    def environment_of(self, record: Record) -> TaskEnvironment | None:
        """Return the environment of its processes, one object for equal ones; None for the server's own."""
        if record.environment is None:
            return None
        with self._reading():
            return self._environments.find(record.environment)

    def checkpoints_of(self, record: Record) -> dict[str, msgspec.Raw]:
        """Return the checkpoints of an interrupted or failed run, also unwritten ones: a retry may be immediate."""
        if not record.has_checkpoints:
            return {}
        query = "SELECT key, value, crc FROM checkpoints WHERE number = ?"
        kept = {}
        with self._reading():
            rows = self._connection.execute(query, (record.number,)).fetchall()
        for key, value, crc in rows:
            problem = value_problem(value) if is_whole(key) else "its name is not readable"
            problem = problem or _mismatch(crc, record.number, key, value)
            if problem is not None:
                text = f"checkpoint {key!r} of execution {record.execution_id} in {self.path} is damaged: {problem}"
                raise StoreError(text)
            kept[key] = value
        kept |= self._new_checkpoints.get(record.number, {})
        return {key: msgspec.Raw(value) for key, value in kept.items()}

    def events_after(self, number: int, after: int, limit_bytes: int = _REPLAY_BYTES) -> list[tuple[int, bytes]]:
        """Return encoded batches that end after event ``after``, in order, as many as fit into one reply.

        Returns:
            Pairs of the number of the batch's last event and the batch, which may be damaged.
        """
        query = "SELECT upto, batch FROM event_batches WHERE number = ? AND upto > ? ORDER BY upto"
        found, size = [], 0
        with self._reading():
            for upto, batch in self._connection.execute(query, (number, after)):
                found.append((upto, batch))
                size += len(batch)
                if size > limit_bytes:
                    break
        return found

    def events_backwards(self, number: int) -> Iterator[bytes]:
        """Iterate over all encoded batches, from newest to oldest; do not write before the iteration has ended."""
        query = "SELECT batch FROM event_batches WHERE number = ? ORDER BY upto DESC"
        with self._reading():
            for (batch,) in self._connection.execute(query, (number,)):
                yield batch

    def event_count(self, number: int) -> int:
        """Return the number of the last written event."""
        row = self._one("SELECT COALESCE(MAX(upto), 0) FROM event_batches WHERE number = ?", (number,))
        return 0 if row is None else int(row[0])

    def _one(self, query: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        with self._reading():
            row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
            return row

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except DATABASE_ERRORS as error:
            raise StoreError(f"cannot read {self.path}: {error}; {_REMEDY}") from error

    def _records(self, where: str, values: tuple[object, ...]) -> list[Record]:
        found: list[Record] = []
        for entry in self._rows(where, values):
            if isinstance(entry, Record):
                found.append(entry)
            else:
                _log.error("%s in %s; skipping it and serving all others", entry, self.path)
        return found

    def _rows(self, where: str, values: tuple[object, ...]) -> list[Record | DamagedRowError]:
        with self._reading():
            return list(read_rows(self._connection.execute(f"SELECT {COLUMNS} FROM executions {where}", values)))
