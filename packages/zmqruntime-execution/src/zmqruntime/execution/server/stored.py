"""Executions as a server has left them on disk, read without the server."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import RequestRefusedError
from zmqruntime.execution.client.tolerant_decoder import TolerantDecoder
from zmqruntime.execution.events.event_batches import Reader
from zmqruntime.execution.events.result_files import (
    INLINE_RESULT_BYTES,
    PIECE_BYTES,
    read_piece,
    result_dir,
    with_result,
)
from zmqruntime.execution.server.damage import whole_batches
from zmqruntime.execution.server.queue import QUEUED_LISTED
from zmqruntime.execution.server.read_only import ReadOnlyDatabase
from zmqruntime.execution.server.record import COLUMNS, Record, read_rows
from zmqruntime.execution.server.schema import MIGRATIONS
from zmqruntime.execution.server.stored_events import EVENTS_AFTER, with_implied
from zmqruntime.messages import (
    ErrorCode,
    Event,
    EventBatch,
    ExecutionSnapshot,
    ExecutionStatus,
    FindResponse,
    LogLine,
    ResultRequest,
    ResultResponse,
    StatusResponse,
)

__all__ = ["StoredExecutions", "database_path"]

_IDS_SHOWN = 20
_OUTCOME = (
    f"SELECT traceback, CASE WHEN length(result) <= {INLINE_RESULT_BYTES} THEN result END "
    "FROM outcomes WHERE number = ?"
)
_PIECE = f"SELECT substr(result, ?, {PIECE_BYTES}) FROM outcomes WHERE number = ?"
_IDS = "SELECT execution_id FROM executions WHERE execution_id >= ? AND execution_id < ? ORDER BY 1 LIMIT ?"
_OPEN = "ended_at IS NULL ORDER BY priority DESC, rank, number"
_ENDED = "ended_order IS NOT NULL ORDER BY ended_order DESC LIMIT ?"


def database_path(config: ZMQConfig, port: int) -> Path:
    """Where the server on ``port`` keeps its executions."""
    return config.server_dir(port) / "executions.sqlite"


def _as_given(cursor: sqlite3.Cursor) -> Iterable[tuple[Any, ...]]:
    return cursor


class StoredExecutions:
    """Answers what the methods of an ``ExecutionClient`` with the same names answer, and raises the same errors.

    Only places in the queue, and what a queued one waits for, are not known: a server finds them. To be used in a
    ``with`` block and on one thread.

    Args:
        config: the settings of the server's application.
        port: the server's data port.
        server_has_ended: whether no server is at work on them any more, so that what was running is interrupted.

    Raises:
        RequestRefusedError: the database cannot be read, or is of another release.
    """

    def __init__(self, config: ZMQConfig, port: int, *, server_has_ended: bool = True) -> None:
        self._results = result_dir(config, port)
        self._server_has_ended = server_has_ended
        self._database = ReadOnlyDatabase(database_path(config, port))
        if self._database.version != len(MIGRATIONS):
            self._database.close()
            raise RequestRefusedError(ErrorCode.STORAGE, self._of_other_release())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._database.close()

    def find(self, prefix: str) -> FindResponse:
        """The ids of executions that begin with ``prefix``, the first 20 of them."""
        # Of the characters that an id may have, none comes after the tilde.
        ids = [str(row[0]) for row in self._database.rows(_IDS, prefix, f"{prefix}~", _IDS_SHOWN + 1)]
        return FindResponse(execution_ids=ids[:_IDS_SHOWN], more=len(ids) > _IDS_SHOWN)

    def snapshot_of(self, execution_id: str) -> ExecutionSnapshot:
        """What the execution is, without a result of more than 64 KiB."""
        return self._in_full(self._record(execution_id))

    def poll_status(self, execution_id: str) -> ExecutionSnapshot:
        """What the execution is, with its result."""
        record = self._record(execution_id)
        return with_result(self._in_full(record), lambda request, _: self._piece(request, record))

    def status(self, limit: int = 20) -> StatusResponse:
        """All executions that have not ended, of queued ones the first 200, then the latest ``limit`` that have."""
        opened = self._snapshots(_OPEN)
        queued = [entry for entry in opened if entry.status is ExecutionStatus.QUEUED]
        others = [entry for entry in opened if entry.status is not ExecutionStatus.QUEUED]
        return StatusResponse(
            executions=[*others, *queued[:QUEUED_LISTED], *self.history(limit)],
            queued=len(queued),
            running=sum(entry.status.is_working for entry in others),
            workers=0,
            paused=self._setting("paused"),
            draining=self._setting("draining"),
        )

    def history(self, limit: int = 100) -> list[ExecutionSnapshot]:
        """Ended executions, newest first, without results and tracebacks."""
        return self._snapshots(_ENDED, limit)

    def logs(self, execution_id: str) -> list[LogLine]:
        """The log lines of an execution, the latest 2,000 of many."""
        return [event for event in self.events(execution_id) if isinstance(event, LogLine)]

    def events(self, execution_id: str) -> list[Event]:
        """The events of an execution as far as they are kept, in order."""
        reader, events = Reader(), list[Event]()
        decode = TolerantDecoder((EventBatch,), lambda error: None)
        record = self._record(execution_id)
        rows = self._database.read(EVENTS_AFTER, (record.number, 0), _as_given)
        for batch in whole_batches(execution_id, 0, with_implied(record, 0, rows, self._add_outcome)):
            decoded = decode(batch)
            assert isinstance(decoded, EventBatch)
            events += reader.read(decoded)
        return events

    def _add_outcome(self, record: Record) -> None:
        for traceback, result in self._database.read(_OUTCOME, (record.number,), _as_given):
            record.traceback, record.result = traceback, result

    def _record(self, execution_id: str) -> Record:
        for record in self._records("execution_id = ?", execution_id):
            return record
        raise RequestRefusedError(ErrorCode.NOT_FOUND, f"there is no execution {execution_id} in {self._database.path}")

    def _records(self, where: str, *values: object) -> list[Record]:
        """Those that can be read; a damaged one is left out, as by the server."""
        found = self._database.read(f"SELECT {COLUMNS} FROM executions WHERE {where}", values, read_rows)
        return [entry for entry in found if isinstance(entry, Record)]

    def _snapshots(self, where: str, *values: object) -> list[ExecutionSnapshot]:
        return [self._as_left(record, record.snapshot(is_brief=True)) for record in self._records(where, *values)]

    def _in_full(self, record: Record) -> ExecutionSnapshot:
        snapshot = record.snapshot(is_brief=True)
        for traceback, result in self._database.rows(_OUTCOME, record.number):
            value = msgspec.msgpack.decode(result) if isinstance(result, bytes) else None
            snapshot = msgspec.structs.replace(snapshot, traceback=traceback, result=value)
        return self._as_left(record, snapshot)

    def _as_left(self, record: Record, snapshot: ExecutionSnapshot) -> ExecutionSnapshot:
        """What the next server will find: nothing of what was under way is."""
        if not self._server_has_ended:
            return snapshot
        was_running = record.status is ExecutionStatus.RUNNING
        was_stopped = record.status is ExecutionStatus.QUEUED and record.attempts > 0 and record.not_before is None
        if was_running or was_stopped:
            error = record.error or "the server ended while it was running"
            return msgspec.structs.replace(snapshot, status=ExecutionStatus.INTERRUPTED, error=error)
        if record.status is ExecutionStatus.CANCELLING:
            return msgspec.structs.replace(snapshot, status=ExecutionStatus.CANCELLED)
        return snapshot

    def _piece(self, request: ResultRequest, record: Record) -> ResultResponse:
        """Of a long result, which is a file, or in the database where an earlier release has kept it."""
        path = self._results / f"{record.execution_id}.result"
        try:
            data = read_piece(path, request.offset)
        except FileNotFoundError:
            rows = self._database.rows(_PIECE, request.offset + 1, record.number)
            data = b"".join(value for (value,) in rows if isinstance(value, bytes))
        except OSError as error:
            raise RequestRefusedError(ErrorCode.STORAGE, f"cannot read {path}: {error.strerror or error}") from error
        return ResultResponse(
            execution_id=record.execution_id, offset=request.offset, total=record.result_bytes or 0, data=data
        )

    def _of_other_release(self) -> str:
        path = self._database.path
        if self._database.version > len(MIGRATIONS):
            return f"the database {path} was written by a newer release; install that release to read it"
        return f"the database {path} was written by an earlier release; start a server once to convert it"

    def _setting(self, name: str) -> bool:
        return any(row[0] for row in self._database.rows("SELECT value FROM settings WHERE name = ?", name))
