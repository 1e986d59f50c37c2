"""What a page is sent: plain values with all texts cleaned, from what the execution server says."""

from typing import Any, NamedTuple

import msgspec

from zmqruntime.execution.clean import clean, clean_line
from zmqruntime.execution.executor.opened import is_failure
from zmqruntime.execution.progress.values import AxisProgress, PlateProgress
from zmqruntime.messages import ExecutionSnapshot, LogLine, ProgressUpdate

__all__ = [
    "MOST_AXES",
    "ExecutionUpdate",
    "Head",
    "LogRow",
    "Reports",
    "Row",
    "axis_row",
    "head_of",
    "log_row",
    "row_of",
]

MOST_AXES = 6_144
"""Axes that a page is sent, as many as four of the largest plates have wells; the others are only counted."""
_MOST_LINE = 4_000

LogRow = tuple[str, float, str, str, str, str]
"""Key, time, level, logger, axis and text of a log line. A page never shows two lines with the same key."""


class Reports(NamedTuple):
    """What a task has said of its progress, and what follows from it at a time."""

    latest: ProgressUpdate | None
    whole: ProgressUpdate | None
    left: float | None
    now: float


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """An execution in a list. Times are in seconds since the epoch."""

    id: str
    status: str
    name: str
    about: str = ""
    """What it works on: its ``plate_id``, if its name is something else."""
    queue: str = ""
    waits: str = ""
    submitted: float = 0.0
    started: float | None = None
    ended: float | None = None
    seconds: float | None = None
    percent: float | None = None
    left: float | None = None
    place: int | None = None
    held: bool = False
    error: str = ""
    attempts: int = 0


class Counts(msgspec.Struct, frozen=True):
    """Axes by state."""

    total: int
    running: int
    complete: int
    failed: int
    cancelled: int


class Head(msgspec.Struct, frozen=True):
    """An execution in full, without its axes and its log."""

    row: Row
    now: float
    step: str
    message: str
    counts: Counts
    error: str
    traceback: str
    resumable: bool
    cpu_seconds: float | None
    peak_memory: int | None
    result_bytes: int | None


class ExecutionUpdate(msgspec.Struct, frozen=True):
    """What a page lacks of an execution; with ``reset``, it is everything, and the page forgets what it had."""

    reset: bool
    head: Head | None
    axes: list[tuple[object, ...]]
    log: list[LogRow]
    skipped: int
    problem: str


def row_of(snapshot: ExecutionSnapshot, percent: float | None = None, left: float | None = None) -> Row:
    """Return a line of a list."""
    name, about = clean_line(snapshot.name), clean_line(snapshot.plate_id)
    shown = name or last_part(about) or snapshot.execution_id[:12]
    return Row(
        id=snapshot.execution_id,
        status=snapshot.status.value,
        name=shown,
        about="" if about == shown else about,
        queue="" if snapshot.queue == "default" else clean_line(snapshot.queue),
        waits=clean_line(snapshot.waits_for or ""),
        submitted=snapshot.submitted_at,
        started=snapshot.started_at,
        ended=snapshot.ended_at,
        seconds=snapshot.run_seconds,
        percent=None if percent is None else round(percent, 1),
        left=None if left is None else round(left),
        place=snapshot.queue_position,
        held=snapshot.held,
        error=clean_line(snapshot.error or ""),
        attempts=snapshot.attempts,
    )


def head_of(
    snapshot: ExecutionSnapshot, listed: ExecutionSnapshot | None, progress: PlateProgress, reports: Reports
) -> Head:
    """Return an execution in full.

    Args:
        snapshot: from its events.
        listed: from the list of the server, which knows its place in the queue.
        progress: the state of its axes.
        reports: what the task has said.
    """
    newest = listed if listed is not None and listed.status == snapshot.status else snapshot
    said = None if progress.axes else reports.whole or reports.latest  # the axes say for themselves what they do
    return Head(
        row=row_of(newest, progress.percent, reports.left),
        now=reports.now,
        step="" if said is None else _step(said),
        message="" if said is None else clean_line(said.message or ""),
        counts=Counts(
            progress.axes_total,
            progress.axes_running,
            progress.axes_done,
            progress.axes_failed,
            progress.axes_cancelled,
        ),
        error=clean(snapshot.error or progress.error),
        traceback=clean(snapshot.traceback or ""),
        resumable=snapshot.resumable,
        cpu_seconds=snapshot.cpu_seconds,
        peak_memory=snapshot.peak_memory_bytes,
        result_bytes=None if is_failure(snapshot) else snapshot.result_bytes,
    )


def axis_row(axis: AxisProgress) -> tuple[object, ...]:
    """Return id, state, percent, step, its number, number of steps, error and message of an axis."""
    return (
        clean_line(axis.axis_id, 80),
        axis.state.value,
        round(axis.percent, 1),
        clean_line(axis.step_name, 80),
        axis.step_index,
        axis.total_steps,
        clean_line(axis.error, 500),
        clean_line(axis.message, 200),
    )


def log_row(line: LogLine, notes: int) -> LogRow:
    """Return a log line; ``notes`` is how many of the server's own lines there were."""
    key = str(line.sequence) if line.sequence else f"n{notes}"
    return (
        key,
        line.timestamp,
        line.level.value,
        clean_line(line.logger, 80),
        clean_line(line.axis_id, 80),
        clean(line.text.rstrip("\n"), _MOST_LINE),
    )


def last_part(text: str) -> str:
    """Return the last part of a path or an address; any other text as it is."""
    is_path = text.startswith(("/", "\\\\")) or "://" in text or text[1:3] == ":\\"
    parts = [part for part in text.replace("\\", "/").split("/") if part]
    return parts[-1] if is_path and parts else text


def _step(update: ProgressUpdate) -> str:
    name = clean_line(update.step_name, 80)
    of_steps = f" (step {update.step_index + 1} of {update.total_steps})" if update.total_steps > 1 else ""
    done = f", {update.completed:,} of {update.total:,}" if update.total > 1 else ""
    return f"{name}{of_steps}{done}"


def plain(value: Any) -> bytes:
    """Encode a value for a page."""
    return msgspec.json.encode(value)
