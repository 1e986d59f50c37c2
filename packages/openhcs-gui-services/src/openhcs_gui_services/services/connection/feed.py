"""Events of one execution: received and merged on a client's I/O thread, and passed on once per frame."""

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
    """Sink for the events of one execution, to be passed to a client's ``following``.

    Its size is limited by the number of wells. It remains in use when a server is lost: the client asks the next one
    for the missed events.

    Args:
        execution_id: id of the execution.
        on_news: called on the I/O thread when there are new events after there were none.
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
        """Add events in order; called on the I/O thread."""
        with self._lock:
            for event in events:
                self._apply(event)
            had_news, self._has_news = self._has_news, True
        if not had_news:
            self._on_news(self)

    def has_room(self) -> bool:
        """Return True: superseded events make room for new ones."""
        return True

    def end(self) -> None:
        """Do nothing: the end of the execution is an event of its own."""

    def fail(self, error: Exception) -> None:
        """Do nothing: the events arrive once the server, or its successor, is back."""

    def learn(self, snapshot: ExecutionSnapshot) -> None:
        """Take over the current state of the execution, as returned by the server; from any thread."""
        with self._lock:
            self._on_snapshot(snapshot)

    def take(self) -> FeedNews:
        """Return everything new since the last call; can be called from any thread."""
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
            case _:  # an event that violates the schema; the client has counted and logged it
                pass

    def _on_snapshot(self, snapshot: ExecutionSnapshot, timestamp: float | None = None) -> None:
        self._snapshot = snapshot
        self._tracker.on_execution(snapshot, timestamp)
        self.is_done = has_ended(snapshot.status, snapshot.resumable)
