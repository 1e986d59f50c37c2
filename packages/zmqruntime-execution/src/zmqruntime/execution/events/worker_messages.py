"""What a server and a worker process say to each other over their private socket pair."""

import enum

import msgspec

from zmqruntime.launch import ServerSpec
from zmqruntime.messages import LogLine, Message, PackedExecuteRequest, ProgressUpdate

__all__ = [
    "FROM_STDIN",
    "NOTHING",
    "Assign",
    "CancelAssigned",
    "Finished",
    "FromWorker",
    "KeepCheckpoint",
    "NotRun",
    "OfTask",
    "Outcome",
    "Ready",
    "Setup",
    "TaskReports",
    "TaskReportsRaw",
    "ToWorker",
]


FROM_STDIN = "stdin"
"""In place of a descriptor: the worker reads its socket from its standard input, as Windows needs it."""


NOTHING = msgspec.Raw(b"\xc0")
"""None, encoded."""


class Outcome(enum.StrEnum):
    """How a task ended, as the worker saw it."""

    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Setup(Message, frozen=True, kw_only=True, tag="setup"):
    """First frame to a worker: which server's tasks it will run."""

    spec: ServerSpec


class Assign(Message, frozen=True, kw_only=True, tag="assign"):
    """Run this execution; the numbers go on from where an interrupted run left them."""

    request: PackedExecuteRequest
    attempt: int
    checkpoints: dict[str, msgspec.Raw]
    progress_count: int
    log_count: int
    log_path: str
    """Where the lines of its log are kept too."""
    log_limit: int
    """How many bytes of them."""
    result_path: str
    """Where a long result is kept."""
    result_limit: int
    """How many bytes any may have."""


class CancelAssigned(Message, frozen=True, kw_only=True, tag="cancel_assigned"):
    """Let the running task, or one axis of it, stop."""

    axis_id: str | None


class Ready(Message, frozen=True, kw_only=True, tag="ready"):
    """The worker has loaded all it needs; with ``error`` it could not, and ends."""

    error: str | None = None


class OfTask(Message, frozen=True, kw_only=True):
    """What a worker says of a task: of which one, so that nothing is ever taken for another's."""

    execution_id: str
    attempt: int


class TaskReports(OfTask, frozen=True, kw_only=True, tag="task_reports"):
    """Numbered reports of the running task."""

    reports: list[ProgressUpdate | LogLine]
    progress_count: int
    log_count: int


class TaskReportsRaw(OfTask, frozen=True, kw_only=True, tag="task_reports"):
    """The same as the server reads it: it passes the reports on without looking into them."""

    reports: list[msgspec.Raw]
    progress_count: int
    log_count: int


class KeepCheckpoint(OfTask, frozen=True, kw_only=True, tag="keep_checkpoint"):
    """A value that the running task wants kept."""

    key: str
    value: msgspec.Raw


class Finished(OfTask, frozen=True, kw_only=True, tag="finished"):
    """The running task has ended; the worker waits for the next."""

    outcome: Outcome
    result: msgspec.Raw = NOTHING
    result_bytes: int | None = None
    """How long the result is that was written to the file that the assignment named; None if it is here."""
    error: str | None = None
    traceback: str | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    unclean: str | None = None
    """What the task has changed in its process that cannot be put back, so that the next one needs another."""


class NotRun(OfTask, frozen=True, kw_only=True, tag="not_run"):
    """The worker is not fit to run it any more, and ends; nothing of the task was begun."""

    reason: str


ToWorker = Setup | Assign | CancelAssigned
FromWorker = Ready | TaskReportsRaw | KeepCheckpoint | Finished | NotRun
