"""Long tasks in a background process: a durable queue, warm workers, live progress, cancel."""

from zmqruntime.execution.client import ExecutionClient, SubmitOptions
from zmqruntime.execution.exceptions import (
    IllegalTransitionError,
    InvalidProgressError,
    TaskCancelled,
    TaskFailed,
    WaitTimeoutError,
)
from zmqruntime.execution.hub import local_task
from zmqruntime.execution.joining import join_task
from zmqruntime.execution.processes import die_with_parent
from zmqruntime.execution.server import ExecutionServer
from zmqruntime.execution.task import Task, TaskLink, current_task

__all__ = [
    "ExecutionClient",
    "ExecutionServer",
    "IllegalTransitionError",
    "InvalidProgressError",
    "SubmitOptions",
    "Task",
    "TaskCancelled",
    "TaskFailed",
    "TaskLink",
    "WaitTimeoutError",
    "current_task",
    "die_with_parent",
    "join_task",
    "local_task",
]
