"""One execution as its server keeps it, and as a row of the database."""

import sqlite3
from collections.abc import Iterator
from typing import Annotated

import msgspec

from zmqruntime.execution.server.damage import is_whole
from zmqruntime.messages import Count, ExecutionSnapshot, ExecutionStatus, PositiveSeconds, Seconds

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

COLUMNS = ", ".join([*_FIXED, *_CHANGING])
INSERT = f"INSERT INTO executions ({COLUMNS}) VALUES ({', '.join('?' * len([*_FIXED, *_CHANGING]))})"
UPDATE = f"UPDATE executions SET {', '.join(f'{name} = ?' for name in _CHANGING)} WHERE number = ?"


class DamagedRowError(Exception):
    """A row does not hold what it must."""


class Record(msgspec.Struct, kw_only=True, gc=False):
    """One execution. Its payload stays on disk, and so does what it left behind once it has ended.

    It refers to nothing that could refer to it, so the garbage collector need not look at 100,000 of them.
    """

    number: int
    execution_id: str
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
    """Under which number the environment of its processes is kept; None for the server's own."""
    started_at: float | None = None
    ended_at: float | None = None
    not_before: float | None = None
    attempts: Count = 0
    worker_deaths: int = 0
    error: str | None = None
    result_bytes: Count | None = None
    run_seconds: float | None = None
    ended_order: int | None = None
    """Its place among those that ended; unlike a time it is never wrong."""
    ended_uptime: int | None = None
    """For how many seconds the server had run by then, in all its runs."""
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    event_count: Count = 0
    state_count: Count = 0
    progress_count: Count = 0
    log_count: Count = 0
    has_checkpoints: bool = True
    """False when it is certain that none are stored."""
    traceback: str | None = None
    result: bytes | None = None
    """Encoded; None if it is long."""
    written_count: int | None = None
    """How many events are on disk, if not all are."""
    has_new_outcome: bool = False
    """Whether traceback and result are to be written."""

    def snapshot(
        self, queue_position: int | None = None, event_count: int | None = None, *, is_brief: bool = False
    ) -> ExecutionSnapshot:
        """The record as clients see it.

        Args:
            queue_position: its place in the queue.
            event_count: as many as are on disk when None.
            is_brief: without what can be long.
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
        """How many events anybody may know of: those on disk, for the others may be lost still."""
        return self.event_count if self.written_count is None else self.written_count

    @property
    def brief_size(self) -> int:
        """About how many bytes the brief snapshot takes."""
        return 700 + len(self.plate_id) + len(self.error or "")

    def fixed_values(self) -> tuple[object, ...]:
        """Of the columns that never change."""
        return tuple(getattr(self, name) for name in _FIXED)

    def changing_values(self) -> tuple[object, ...]:
        """Of the others."""
        return tuple(str(self.status) if name == "status" else getattr(self, name) for name in _CHANGING)


def read_rows(cursor: sqlite3.Cursor) -> Iterator[Record | DamagedRowError]:
    """The rows of a query for ``COLUMNS``; in place of one that cannot be right, what is wrong with it."""
    names = [*_FIXED, *_CHANGING]
    for row in cursor:
        fields = dict(zip(names, row, strict=True))
        fields.update(held=bool(fields["held"]), resumable=bool(fields["resumable"]))
        try:
            spoiled = [name for name, value in fields.items() if isinstance(value, str) and not is_whole(value)]
            if spoiled:
                raise msgspec.ValidationError(f"{', '.join(spoiled)} cannot be read")
            yield msgspec.convert(fields, Record)
        except msgspec.ValidationError as error:
            yield DamagedRowError(f"the entry of execution {fields['execution_id']!r} is damaged: {error}")
