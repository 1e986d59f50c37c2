"""One execution as a page shows it: its events become a state, of which each page gets what it does not have yet.

There is no queue for a page. A page tells how far it has read, and gets the difference between that and the present
state. So a page that reads slowly, or was away, costs nothing and gets the latest state in one message.
"""

import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from zmqruntime.execution.progress.projection import PlateProjection
from zmqruntime.execution.progress.values import PlateProgress
from zmqruntime.execution.web.cursor import START, Cursor
from zmqruntime.execution.web.topics import Topic
from zmqruntime.execution.web.views import (
    MOST_AXES,
    ExecutionUpdate,
    LogRow,
    Reports,
    axis_row,
    head_of,
    log_row,
)
from zmqruntime.messages import Event, ExecutionSnapshot, LogLine, ProgressUpdate, StateChange

__all__ = ["KEPT_LINES", "Follow"]

_ALL = 100.0 - 1e-6
KEPT_LINES = 500
"""Log lines that are kept for pages; all of them are in the log file of the execution."""


class _Kept(NamedTuple):
    sequence: int
    """0 for one of the server's own lines."""
    note: int
    """How many of those there were, up to this line."""
    row: LogRow


class Follow:
    """The state of one execution. For one event loop.

    Args:
        topic: is told of each change.

    Attributes:
        cursor: the latest events of each kind.
        version: changes with the state.
        is_ready: whether all events that there were at the beginning have been applied. Before that, a page that comes
            back may have read more than this.
        has_ended: whether nothing more will happen.
        problem: why the execution can't be shown; empty if it can.
    """

    def __init__(self, topic: Topic) -> None:
        self.is_ready = False
        self.has_ended = False
        self.problem = ""
        self.cursor = START
        self.version = 0
        self._topic = topic
        self._projection = PlateProjection()
        self._progress: PlateProgress | None = None
        self._snapshot: ExecutionSnapshot | None = None
        self._axes: dict[str, int] = {}
        self._log: deque[_Kept] = deque(maxlen=KEPT_LINES)
        self._latest: ProgressUpdate | None = None
        self._whole: ProgressUpdate | None = None

    @property
    def snapshot(self) -> ExecutionSnapshot | None:
        """The execution, as far as it is known."""
        return self._snapshot

    def apply(self, events: Iterable[Event]) -> None:
        """Apply events, in order."""
        progress, log, state, notes = self.cursor.progress, self.cursor.log, self.cursor.state, self.cursor.notes
        for event in events:
            self._projection.apply(event)
            match event:
                case ProgressUpdate():
                    progress = max(progress, event.sequence)
                    self._on_progress(event)
                case LogLine(sequence=0):
                    notes += 1
                    self._log.append(_Kept(0, notes, log_row(event, notes)))
                case LogLine():
                    log = event.sequence
                    self._log.append(_Kept(log, notes, log_row(event, notes)))
                case StateChange():
                    state = max(state, event.sequence)
                    self._snapshot = event.execution
        self.cursor = Cursor(progress, log, state, notes)
        self.changed()

    def put_snapshot(self, snapshot: ExecutionSnapshot) -> None:
        """Take a snapshot of the execution that is as new as the events."""
        self._snapshot = snapshot
        self._projection.on_execution(snapshot)
        self.changed()

    def changed(self) -> None:
        """Note that there is something new to show."""
        self._progress = None
        self.version += 1
        self._topic.changed()

    @property
    def progress(self) -> PlateProgress:
        """The state of the execution and its axes."""
        if self._progress is None:
            self._progress = self._projection.progress()
        return self._progress

    @property
    def percent(self) -> float:
        """How much is done, 0 to 100."""
        return self.progress.percent

    def remaining_seconds(self, now: float) -> float | None:
        """Estimate the time left; None where it is too early to say."""
        progress = self.progress
        if progress.axes:
            return progress.remaining_seconds(now)
        return _left_of_whole(progress, now)

    def since(
        self, cursor: Cursor, shown: ExecutionSnapshot | None = None, *, estimates: bool = True
    ) -> ExecutionUpdate:
        """Return what a page lacks.

        Args:
            cursor: how far the page has read.
            shown: a snapshot of the execution that may be newer, for its place in the queue.
            estimates: whether to say how long it will take, which nobody knows while its server is silent.
        """
        is_reset = cursor == START or cursor.is_beyond(self.cursor)
        known = START if is_reset else cursor
        now = time.time()
        left = self.remaining_seconds(now) if estimates else None
        reports = Reports(self._latest, self._whole, left, now)
        lines, skipped = self._lines_after(known)
        return ExecutionUpdate(
            reset=is_reset,
            head=None if self._snapshot is None else head_of(self._snapshot, shown, self.progress, reports),
            axes=self._axes_after(known),
            log=lines,
            skipped=skipped,
            problem=self.problem,
        )

    def _on_progress(self, update: ProgressUpdate) -> None:
        self._latest = update
        if update.axis_id:
            self._axes[update.axis_id] = update.sequence
        else:
            self._whole = update

    def _axes_after(self, cursor: Cursor) -> list[tuple[object, ...]]:
        rows = self.progress.axes[:MOST_AXES]
        if cursor.state != self.cursor.state:
            return [axis_row(axis) for axis in rows]
        if cursor.progress == self.cursor.progress:
            return []
        return [axis_row(axis) for axis in rows if self._axes.get(axis.axis_id, 0) > cursor.progress]

    def _lines_after(self, cursor: Cursor) -> tuple[list[LogRow], int]:
        """The lines that a page lacks, and how many more of them are no longer kept."""
        found: list[LogRow] = []
        first = 0
        for kept in reversed(self._log):
            is_known = kept.note <= cursor.notes if kept.sequence == 0 else kept.sequence <= cursor.log
            if is_known and kept.note <= cursor.notes:
                break
            if not is_known:
                found.append(kept.row)
                first = kept.sequence or first
        return found[::-1], max(0, first - cursor.log - 1) if first else 0


def _left_of_whole(progress: PlateProgress, now: float) -> float | None:
    """Of a task that has no axes, at its pace so far."""
    if progress.has_ended or progress.started_at is None or not 1 <= progress.percent < _ALL:
        return None
    elapsed = now - progress.started_at
    return elapsed * (100 - progress.percent) / progress.percent if elapsed >= 3 else None
