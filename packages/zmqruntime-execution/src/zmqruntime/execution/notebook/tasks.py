"""The state of futures for a table: the ones that are next are followed event by event, the others only counted."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution.executor.future_html import future_row
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.html import ROWS_SHOWN, TaskRow, TasksContent, task_row
from zmqruntime.execution.progress.projection import PlateProjection
from zmqruntime.messages import ExecutionSnapshot, StateChange

__all__ = ["TaskTable"]

_EVENTS_AT_ONCE = 1000


class TaskTable:
    """The rows of some futures, from which any number of pictures can be made while they are running.

    The number of futures that are followed at a time, and of rows that are kept of ended ones, is limited by what a
    table shows.

    Args:
        futures: the tasks.

    Attributes:
        on_change: called in any thread when there is news.
    """

    def __init__(self, futures: Sequence[TaskFuture[Any]]) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._open = list(futures)
        self._counts: Counter[str] = Counter()
        self._ended: dict[str, TaskRow] = {}
        self._places = {future.execution_id: place for place, future in enumerate(futures)}
        self._followed: dict[str, _Followed] = {}
        for future in futures:
            future.add_done_callback(lambda _: self.on_change())

    def content(self) -> TasksContent:
        """Return the table as it is now."""
        with self._lock:
            self._settle()
            running = [self._row(future) for future in self._open[: 2 * ROWS_SHOWN]]
            counts = self._counts + Counter({"running": sum(future.running() for future in self._open)})
            counts += Counter({"queued": len(self._open) - counts["running"]})
            rows = sorted([*self._ended.values(), *running], key=lambda row: self._places[row.execution_id])
            return TasksContent(rows=rows, counts=counts)

    def close(self) -> None:
        """Follow nothing any more."""
        with self._lock:
            for followed in self._followed.values():
                followed.close()
            self._followed.clear()

    def _settle(self) -> None:
        """Note the futures that have ended, and follow the first ones of the others."""
        still: list[TaskFuture[Any]] = []
        for future in self._open:
            if future.done():
                self._end(future)
            else:
                still.append(future)
        self._open = still
        for future in still[:ROWS_SHOWN]:
            if future.execution_id not in self._followed:
                self._followed[future.execution_id] = _Followed(future, lambda: self.on_change())

    def _end(self, future: TaskFuture[Any]) -> None:
        row = self._row(future)
        self._counts[row.status] += 1
        followed = self._followed.pop(future.execution_id, None)
        if followed is not None:
            followed.close()
        if row.status == "failed" or len(self._ended) < ROWS_SHOWN:
            self._ended[row.execution_id] = row
        if len(self._ended) > 2 * ROWS_SHOWN:
            del self._ended[next(iter(self._ended))]

    def _row(self, future: TaskFuture[Any]) -> TaskRow:
        followed = self._followed.get(future.execution_id)
        known = None if followed is None else followed.row()
        if known is not None and known.status == future.status:
            return known
        row = future_row(future)
        return row if known is None else msgspec.structs.replace(row, seconds=known.seconds)


class _Followed:
    """One future that is followed event by event."""

    def __init__(self, future: TaskFuture[Any], on_change: Callable[[], None]) -> None:
        self._name = future.name
        self._following = contextlib.ExitStack()
        self._sink = self._following.enter_context(future.opened())
        self._sink.on_change = on_change
        self._projection = PlateProjection()
        self._snapshot: ExecutionSnapshot | None = None

    def row(self) -> TaskRow | None:
        """Return its row after the events so far; None before the first one."""
        with contextlib.suppress(ZMQRuntimeError):  # the future says so
            while events := self._sink.take(_EVENTS_AT_ONCE):
                for event in events:
                    self._projection.apply(event)
                    if isinstance(event, StateChange):
                        self._snapshot = event.execution
        if self._snapshot is None:
            return None
        return task_row(self._snapshot, self._projection.progress(), time.time(), self._name)

    def close(self) -> None:
        """Follow it no more."""
        self._following.close()
