"""Long tasks in a background process: a durable queue, warm workers, live progress, cancel."""

import importlib
from typing import TYPE_CHECKING

from zmqruntime.environment import TaskEnvironment
from zmqruntime.execution.cancelling import CancelHook
from zmqruntime.execution.client import ExecutionClient, SubmitOptions
from zmqruntime.execution.exceptions import (
    BatchFailedError,
    IllegalTransitionError,
    InvalidProgressError,
    SubmissionLostError,
    SubmissionTimeoutError,
    TaskCancelled,
    TaskFailed,
    WaitTimeoutError,
)
from zmqruntime.execution.hub import local_task
from zmqruntime.execution.joining import join_task
from zmqruntime.execution.pool import WorkerKind
from zmqruntime.execution.processes import die_with_parent
from zmqruntime.execution.server import ExecutionServer
from zmqruntime.execution.task import Task, TaskLink, current_task

if TYPE_CHECKING:
    from zmqruntime.execution.aio import AsyncExecutionClient
    from zmqruntime.execution.batch import (
        BatchResult,
        BatchSubmitWaitEngine,
        BatchSubmitWaitPolicy,
        CallbackBatchSubmitWaitPolicy,
        JobOutcome,
        JobState,
    )
    from zmqruntime.execution.polling import (
        CallbackExecutionStatusPollPolicy,
        ExecutionStatusPoller,
        ExecutionStatusPollPolicy,
        PollEnd,
        PollResult,
    )
    from zmqruntime.execution.progress_channels import ProgressChannel
    from zmqruntime.execution.progress_projection import (
        AxisProgress,
        AxisState,
        BatchProgress,
        PlateProgress,
        PlateState,
        project_axis,
        project_batch,
        project_plate,
    )
    from zmqruntime.execution.progress_registry import ProgressRegistry, RegistryCounts

# What only clients use is imported when it is first used: asyncio alone would double the start of a server.
_HOMES = {
    "AsyncExecutionClient": "aio",
    "AxisProgress": "progress_projection",
    "AxisState": "progress_projection",
    "BatchProgress": "progress_projection",
    "BatchResult": "batch",
    "BatchSubmitWaitEngine": "batch",
    "BatchSubmitWaitPolicy": "batch",
    "CallbackBatchSubmitWaitPolicy": "batch",
    "CallbackExecutionStatusPollPolicy": "polling",
    "ExecutionStatusPollPolicy": "polling",
    "ExecutionStatusPoller": "polling",
    "JobOutcome": "batch",
    "JobState": "batch",
    "PlateProgress": "progress_projection",
    "PlateState": "progress_projection",
    "PollEnd": "polling",
    "PollResult": "polling",
    "ProgressChannel": "progress_channels",
    "ProgressRegistry": "progress_registry",
    "RegistryCounts": "progress_registry",
    "project_axis": "progress_projection",
    "project_batch": "progress_projection",
    "project_plate": "progress_projection",
}

__all__ = [
    "AsyncExecutionClient",
    "AxisProgress",
    "AxisState",
    "BatchFailedError",
    "BatchProgress",
    "BatchResult",
    "BatchSubmitWaitEngine",
    "BatchSubmitWaitPolicy",
    "CallbackBatchSubmitWaitPolicy",
    "CallbackExecutionStatusPollPolicy",
    "CancelHook",
    "ExecutionClient",
    "ExecutionServer",
    "ExecutionStatusPollPolicy",
    "ExecutionStatusPoller",
    "IllegalTransitionError",
    "InvalidProgressError",
    "JobOutcome",
    "JobState",
    "PlateProgress",
    "PlateState",
    "PollEnd",
    "PollResult",
    "ProgressChannel",
    "ProgressRegistry",
    "RegistryCounts",
    "SubmissionLostError",
    "SubmissionTimeoutError",
    "SubmitOptions",
    "Task",
    "TaskCancelled",
    "TaskEnvironment",
    "TaskFailed",
    "TaskLink",
    "WaitTimeoutError",
    "WorkerKind",
    "current_task",
    "die_with_parent",
    "join_task",
    "local_task",
    "project_axis",
    "project_batch",
    "project_plate",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
