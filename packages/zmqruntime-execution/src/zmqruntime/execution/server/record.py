"""The server's record of an execution, and its row in the database."""

import functools
import operator
import sqlite3
from collections.abc import Iterator
from typing import Annotated

import msgspec

from zmqruntime.codec import encode
from zmqruntime.execution.server.damage import crc_of, is_whole, row_crc
from zmqruntime.execution.server.lanes import Lane, lane_of
from zmqruntime.execution.server.needs import NO_NEEDS, Needs
from zmqruntime.messages import (
    Count,
    ExecutionSnapshot,
    ExecutionStatus,
    PositiveSeconds,
    QueueName,
    Seconds,
    SubmissionId,
)

__all__ = ["COLUMNS", "DamagedRowError", "Record", "Row", "read_rows"]


_FIXED = (
    *("number", "execution_id", "plate_id", "priority", "soft_time_limit", "time_limit", "max_retries", "retry_delay"),
    *("resumable", "submitted_at", "environment"),
)
_CHANGING = (
    *("rank", "held", "status", "started_at", "ended_at", "not_before", "attempts", "worker_deaths", "error"),
    *("result_bytes", "run_seconds", "ended_order", "ended_uptime", "cpu_seconds", "peak_memory_bytes"),
    *("event_count", "state_count", "progress_count", "log_count"),
)

_LABELS = ("name", "queue", "needs")
_VALUES = (*_FIXED, *_CHANGING, *_LABELS, "implied_states")
_PLACES = {name: place for place, name in enumerate(_VALUES)}
_REAL = tuple(
    _PLACES[name]
    for name in (
        *("soft_time_limit", "time_limit", "retry_delay", "submitted_at", "rank", "started_at", "ended_at"),
        *("not_before", "run_seconds", "cpu_seconds"),
    )
)
_STATUS, _HELD, _RESUMABLE = _PLACES["status"], _PLACES["held"], _PLACES["resumable"]
_NAME, _QUEUE, _NEEDS = (_PLACES[name] for name in _LABELS)
_OF_ENDED = ("ended_at", "ended_order", "ended_uptime")
_values_of = operator.attrgetter(*_VALUES)
COLUMNS = ", ".join((*_VALUES, "crc"))

Row = tuple[object, ...]


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
    name: str = ""
    queue: QueueName = "default"
    needs: Needs = NO_NEEDS
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
    implied_states: Count = 0
    """Number of its first state events that are not stored, because they follow from this record."""
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
        self,
        queue_position: int | None = None,
        event_count: int | None = None,
        *,
        is_brief: bool = False,
        waits_for: str | None = None,
    ) -> ExecutionSnapshot:
        """Return the record as clients see it.

        Args:
            queue_position: Position in the queue.
            event_count: Number of events; None for the number on disk.
            is_brief: Whether to omit traceback and result, which can be large.
            waits_for: Why it cannot start.
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
            name=self.name,
            queue=self.queue,
            waits_for=waits_for,
        )

    @property
    def lane(self) -> Lane:
        """The lane in which it waits."""
        return lane_of(self.queue, self.needs)

    @property
    def known_count(self) -> int:
        """Number of events that may be announced: those on disk, because the others could still be lost."""
        return self.event_count if self.written_count is None else self.written_count

    @property
    def brief_size(self) -> int:
        """Approximate size of the brief snapshot in bytes."""
        return 800 + len(self.plate_id) + len(self.name) + len(self.error or "")

    def inserted(self) -> tuple[str, Row]:
        """Return the statement that writes it as a new row, and its values."""
        values = self._row()
        shape = _shape_of(tuple([value is None for value in values]))
        return shape.insert, (*shape.present(values), row_crc(values))

    def updated(self) -> tuple[str, Row]:
        """Return the statement that writes what may have changed, and its values."""
        values = self._row()
        shape = _shape_of(tuple([value is None for value in values]))
        return shape.update, (*shape.changing(values), row_crc(values), self.number)

    def _row(self) -> list[object]:
        """Return its values exactly as the database returns them, so that their checksum can be compared."""
        row: list[object] = list(_values_of(self))
        row[_STATUS] = self.status.value
        row[_HELD] = int(self.held)
        row[_RESUMABLE] = int(self.resumable)
        row[_NAME] = self.name or None
        row[_QUEUE] = None if self.queue == "default" else self.queue
        row[_NEEDS] = None if self.needs is NO_NEEDS else encode(self.needs)
        for place in _REAL:
            value = row[place]
            if type(value) is int:
                row[place] = float(value)
        return row


class _Shape:
    """The statements for rows in which the same values are None: binding that costs more than all the rest.

    Args:
        absent: For each value, whether it is None.
    """

    def __init__(self, absent: tuple[bool, ...]) -> None:
        names = [name for name, gone in zip(_VALUES, absent, strict=True) if not gone]
        self.insert = f"INSERT INTO executions ({', '.join(names)}, crc) VALUES ({', '.join('?' * (len(names) + 1))})"
        self.present = operator.itemgetter(*(_PLACES[name] for name in names))
        changing = [name for name in (*_CHANGING, "implied_states") if name in names]
        self.changing = operator.itemgetter(*(_PLACES[name] for name in changing))
        gone = [name for name in _CHANGING if name not in names]
        if "ended_order" in gone:  # it is open: these are NULL already, and to set them would visit three indexes
            gone = [name for name in gone if name not in _OF_ENDED]
        settings = [f"{name} = ?" for name in (*changing, "crc")] + [f"{name} = NULL" for name in gone]
        self.update = f"UPDATE executions SET {', '.join(settings)} WHERE number = ?"


_shape_of = functools.lru_cache(maxsize=64)(_Shape)


def read_rows(cursor: sqlite3.Cursor) -> Iterator[Record | DamagedRowError]:
    """Read the rows of a query for ``COLUMNS``; a damaged row is replaced by an error that describes the damage."""
    for row in cursor:
        *values, crc = row
        fields = dict(zip(_VALUES, values, strict=True))
        fields.update(held=bool(fields["held"]), resumable=bool(fields["resumable"]))
        try:
            _read_labels(fields)
            spoiled = [name for name, value in fields.items() if isinstance(value, str) and not is_whole(value)]
            if spoiled:
                raise msgspec.ValidationError(f"{', '.join(spoiled)} cannot be read")
            record = msgspec.convert(fields, Record)
            if not _is_intact(values, crc):
                raise msgspec.ValidationError("its values do not match their checksum")
            yield record
        except msgspec.ValidationError as error:
            yield DamagedRowError(f"the entry of execution {fields['execution_id']!r} is damaged: {error}")


def _is_intact(values: list[object], crc: object) -> bool:
    *earlier, implied_states = values
    if implied_states is not None:
        return crc == row_crc(values)
    if crc is None:
        return True
    # Releases without implied states compared numbers by value, and those without labels had none to include.
    plain = len(_FIXED) + len(_CHANGING)
    return crc == crc_of(*(earlier if any(value is not None for value in earlier[plain:]) else earlier[:plain]))


def _read_labels(fields: dict[str, object]) -> None:
    """Decode what the submission stated, and drop what it left out."""
    for name in (*_LABELS, "implied_states"):
        if fields[name] is None:
            del fields[name]
    if "needs" in fields:
        fields["needs"] = Needs.read(fields["needs"])
