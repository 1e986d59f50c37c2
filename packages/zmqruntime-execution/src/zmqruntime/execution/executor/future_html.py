"""A future as a table of a notebook."""

import time
from typing import TYPE_CHECKING, Any

from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution.html import TaskRow, error_text, task_row, tasks_html
from zmqruntime.execution.progress.projection import PlateProjection

if TYPE_CHECKING:
    from zmqruntime.execution.executor.futures import TaskFuture

__all__ = ["future_html", "future_row"]


def future_html(future: "TaskFuture[Any]") -> str:
    """Return the table of one execution, with its progress so far."""
    try:
        snapshot, projection = future.snapshot(), PlateProjection()
        for event in future.past_events():
            projection.apply(event)
    except ZMQRuntimeError:  # what is known here
        return tasks_html([future_row(future)])
    return tasks_html([task_row(snapshot, projection.progress(), time.time(), future.name)])


def future_row(future: "TaskFuture[Any]") -> TaskRow:
    """Return what is known of an execution without asking its server."""
    return TaskRow(
        name=future.name,
        execution_id=future.execution_id,
        status=future.status,
        percent=100.0 if future.status == "complete" else None,
        text=error_text(future.exception()) if future.status == "failed" else "",
    )
