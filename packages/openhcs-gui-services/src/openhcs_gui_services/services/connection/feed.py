"""The news of one execution: taken in on a client's I/O thread, merged there, and handed out once a frame."""

import threading
from collections import deque
from collections.abc import Callable

from openhcs_gui_services.services.plates.values import FeedNews
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.progress.axes import AxisTracker
from zmqruntime.messages import Event, ExecutionSnapshot, ExecutionStatus, LogLine, ProgressUpdate, StateChange

__all__ = ["ExecutionFeed"]

_LOG_LINES = 2_000


class ExecutionFeed:
    """Where a client puts the events of one execution; a sink as followers of a client have.

    What it keeps is bounded by the number of wells. It stays through the loss of a server: the client asks the next one
    for what was missed.

    Args:
        execution_id: what it is about.
        on_news: called on the I/O thread when there is something to take after there was nothing.
    """

    def __init__(self, execution_id: str, on_news: Callable[["ExecutionFeed"], None]) -> None:
        self.execution_id = execution_id
        self.is_done = False
        self._on_news = on_news
        self._lock = threading.Lock()
        self._tracker = AxisTracker()
        self._snapshot: ExecutionSnapshot | None = None
        self._interrupted_at: float | None = None
        self._lines: deque[LogLine] = deque(maxlen=_LOG_LINES)
        self._has_news = False

    def put(self, events: list[Event]) -> None:
        """Take events in, in their order; from the I/O thread."""
        with self._lock:
            for event in events:
                self._apply(event)
            had_news, self._has_news = self._has_news, True
        if not had_news:
            self._on_news(self)

    def has_room(self) -> bool:
        """Always: what is superseded makes room."""
        return True

    def end(self) -> None:
        """Its own event says so."""

    def fail(self, error: Exception) -> None:
        """The server is lost, the events are not: they come when it, or its successor, is back."""

    def learn(self, snapshot: ExecutionSnapshot) -> None:
        """The server has said, when it was asked, what the execution is now; from any thread."""
        with self._lock:
            self._on_snapshot(snapshot)

    def take(self) -> FeedNews:
        """What has come since the last call; from any thread."""
        with self._lock:
            news = FeedNews(
                self.execution_id,
                tuple(self._tracker.take_changes()),
                self._tracker.working_since,
                self._snapshot,
                self._interrupted_at,
                tuple(self._lines),
            )
            self._lines.clear()
            self._snapshot, self._interrupted_at, self._has_news = None, None, False
        return news

    def _apply(self, event: Event) -> None:
        match event:
            case ProgressUpdate():
                self._tracker.on_progress(event)
            case StateChange(execution=snapshot, timestamp=timestamp):
                self._on_snapshot(snapshot, timestamp)
                if snapshot.status is ExecutionStatus.INTERRUPTED:
                    self._interrupted_at = timestamp
            case LogLine():
                self._lines.append(event)
            case _:  # an event that broke the schema; the client has counted and logged it
                pass

    def _on_snapshot(self, snapshot: ExecutionSnapshot, timestamp: float | None = None) -> None:
        self._snapshot = snapshot
        self._tracker.on_execution(snapshot, timestamp)
        self.is_done = has_ended(snapshot.status, snapshot.resumable)
