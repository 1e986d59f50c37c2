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

    Raises:
        TypeError: one of them is not a future.
    """
    futures = _futures_of(tasks)
    table = TaskTable(futures)
    view = LiveView(table.content, output)
    table.on_change = view.note_change
    try:
        with view:
            _wait_for(futures)
    finally:
        table.close()


def _futures_of(tasks: object) -> list[TaskFuture[Any]]:
    if isinstance(tasks, TaskFuture):
        return [tasks]
    is_one = isinstance(tasks, str) or hasattr(tasks, "execution_id")
    given: list[object] = [tasks] if is_one or not isinstance(tasks, Iterable) else list(tasks)
    futures = [each for each in given if isinstance(each, TaskFuture)]
    if len(futures) < len(given):
        other = next(each for each in given if not isinstance(each, TaskFuture))
        raise TypeError(_remedy(other))
    return futures


def _remedy(other: object) -> str:
    execution_id = other if isinstance(other, str) else getattr(other, "execution_id", None)
    if isinstance(execution_id, str):
        what = "an id" if isinstance(other, str) else f"objects of type {type(other).__name__}"
        return f"watch takes futures, not {what}: write watch(executor.future({execution_id!r}))"
    kind = type(other).__name__
    return f"watch takes futures, not objects of type {kind}: pass what executor.submit or executor.future returns"


def _wait_for(futures: Sequence[TaskFuture[Any]]) -> None:
    """Wait for the end of all; an interrupt first cancels what it is to cancel, so that the last table shows it."""
    try:
        concurrent.futures.wait(futures)
    except KeyboardInterrupt:
        for future in futures:
            if not future.done():
                future.note_interrupt()
        raise
