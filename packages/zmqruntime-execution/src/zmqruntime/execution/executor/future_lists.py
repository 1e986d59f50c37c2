"""Lists of futures as tables of a notebook."""

from zmqruntime.execution.cells import Shell
from zmqruntime.execution.executor.future_html import future_row
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.html import tasks_html

__all__ = ["show_lists_of_futures"]


def show_lists_of_futures(shell: Shell) -> None:
    """Let a notebook show a list that has nothing but futures as a table; other lists stay as they are."""
    shell.display_formatter.formatters["text/html"].for_type(list, _list_html)


def _list_html(items: list[object]) -> str | None:
    futures = [item for item in items if isinstance(item, TaskFuture)]
    return tasks_html([future_row(future) for future in futures]) if items and len(futures) == len(items) else None
