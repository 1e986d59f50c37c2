"""Executions on disk: one SQLite database a server, written once a turn, so that what was promised is there."""

import contextlib
import math
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from zmqruntime.codec import encode
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.batching import OpenBatch
from zmqruntime.execution.environments import Environments
from zmqruntime.execution.lifecycle import TERMINAL
from zmqruntime.execution.schema import MIGRATIONS
from zmqruntime.messages import ExecuteRequest, ExecutionSnapshot, ExecutionStatus, StateChange

__all__ = ["Record", "Store", "StoreError", "Written"]

_INSERT = """
INSERT INTO executions (execution_id, plate_id, priority, payload, soft_time_limit, time_limit, max_retries,
    retry_delay, resumable, submitted_at, environment, rank, held, status, started_at, ended_at, not_before, attempts,
    worker_deaths, error, traceback, result, cpu_seconds, peak_memory_bytes, event_count, state_count,
    progress_count, log_count, number)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
UPDATE executions SET rank = ?, held = ?, status = ?, started_at = ?, ended_at = ?, not_before = ?, attempts = ?,
    worker_deaths = ?, error = ?, traceback = ?, result = ?, cpu_seconds = ?, peak_memory_bytes = ?, event_count = ?,
    state_count = ?, progress_count = ?, log_count = ? WHERE number = ?
"""
_COLUMNS = """
number, execution_id, plate_id, priority, rank, held, soft_time_limit, time_limit, max_retries, retry_delay, resumable,
status, submitted_at, environment, started_at, ended_at, not_before, attempts, worker_deaths, error, traceback, result,
cpu_seconds, peak_memory_bytes, event_count, state_count, progress_count, log_count
"""
_INSERT_BATCH = "INSERT INTO event_batches (number, upto, batch) VALUES (?, ?, ?)"
_BUSY_SECONDS = 0.1  # nobody else should write this file; who does must not stop the server
_REPLAY_BYTES = 1024 * 1024


class StoreError(Exception):
    """The database could not be written; nothing of the turn was."""


class Record(msgspec.Struct, kw_only=True):
    """One execution as the server keeps it while it is not ended. The payload stays on disk."""

    number: int
    execution_id: str
    plate_id: str
    priority: int
    rank: float
    held: bool = False
    soft_time_limit: float | None
    time_limit: float | None
    max_retries: int
    retry_delay: float
    resumable: bool
    status: ExecutionStatus
    submitted_at: float
    environment: int | None = None
    """Under which number the environment of its processes is kept; None for the server's own."""
    started_at: float | None = None
    ended_at: float | None = None
    not_before: float | None = None
    attempts: int = 0
    worker_deaths: int = 0
    error: str | None = None
    traceback: str | None = None
    result: bytes | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    event_count: int = 0
    state_count: int = 0
    progress_count: int = 0
    log_count: int = 0
    has_checkpoints: bool = True
    """False when it is certain that none are stored."""

    def snapshot(self, queue_position: int | None = None, event_count: int | None = None) -> ExecutionSnapshot:
        """The record as clients see it; ``event_count`` is its own when None."""
        return ExecutionSnapshot(
            execution_id=self.execution_id,
            plate_id=self.plate_id,
            status=self.status,
            submitted_at=self.submitted_at,
            started_at=self.started_at,
            ended_at=self.ended_at,
            error=self.error,
            traceback=self.traceback,
            result=None if self.result is None else msgspec.msgpack.decode(self.result),
            event_count=self.event_count if event_count is None else event_count,
            queue_position=queue_position,
            held=self.held,
            attempts=self.attempts,
            resumable=self.resumable,
            cpu_seconds=self.cpu_seconds,
            peak_memory_bytes=self.peak_memory_bytes,
        )


class Written(NamedTuple):
    """A batch of events that is on disk."""

    record: Record
    batch: bytes


class _Change:
    """What is new of one execution since the last commit."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.request: ExecuteRequest | None = None
        """What was submitted, if the record itself is new."""
        self.batches: list[OpenBatch] = []

    def add_events(self, events: list[msgspec.Raw]) -> None:
        if not self.batches or self.batches[-1].is_full:
            self.batches.append(OpenBatch(self.record.event_count))
        self.batches[-1].add(events)
        self.record.event_count += len(events)


class Store:
    """The database of one server; used on its loop's thread only.

    Writes are collected and carried out by :meth:`commit`. What must survive a power cut asks for it by ``durable``.

    Raises:
        ConfigurationError: the database cannot be opened, or is of a newer release.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changes: dict[str, _Change] = {}
        self._writes: list[tuple[str, tuple[object, ...]]] = []
        self._new_checkpoints: dict[int, dict[str, bytes]] = {}
        self._durable = False
        self._syncs = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"cannot open the database {path}: {error}; a damaged one can be moved away: a new one is made"
            ) from error
        row = self._connection.execute("SELECT max(number) FROM executions").fetchone()
        self._last_number: int = row[0] or 0
        self._environments = Environments(self._connection)

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        (version,) = run("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ConfigurationError(
                f"the database {self.path} is of schema {version}, made by a newer release; this one knows "
                f"{len(MIGRATIONS)}. Install the newer release, or move the file away"
            )
        for reached, script in enumerate(MIGRATIONS[version:], start=version + 1):
            self._connection.executescript(f"BEGIN; {script} PRAGMA user_version = {reached}; COMMIT;")

    def close(self) -> None:
        """Release the database."""
        self._connection.close()

    # --- writing -------------------------------------------------------------------------------------------------

    def create(self, request: ExecuteRequest) -> Record:
        """A record for a new queued execution; :meth:`insert` writes it."""
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
        )

    def insert(self, record: Record, request: ExecuteRequest) -> None:
        """Write a new record; durable with the next commit."""
        self._change(record).request = request
        self._durable = True

    def update(self, record: Record) -> None:
        """Write the record as it is at the next commit; an end is durable with that."""
        self._change(record)
        self._durable = self._durable or record.status in TERMINAL

    def append_state(self, record: Record) -> None:
        """Keep an event that says what the record is now."""
        record.state_count += 1
        change = self._change(record)
        snapshot = record.snapshot(event_count=record.event_count + 1)
        event = StateChange(sequence=record.state_count, timestamp=time.time(), execution=snapshot)
        change.add_events([msgspec.Raw(encode(event))])

    def append_events(self, record: Record, events: list[msgspec.Raw]) -> None:
        """Keep encoded events; they get the record's next numbers."""
        self._change(record).add_events(events)

    def _change(self, record: Record) -> _Change:
        change = self._changes.get(record.execution_id)
        if change is None:
            change = self._changes[record.execution_id] = _Change(record)
        return change

    def save_checkpoint(self, record: Record, key: str, value: msgspec.Raw) -> None:
        """Keep a value for a resumed run."""
        record.has_checkpoints = True
        statement = "INSERT OR REPLACE INTO checkpoints (number, key, value) VALUES (?, ?, ?)"
        encoded = bytes(value)
        self._writes.append((statement, (record.number, key, encoded)))
        self._new_checkpoints.setdefault(record.number, {})[key] = encoded

    def forget_checkpoints(self, record: Record) -> None:
        """The execution has ended for good."""
        self._new_checkpoints.pop(record.number, None)
        if record.has_checkpoints:
            self._writes.append(("DELETE FROM checkpoints WHERE number = ?", (record.number,)))

    def replace_events(self, record: Record, batches: list[tuple[int, bytes]]) -> None:
        """Put these batches (each with the number of its last event) in place of all that are stored."""
        self._writes.append(("DELETE FROM event_batches WHERE number = ?", (record.number,)))
        self._writes.extend((_INSERT_BATCH, (record.number, upto, batch)) for upto, batch in batches)

    def set_setting(self, name: str, value: bool) -> None:
        """Keep a switch of the queue; durable with the next commit."""
        self._writes.append(("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, int(value))))
        self._durable = True

    def prune(self, keep: int, oldest: float, at_most: int) -> list[str]:
        """Forget up to ``at_most`` ended executions: beyond the newest ``keep``, or ended before ``oldest``.

        Returns their ids; they are gone with the next commit.
        """
        query = (
            "SELECT number, execution_id FROM executions WHERE ended_at IS NOT NULL AND (ended_at < ? OR number IN "
            "(SELECT number FROM executions WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT -1 OFFSET ?)) "
            "LIMIT ?"
        )
        rows = self._connection.execute(query, (oldest, keep, at_most)).fetchall()
        for number, _ in rows:
            for table in ("executions", "event_batches", "checkpoints"):
                self._writes.append((f"DELETE FROM {table} WHERE number = ?", (number,)))
        return [execution_id for _, execution_id in rows]

    def commit(self) -> list[Written]:
        """Carry out all writes since the last commit, in one transaction; the events that are on disk now.

        Raises:
            StoreError: none of them was carried out, for example because the disk is full. They are kept for the
                next try unless :meth:`discard` is called.
        """
        if not self._changes and not self._writes:
            return []
        try:
            written = self._write()
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            raise StoreError(f"cannot write {self.path}: {error}") from error
        self._environments.written()
        self._changes.clear()
        self._writes.clear()
        self._new_checkpoints.clear()
        self._durable = False
        return written

    def _write(self) -> list[Written]:
        run = self._connection.execute
        if self._durable is not self._syncs:
            run(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            self._syncs = self._durable
        run("BEGIN IMMEDIATE")
        self._environments.write()
        written: list[Written] = []
        for change in self._changes.values():
            record = change.record
            if change.request is None:
                run(_UPDATE, _updated_columns(record))
            else:
                run(_INSERT, _inserted_columns(record, change.request))
            for open_batch in change.batches:
                batch = open_batch.pack(record.execution_id)
                run(_INSERT_BATCH, (record.number, open_batch.upto, batch))
                written.append(Written(record, batch))
        for statement, values in self._writes:
            run(statement, values)
        run("COMMIT")
        return written

    def discard(self, record: Record) -> None:
        """Forget the uncommitted writes of a record that was never committed."""
        self._changes.pop(record.execution_id, None)
        self._writes = [(statement, values) for statement, values in self._writes if values[0] != record.number]

    # --- reading -------------------------------------------------------------------------------------------------

    def open_records(self) -> list[Record]:
        """All that are not ended, in the order of submission."""
        return list(self._records("WHERE ended_at IS NULL ORDER BY number", ()))

    def find(self, execution_id: str) -> Record | None:
        """One execution, ended or not."""
        return next(self._records("WHERE execution_id = ?", (execution_id,)), None)

    def ended_records(self, limit: int, before: float | None = None) -> list[Record]:
        """The latest that ended, before a time if one is given, newest first."""
        where = "WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at DESC LIMIT ?"
        return list(self._records(where, (math.inf if before is None else before, limit)))

    def setting(self, name: str) -> bool:
        """A switch of the queue; off if it was never set."""
        row = self._connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return bool(row and row[0])

    def request_of(self, record: Record) -> ExecuteRequest:
        """What was submitted."""
        change = self._changes.get(record.execution_id)
        if change is not None and change.request is not None:
            return change.request
        query = "SELECT payload FROM executions WHERE number = ?"
        (payload,) = self._connection.execute(query, (record.number,)).fetchone()
        return ExecuteRequest(
            submission_id=record.execution_id,
            plate_id=record.plate_id,
            priority=record.priority,
            payload=msgspec.msgpack.decode(payload),
            soft_time_limit=record.soft_time_limit,
            time_limit=record.time_limit,
            max_retries=record.max_retries,
            retry_delay=record.retry_delay,
            resumable=record.resumable,
            environment=self.environment_of(record),
        )

    def environment_of(self, record: Record) -> TaskEnvironment | None:
        """What its processes are started with, the same object for equal ones; None for the server's own."""
        return None if record.environment is None else self._environments.find(record.environment)

    def checkpoints_of(self, record: Record) -> dict[str, msgspec.Raw]:
        """What an interrupted or failed run kept, also if that is not written yet: a retry may follow at once."""
        if not record.has_checkpoints:
            return {}
        query = "SELECT key, value FROM checkpoints WHERE number = ?"
        kept = dict(self._connection.execute(query, (record.number,))) | self._new_checkpoints.get(record.number, {})
        return {key: msgspec.Raw(value) for key, value in kept.items()}

    def events_after(self, number: int, after: int, limit_bytes: int = _REPLAY_BYTES) -> list[bytes]:
        """Encoded batches that end after event ``after``, in order, as many as fit one reply."""
        query = "SELECT batch FROM event_batches WHERE number = ? AND upto > ? ORDER BY upto"
        found, size = [], 0
        for (batch,) in self._connection.execute(query, (number, after)):
            found.append(batch)
            size += len(batch)
            if size > limit_bytes:
                break
        return found

    def events_backwards(self, number: int) -> Iterator[bytes]:
        """All encoded batches, from the newest to the oldest; write nothing before the last."""
        query = "SELECT batch FROM event_batches WHERE number = ? ORDER BY upto DESC"
        for (batch,) in self._connection.execute(query, (number,)):
            yield batch

    def event_count(self, number: int) -> int:
        """The number of the last event that is written."""
        query = "SELECT COALESCE(MAX(upto), 0) FROM event_batches WHERE number = ?"
        count: int = self._connection.execute(query, (number,)).fetchone()[0]
        return count

    def _records(self, where: str, values: tuple[object, ...]) -> Iterator[Record]:
        cursor = self._connection.execute(f"SELECT {_COLUMNS} FROM executions {where}", values)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            fields = dict(zip(names, row, strict=True))
            fields.update(status=ExecutionStatus(fields["status"]))
            fields.update(held=bool(fields["held"]), resumable=bool(fields["resumable"]))
            yield Record(**fields)


def _inserted_columns(r: Record, request: ExecuteRequest) -> tuple[object, ...]:
    task = (r.execution_id, r.plate_id, r.priority, encode(request.payload))
    limits = (r.soft_time_limit, r.time_limit, r.max_retries, r.retry_delay, r.resumable)
    return (*task, *limits, r.submitted_at, r.environment, *_updated_columns(r))


def _updated_columns(r: Record) -> tuple[object, ...]:
    where = (r.rank, r.held, str(r.status), r.started_at, r.ended_at, r.not_before, r.attempts, r.worker_deaths)
    outcome = (r.error, r.traceback, r.result)
    usage = (r.cpu_seconds, r.peak_memory_bytes)
    counts = (r.event_count, r.state_count, r.progress_count, r.log_count)
    return (*where, *outcome, *usage, *counts, r.number)
