"""The server's record of an execution, and its row in the database."""

import sqlite3
from collections.abc import Iterator
from typing import Annotated

import msgspec

from zmqruntime.execution.server.damage import crc_of, is_intact, is_whole
from zmqruntime.messages import Count, ExecutionSnapshot, ExecutionStatus, PositiveSeconds, Seconds, SubmissionId

__all__ = ["COLUMNS", "INSERT", "UPDATE", "DamagedRowError", "Record", "read_rows"]


_FIXED = (
    *("number", "execution_id", "plate_id", "priority", "soft_time_limit", "time_limit", "max_retries", "retry_delay"),
    *("resumable", "submitted_at", "environment"),
)
_CHANGING = (
    *("rank", "held", "status", "started_at", "ended_at", "not_before", "attempts", "worker_deaths", "error"),
    *("result_bytes", "run_seconds", "ended_order", "ended_uptime", "cpu_seconds", "peak_memory_bytes"),
    *("event_count", "state_count", "progress_count", "log_count"),
)

_NAMES = (*_FIXED, *_CHANGING, "crc")
COLUMNS = ", ".join(_NAMES)
INSERT = f"INSERT INTO executions ({COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))})"
UPDATE = f"UPDATE executions SET {', '.join(f'{name} = ?' for name in (*_CHANGING, 'crc'))} WHERE number = ?"


class DamagedRowError(Exception):
    """A row has invalid contents."""


class Record(msgspec.Struct, kw_only=True, gc=False):
    """One execution. Its payload stays on disk, and so do its traceback and result once it has ended.

    It cannot be part of a reference cycle, so the garbage collector does not have to visit 100,000 of them.
    """

    number: int
    execution_id: SubmissionId
    plate_id: str
    priority: Annotated[int, msgspec.Meta(ge=-1_000_000, le=1_000_000)]
    rank: float
    held: bool = False
    soft_time_limit: PositiveSeconds | None
    time_limit: PositiveSeconds | None
    max_retries: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    retry_delay: Seconds
    resumable: bool
    status: ExecutionStatus
    submitted_at: float
    environment: int | None = None
    """Number of the stored environment of its processes; None for the server's own."""
    started_at: float | None = None
    ended_at: float | None = None
    not_before: float | None = None
    attempts: Count = 0
    worker_deaths: int = 0
    error: str | None = None
    result_bytes: Count | None = None
    run_seconds: float | None = None
    ended_order: int | None = None
    """Its place in the order of endings, which unlike a time is always right."""
    ended_uptime: int | None = None
    """Uptime of the server at that point in seconds, over all its runs."""
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    event_count: Count = 0
    state_count: Count = 0
    progress_count: Count = 0
    log_count: Count = 0
    has_checkpoints: bool = True
    """False if there are certainly none stored."""
    traceback: str | None = None
    result: bytes | None = None
    """Encoded; None if it is large."""
    written_count: int | None = None
    """Number of events on disk; None if all are."""
    has_new_outcome: bool = False
    """Whether traceback and result still have to be written."""

    def snapshot(
        self, queue_position: int | None = None, event_count: int | None = None, *, is_brief: bool = False
    ) -> ExecutionSnapshot:
        """Return the record as clients see it.

        Args:
            queue_position: Position in the queue.
            event_count: Number of events; None for the number on disk.
            is_brief: Whether to omit traceback and result, which can be large.
        """
        return ExecutionSnapshot(
            execution_id=self.execution_id,
            plate_id=self.plate_id,
            status=self.status,
            submitted_at=self.submitted_at,
            started_at=self.started_at,
            ended_at=self.ended_at,
            error=self.error,
            traceback=None if is_brief else self.traceback,
            result=None if is_brief or self.result is None else msgspec.Raw(self.result),
            result_bytes=self.result_bytes,
            event_count=self.known_count if event_count is None else event_count,
            queue_position=queue_position,
            held=self.held,
            attempts=self.attempts,
            resumable=self.resumable,
            cpu_seconds=self.cpu_seconds,
            peak_memory_bytes=self.peak_memory_bytes,
            run_seconds=self.run_seconds,
        )

    @property
    def known_count(self) -> int:
        """Number of events that may be announced: those on disk, because the others could still be lost."""
        return self.event_count if self.written_count is None else self.written_count

    @property
    def brief_size(self) -> int:
        """Approximate size of the brief snapshot in bytes."""
        return 700 + len(self.plate_id) + len(self.error or "")

    def new_row(self) -> tuple[object, ...]:
        """Return the values for ``INSERT``."""
        return (*self._fixed_values(), *self._changing_values(), self._crc())

    def changed_row(self) -> tuple[object, ...]:
        """Return the values for ``UPDATE``."""
        return (*self._changing_values(), self._crc(), self.number)

    def _fixed_values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in _FIXED)

    def _changing_values(self) -> tuple[object, ...]:
        return tuple(str(self.status) if name == "status" else getattr(self, name) for name in _CHANGING)

    def _crc(self) -> int:
        return crc_of(*self._fixed_values(), *self._changing_values())


def read_rows(cursor: sqlite3.Cursor) -> Iterator[Record | DamagedRowError]:
    """Read the rows of a query for ``COLUMNS``; a damaged row is replaced by an error that describes the damage."""
    for row in cursor:
        *values, crc = row
        fields = dict(zip(_NAMES, values, strict=False))
        fields.update(held=bool(fields["held"]), resumable=bool(fields["resumable"]))
        try:
            spoiled = [name for name, value in fields.items() if isinstance(value, str) and not is_whole(value)]
            if spoiled:
                raise msgspec.ValidationError(f"{', '.join(spoiled)} cannot be read")
            record = msgspec.convert(fields, Record)
            if not is_intact(crc, *values):
                raise msgspec.ValidationError("its values do not match their checksum")
            yield record
        except msgspec.ValidationError as error:
            yield DamagedRowError(f"the entry of execution {fields['execution_id']!r} is damaged: {error}")
