"""Messages between a server and a worker process, over their private socket pair."""

import enum

import msgspec

from zmqruntime.environment import TaskEnvironment
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
"""Used in place of a descriptor: the worker reads its socket from standard input, as Windows requires."""


NOTHING = msgspec.Raw(b"\xc0")
"""An encoded None."""


class Outcome(enum.StrEnum):
    """How a task ended, as the worker saw it."""

    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Setup(Message, frozen=True, kw_only=True, tag="setup"):
    """The first frame to a worker: the server whose tasks it will run."""

    spec: ServerSpec
    begun_dir: str = ""
    """Folder for the notes of what the worker has begun; empty if nothing is handed over ahead."""
    environment: TaskEnvironment | None = None
    """That of the process, and of all executions that name one."""


class Assign(Message, frozen=True, kw_only=True, tag="assign"):
    """Run this execution; event numbers continue from those of an interrupted run."""

    request: PackedExecuteRequest
    number: int
    """Number of the execution in the database."""
    attempt: int
    in_environment: bool = False
    """Whether the request names an environment, which is that of the process and left out here."""
    wave: int
    """Equal for what was handed over at the same time, and submitted before that."""
    checkpoints: dict[str, msgspec.Raw]
    progress_count: int
    log_count: int
    log_path: str
    """Path of its log file."""
    log_limit: int
    """Maximum size of the log in bytes."""
    result_path: str
    """Path of the file for a large result."""
    result_limit: int
    """Maximum size of a result in bytes."""


class CancelAssigned(Message, frozen=True, kw_only=True, tag="cancel_assigned"):
    """Ask a task, or one axis of it, to stop; it may arrive before the worker has begun the task."""

    execution_id: str
    attempt: int
    axis_id: str | None


class Ready(Message, frozen=True, kw_only=True, tag="ready"):
    """The worker has loaded all it needs; or it could not, for the reason in ``error``, and ends."""

    error: str | None = None
    takes_ahead: bool = False
    """Whether it can be handed executions ahead of the end of the one that it is running."""


class OfTask(Message, frozen=True, kw_only=True):
    """Base of a worker's messages about a task, with its id, so that they are never attributed to another one."""

    execution_id: str
    attempt: int


class TaskReports(OfTask, frozen=True, kw_only=True, tag="task_reports"):
    """Numbered reports of the running task."""

    reports: list[ProgressUpdate | LogLine]
    progress_count: int
    log_count: int


class TaskReportsRaw(OfTask, frozen=True, kw_only=True, tag="task_reports"):
    """The same message as the server reads it: it passes the reports on without decoding them."""

    reports: list[msgspec.Raw]
    progress_count: int
    log_count: int


class KeepCheckpoint(OfTask, frozen=True, kw_only=True, tag="keep_checkpoint"):
    """A value that the running task wants to keep."""

    key: str
    value: msgspec.Raw


class Finished(OfTask, frozen=True, kw_only=True, tag="finished"):
    """The running task has ended; the worker is waiting for the next one."""

    outcome: Outcome
    result: msgspec.Raw = NOTHING
    result_bytes: int | None = None
    """Size of a result that was written to the file named in the assignment; None if it is in this message."""
    error: str | None = None
    traceback: str | None = None
    may_retry: bool = True
    """Whether the task may be tried again if it has failed and its submission allows for retries."""
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    seconds: float | None = None
    """How long it has occupied the worker."""
    unclean: str | None = None
    """What the task has changed in its process and cannot be restored, so that the next task needs another process."""


class NotRun(OfTask, frozen=True, kw_only=True, tag="not_run"):
    """The worker cannot run the task any more and ends; the task was not started."""

    reason: str


ToWorker = Setup | Assign | CancelAssigned
FromWorker = Ready | TaskReportsRaw | KeepCheckpoint | Finished | NotRun
