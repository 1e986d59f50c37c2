"""Tables of executions, as HTML for notebooks and as plain text elsewhere."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from zmqruntime.execution.progress.values import AxisState, PlateProgress
from zmqruntime.execution.text import duration, first_line, table as text_table
from zmqruntime.html import bar, code, shortened, status_badge, table
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

__all__ = [
    "ROWS_SHOWN",
    "TaskRow",
    "TasksContent",
    "counts_text",
    "task_row",
    "tasks_html",
    "tasks_text",
]

ROWS_SHOWN = 20
"""Number of rows of a table; how many more there are is said below it."""
_NAME_CHARACTERS = 60
_HEADER = ("task", "execution", "status", "progress", "time", "")
_FIRST = ("failed", "running", "cancelling", "interrupted", "queued", "cancelled", "complete")


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as a row of a table. ``percent`` is 0 to 100, or None if it is unknown."""

    name: str
    execution_id: str
    status: str
    percent: float | None = None
    seconds: float | None = None
    """How long it has been running, or was; None before its start."""
    text: str = ""
    """What it is doing, what it waits for, or why it failed."""


class TasksContent(msgspec.Struct, frozen=True, kw_only=True):
    """A table of executions, in both forms."""

    rows: Sequence[TaskRow]
    counts: Counter[str]

    def as_html(self) -> str:
        """Return it as HTML."""
        return tasks_html(self.rows, self.counts)

    def as_text(self) -> str:
        """Return it as aligned plain text."""
        return tasks_text(self.rows, self.counts)


def executions_html(executions: Sequence[ExecutionSnapshot]) -> str:
    """Return a table of executions of which only the snapshots are known."""
    return tasks_html([task_row(snapshot) for snapshot in executions])


def task_row(
    snapshot: ExecutionSnapshot, progress: PlateProgress | None = None, now: float | None = None, name: str = ""
) -> TaskRow:
    """Return the row of an execution.

    Args:
        snapshot: its state.
        progress: its progress, if that was followed.
        now: the time, in seconds since the epoch; None if the time since the start is not shown.
        name: a label [default: that of the execution, or what it is about].
    """
    label = name or getattr(snapshot, "name", "") or snapshot.plate_id
    return TaskRow(
        name=shortened(label, _NAME_CHARACTERS),
        execution_id=snapshot.execution_id,
        status=snapshot.status.value,
        percent=_percent(snapshot, progress),
        seconds=_seconds(snapshot, now),
        text=_text(snapshot, progress),
    )


def error_text(error: BaseException | None) -> str:
    """Return an error in one line, with its type."""
    return "" if error is None else first_line(f"{type(error).__name__}: {error}")


def tasks_html(rows: Sequence[TaskRow], counts: Counter[str] | None = None) -> str:
    """Return a table of executions; if there are more than fit, those that failed or are running come first.

    Args:
        rows: the executions.
        counts: number of executions by status [default: those of ``rows`` are all there are].
    """
    counts = _counts(rows) if counts is None else counts
    shown = _shown(rows, counts)
    body = table(_HEADER, [_html_cells(row) for row in shown], counts_text(counts))
    more = counts.total() - len(shown)
    return body + (f"<div>… and {more:,} more</div>" if more > 0 else "")


def tasks_text(rows: Sequence[TaskRow], counts: Counter[str] | None = None) -> str:
    """Return the same as :func:`tasks_html` as aligned plain text."""
    counts = _counts(rows) if counts is None else counts
    shown = _shown(rows, counts)
    lines = [counts_text(counts), *text_table(_HEADER, [_text_cells(row) for row in shown])]
    more = counts.total() - len(shown)
    return "\n".join([*lines, *([f"... and {more:,} more"] if more > 0 else [])])


def counts_text(counts: Counter[str]) -> str:
    """Return ``3 running, 10 queued, 1 failed``; "no tasks" if there are none."""
    return ", ".join(f"{counts[status]:,} {status}" for status in _FIRST if counts[status]) or "no tasks"


def _counts(rows: Sequence[TaskRow]) -> Counter[str]:
    return Counter(row.status for row in rows)


def _shown(rows: Sequence[TaskRow], counts: Counter[str]) -> Sequence[TaskRow]:
    if counts.total() <= ROWS_SHOWN:
        return rows
    return sorted(rows, key=lambda row: _FIRST.index(row.status))[:ROWS_SHOWN]


def _html_cells(row: TaskRow) -> list[str]:
    return [
        code(row.name),
        code(row.execution_id),
        status_badge(row.status),
        "" if row.percent is None else bar(row.percent, row.status),
        _time(row),
        code(shortened(row.text)) if row.text else "",
    ]


def _text_cells(row: TaskRow) -> list[str]:
    percent = "" if row.percent is None else f"{int(row.percent)} %"
    return [row.name, row.execution_id, row.status, percent, _time(row), shortened(row.text, 80)]


def _time(row: TaskRow) -> str:
    return "" if row.seconds is None else duration(row.seconds)


def _percent(snapshot: ExecutionSnapshot, progress: PlateProgress | None) -> float | None:
    if snapshot.status is ExecutionStatus.COMPLETE:
        return 100.0
    if progress is None or not progress.has_reported:
        return None
    return progress.percent


def _seconds(snapshot: ExecutionSnapshot, now: float | None) -> float | None:
    if snapshot.run_seconds is not None:
        return snapshot.run_seconds
    until = now if snapshot.ended_at is None else snapshot.ended_at
    return None if snapshot.started_at is None or until is None else max(0.0, until - snapshot.started_at)


def _text(snapshot: ExecutionSnapshot, progress: PlateProgress | None) -> str:
    if snapshot.error:
        return first_line(snapshot.error)
    waits_for = getattr(snapshot, "waits_for", None)
    if waits_for:
        return f"waits for {waits_for}"
    if progress is None or not snapshot.status.is_working:
        return ""
    running = [axis for axis in progress.axes if axis.state is AxisState.RUNNING]
    texts = [
        " ".join(filter(None, dict.fromkeys((axis.axis_id, axis.step_name, axis.message)))) for axis in running[:2]
    ]
    return ", ".join(filter(None, texts)) + (f" and {len(running) - 2:,} more" if len(running) > 2 else "")
