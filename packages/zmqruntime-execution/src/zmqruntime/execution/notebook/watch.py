"""Shows tasks until they have ended, in the output of a notebook cell or in a terminal."""

import concurrent.futures
from collections.abc import Iterable, Sequence
from typing import Any

from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.notebook.live import LiveView
from zmqruntime.execution.notebook.output import Output
from zmqruntime.execution.notebook.tasks import TaskTable

__all__ = ["watch"]


def watch(tasks: TaskFuture[Any] | Iterable[TaskFuture[Any]], *, output: Output | None = None) -> None:
    """Show a table of tasks, with bars, until all of them have ended.

    In a notebook the table is one output of the cell, replaced at most four times a second. In a terminal it is
    written over itself; in a file or a pipe only the last one appears. Errors of tasks are shown, not raised: the
    results are those of the futures.

    If the cell is interrupted, the tasks that it has submitted are cancelled, unless their executor was made with
    ``cancel_on_interrupt=False``; all others go on.

    Args:
        tasks: one future or several.
        output: where to show it [default: the output of the cell, or standard output].
    """
    futures = [tasks] if isinstance(tasks, TaskFuture) else list(tasks)
    table = TaskTable(futures)
    view = LiveView(table.content, output)
    table.on_change = view.note_change
    try:
        with view:
            _wait_for(futures)
    finally:
        table.close()


def _wait_for(futures: Sequence[TaskFuture[Any]]) -> None:
    """Wait for the end of all; an interrupt first cancels what it is to cancel, so that the last table shows it."""
    try:
        concurrent.futures.wait(futures)
    except KeyboardInterrupt:
        for future in futures:
            if not future.done():
                future.note_interrupt()
        raise
