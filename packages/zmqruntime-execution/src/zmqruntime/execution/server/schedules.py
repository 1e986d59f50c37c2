"""Schedules: submissions that the server makes itself when they are due, each due time once."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from zmqruntime.codec import encode
from zmqruntime.execution.server.damage import crc_of, is_intact
from zmqruntime.execution.server.due_times import DueTimeError, next_due
from zmqruntime.loop import Timer
from zmqruntime.messages import (
    ErrorCode,
    ErrorResponse,
    ExecuteRequest,
    PackedExecuteRequest,
    Schedule,
    ScheduleRequest,
)

__all__ = ["MOST_SCHEDULES", "STATEMENTS", "ScheduleRow", "Schedules"]

_log = logging.getLogger(__name__)

MOST_SCHEDULES = 1_000
_LONGEST_SLEEP_SECONDS = 60.0  # then the system clock is looked at, which may have been changed
_WRONG_CLOCK_SECONDS = 3600.0
_UNUSED_ID = "schedule-template"

ScheduleRow = tuple[str, bytes, int | None]

_PUT = "INSERT OR REPLACE INTO schedules (name, content, crc) VALUES (?, ?, ?)"
_DELETE = "DELETE FROM schedules WHERE name = ?"
STATEMENTS = frozenset({_PUT, _DELETE})
"""What is written of a schedule, of which only the latest counts."""


class Clock(Protocol):
    """A loop that can call something later."""

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        """Run ``call`` after ``delay`` seconds."""
        ...


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as it is in the database."""

    schedule: Schedule
    request: PackedExecuteRequest
    anchor: float

    def due_after(self, moment: float) -> float:
        """Return its first due time after a moment. Raises ``DueTimeError``."""
        schedule = self.schedule
        return next_due(schedule.every, schedule.cron, schedule.timezone, self.anchor, moment)

    def changed(self, **fields: object) -> "_Kept":
        """Return it with other fields of the schedule."""
        return msgspec.structs.replace(self, schedule=msgspec.structs.replace(self.schedule, **fields))


_decode = msgspec.msgpack.Decoder(_Kept).decode


class Schedules:
    """The schedules of one server; on its loop's thread only.

    The next due time is written together with the execution of the one before, and the id of that execution follows
    from the name and the due time. So each due time gives one execution, no matter where the server is killed. What is
    due is decided by the system clock. After it was set back by less than an hour, due times are waited for that are
    later than the last one; after a larger change they are computed again.

    Args:
        rows: The schedules in the database.
        write: Adds a statement to the next commit.
        submit: Accepts a submission, or returns why not.
        clock: The loop.
    """

    def __init__(
        self,
        rows: Iterable[ScheduleRow],
        write: Callable[[str, tuple[object, ...]], None],
        submit: Callable[[ExecuteRequest], ErrorResponse | None],
        clock: Clock,
    ) -> None:
        self._write = write
        self._submit = submit
        self._clock = clock
        self._timer: Timer | None = None
        self._before: dict[str, tuple[str, _Kept]] = {}
        self._unwritten: dict[str, _Kept | None] = {}
        self._kept: dict[str, _Kept] = {}
        for row in rows:
            self._read(*row)

    def _read(self, name: str, content: bytes, crc: int | None) -> None:
        try:
            if not is_intact(crc, name, content):
                raise msgspec.ValidationError("it does not match its checksum")
            self._kept[name] = _decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, TypeError) as error:
            _log.error("schedule %r is damaged and submits nothing: %s; schedule it again", name, error)

    # --- requests ------------------------------------------------------------------------------------------------

    def listed(self) -> list[Schedule]:
        """Return all schedules, by name."""
        return [self._kept[name].schedule for name in sorted(self._kept)]

    def put(self, request: ScheduleRequest) -> Schedule | ErrorResponse:
        """Add or replace a schedule; an equal one stays as it is."""
        task = msgspec.structs.replace(request.request, submission_id=_UNUSED_ID, trace="")
        known = self._kept.get(request.name)
        if known is not None and _content(known) == (encode(task), request.every, request.cron, request.timezone):
            return known.schedule
        if known is None and len(self._kept) >= MOST_SCHEDULES:
            text = f"this server has {MOST_SCHEDULES} schedules, which is the maximum: remove one first"
            return ErrorResponse(code=ErrorCode.QUEUE_FULL, message=text)
        now = time.time()
        try:
            due = next_due(request.every, request.cron, request.timezone, now, now)
        except DueTimeError as error:
            return ErrorResponse(code=ErrorCode.INVALID, message=str(error))
        schedule = Schedule(
            name=request.name,
            task=task.name,
            queue=task.queue,
            every=request.every,
            cron=request.cron,
            timezone=request.timezone,
            next_due=due,
        )
        self._unwritten.setdefault(request.name, known)
        self._keep({"schedule": schedule, "request": task, "anchor": now})
        self.arm()
        return schedule

    def remove(self, name: str) -> Schedule | ErrorResponse:
        """Remove a schedule and return it."""
        kept = self._kept.pop(name, None)
        if kept is None:
            known = ", ".join(sorted(self._kept)[:10]) or "none"
            text = f"this server has no schedule {name!r}; it has: {known}"
            return ErrorResponse(code=ErrorCode.NOT_FOUND, message=text)
        self._before.pop(name, None)
        self._unwritten.setdefault(name, kept)
        self._write(_DELETE, (name,))
        return kept.schedule

    def note_written(self) -> None:
        """Note that all changes are on disk."""
        self._unwritten.clear()

    def take_back(self, dropped: set[str]) -> None:
        """Undo requests that could not be written, and submit again what was due and could not be written."""
        undone, self._unwritten = self._unwritten, {}
        for name, before in undone.items():
            if before is not None:
                self._put(before)
            elif self._kept.pop(name, None) is not None:
                self._before.pop(name, None)
                self._write(_DELETE, (name,))
        for name, (execution_id, before) in list(self._before.items()):
            if execution_id in dropped and name in self._kept:
                self._put(before)

    # --- time ----------------------------------------------------------------------------------------------------

    def arm(self) -> None:
        """Sleep until the next due time, or for a minute."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._kept:
            left = min(kept.schedule.next_due for kept in self._kept.values()) - time.time()
            self._timer = self._clock.call_later(min(max(0.0, left), _LONGEST_SLEEP_SECONDS), self.run_due)

    def run_due(self) -> None:
        """Submit what is due."""
        now = time.time()
        for kept in list(self._kept.values()):
            try:
                if kept.schedule.next_due <= now:
                    self._run(kept, now)
                else:
                    self._after_clock_change(kept, now)
            except DueTimeError as error:
                self._note_trouble(kept, str(error), now + _LONGEST_SLEEP_SECONDS)
        self.arm()

    def _run(self, kept: _Kept, now: float) -> None:
        schedule = kept.schedule
        due, following = schedule.next_due, kept.due_after(now)
        if kept.due_after(due) <= now:
            _log.warning("schedule %s: one execution makes up for all due times that have passed", schedule.name)
        execution_id = id_for(schedule.name, due)
        refusal = self._submit(msgspec.structs.replace(kept.request, submission_id=execution_id))
        if refusal is not None:
            self._note_trouble(kept, refusal.message, following)
            return
        self._before[schedule.name] = (execution_id, kept)
        self._put(kept.changed(next_due=following, last_due=due, last_execution=execution_id, trouble=""))

    def _after_clock_change(self, kept: _Kept, now: float) -> None:
        """Bring the next due time forward if the clock was set back since it was computed."""
        due, last = kept.due_after(now), kept.schedule.last_due
        was_wrong = last is None or last > now + _WRONG_CLOCK_SECONDS
        if due < kept.schedule.next_due and (was_wrong or (last is not None and due > last)):
            self._put(kept.changed(next_due=due))

    def _note_trouble(self, kept: _Kept, trouble: str, following: float) -> None:
        if trouble != kept.schedule.trouble:
            _log.error("schedule %s submitted nothing: %s", kept.schedule.name, trouble)
        self._put(kept.changed(next_due=following, trouble=trouble))

    def _put(self, kept: _Kept) -> None:
        self._keep({"schedule": kept.schedule, "request": kept.request, "anchor": kept.anchor})

    def _keep(self, fields: dict[str, object]) -> None:
        """Keep a schedule, decoded again so that it does not hold the message that it came with."""
        content = encode(fields)
        kept = _decode(content)
        name = kept.schedule.name
        self._kept[name] = kept
        self._write(_PUT, (name, content, crc_of(name, content)))


def id_for(name: str, due: float) -> str:
    """Return the id of the execution of a schedule at a due time."""
    return "schedule-" + hashlib.sha256(f"{name} {due!r}".encode()).hexdigest()[:32]


def _content(kept: _Kept) -> tuple[bytes, float | None, str | None, str | None]:
    """Return what makes two schedules equal."""
    schedule = kept.schedule
    return encode(kept.request), schedule.every, schedule.cron, schedule.timezone
