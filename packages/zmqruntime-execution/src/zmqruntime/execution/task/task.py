"""What code inside a task sees: one small object for progress, cancel, log and checkpoints, at any depth."""

import contextlib
import contextvars
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from zmqruntime.codec import clean_text, pack_given
from zmqruntime.exceptions import UnsendableError
from zmqruntime.execution.exceptions import TaskCancelled
from zmqruntime.execution.progress.rules import sendable_progress, validate_progress
from zmqruntime.execution.task.cancel import CancelFlags, CancelHook
from zmqruntime.execution.task.logging import TaskLogHandler
from zmqruntime.messages import LogLevel, LogLine, ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = [
    "Task",
    "TaskChannel",
    "TaskLink",
    "TaskReport",
    "current_task",
    "entered",
    "is_current",
]

_MAX_LINE_CHARACTERS = 16 * 1024
_MAX_NAME_CHARACTERS = 1_000
_MAX_CHECKPOINT_BYTES = 8 * 1024 * 1024
_MAX_CHECKPOINTS_BYTES = 64 * 1024 * 1024

TaskReport = ProgressUpdate | LogLine
"""What a task says; its ``sequence`` is 0 until the execution's one counter gives it a number."""


class TaskLink(msgspec.Struct, frozen=True, kw_only=True):
    """What another process of this machine needs to join a task; small, and safe to pickle or to put into JSON."""

    url: str
    token: str
    execution_id: str
    plate_id: str


class TaskChannel(Protocol):
    """Where a task's words go. All calls may come from any thread and never block."""

    def report(self, report: TaskReport) -> None:
        """Pass on a progress update or a log line."""

    def request_cancel(self, axis_id: str | None) -> None:
        """Let the task, or one axis of it, stop wherever it runs."""

    def save_checkpoint(self, key: str, value: msgspec.Raw) -> None:
        """Keep an encoded value for a resumed execution."""

    def link(self) -> TaskLink:
        """A way in for another process."""


class Task:
    """The task that the calling code is a part of; :func:`current_task` gives it.

    Attributes:
        execution_id: the execution that runs it; empty for a detached task.
        plate_id: what the submission said it is about.
        log: a logger whose lines travel with the execution.
    """

    def __init__(
        self,
        execution_id: str,
        plate_id: str,
        channel: TaskChannel,
        flags: CancelFlags,
        checkpoints: Mapping[str, msgspec.Raw] | None = None,
    ) -> None:
        self.execution_id = execution_id
        self.plate_id = plate_id
        self._channel = channel
        self._flags = flags
        self._checkpoints = dict(checkpoints or {})
        self._listeners: list[Callable[[TaskReport], None]] = []
        self.log = logging.Logger("task", logging.DEBUG)
        self.log.addHandler(TaskLogHandler(self.send_line))

    # --- progress ------------------------------------------------------------------------------------------------

    def report(
        self,
        *,
        axis_id: str,
        step_name: str,
        step_index: int,
        total_steps: int,
        phase: ProgressPhase,
        status: ProgressStatus,
        completed: int,
        total: int,
        pattern: str | None = None,
        component: str | None = None,
        message: str | None = None,
        error: str | None = None,
        traceback: str | None = None,
    ) -> None:
        """Say how far one step of one axis is; percent, time, process and ids are filled in. Never blocks.

        Raises:
            InvalidProgressError: a value has a wrong type or range, or more is completed than there is in total.
        """
        self.send_progress(
            ProgressUpdate(
                execution_id=self.execution_id,
                plate_id=self.plate_id,
                axis_id=axis_id,
                step_name=step_name,
                step_index=step_index,
                total_steps=total_steps,
                phase=phase,
                status=status,
                completed=completed,
                total=total,
                percent=_percent(completed, total),
                timestamp=time.time(),
                pattern=pattern,
                component=component,
                message=message,
                error=error,
                traceback=traceback,
                worker=os.getpid(),
            )
        )

    def send_progress(self, update: ProgressUpdate | Mapping[str, Any]) -> None:
        """Send a whole update; its ``sequence`` is replaced by the next number of the execution.

        Raises:
            InvalidProgressError: it breaks the schema, or has more than 256 KiB; nothing was sent.
        """
        typed = update if isinstance(update, ProgressUpdate) else validate_progress(update)
        self._channel.report(sendable_progress(typed))

    def send_line(self, level: LogLevel, logger: str, text: str, axis_id: str | None = None) -> None:
        """Add a line to the execution's log, as one of an axis; None: of that which the calling code works on."""
        line = LogLine(
            execution_id=self.execution_id,
            sequence=0,
            timestamp=time.time(),
            level=level,
            logger=clean_text(logger, _MAX_NAME_CHARACTERS),
            text=clean_text(text, _MAX_LINE_CHARACTERS),
            axis_id=clean_text(_axis.get() if axis_id is None else axis_id, _MAX_NAME_CHARACTERS),
        )
        self._channel.report(line)

    @contextlib.contextmanager
    def axis(self, axis_id: str) -> Iterator[None]:
        """What the code in the block logs is of this axis."""
        token = _axis.set(axis_id)
        try:
            yield
        finally:
            _axis.reset(token)

    @contextlib.contextmanager
    def listening(self, listener: Callable[[TaskReport], None]) -> Iterator[None]:
        """In the block ``listener`` gets every report of the task, those of other processes that joined it included.

        Only where the task was started: in a process that joined it the listener hears nothing. It is called in the
        thread in which the report arrives, before the report is numbered, and must neither raise nor take long.
        """
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def pass_to_listeners(self, report: TaskReport) -> None:
        """For the hub: a report has arrived."""
        for listener in list(self._listeners):
            listener(report)

    # --- cancel --------------------------------------------------------------------------------------------------

    @property
    def cancelled(self) -> bool:
        """Whether the whole task was asked to stop."""
        return self._flags.is_set(None)

    def is_cancelled(self, axis_id: str | None = None) -> bool:
        """Whether the task, or the axis, was asked to stop."""
        return self._flags.is_set(axis_id)

    def check_cancelled(self, axis_id: str | None = None) -> None:
        """Call it wherever stopping is safe.

        Raises:
            TaskCancelled: the task, or the axis, was asked to stop.
        """
        if self._flags.is_set(axis_id):
            raise TaskCancelled("the task was cancelled" if self.cancelled else f"axis {axis_id} was cancelled")

    def request_cancel(self, axis_id: str | None = None) -> None:
        """Ask the task, or one axis of it, to stop, in all its processes."""
        self._flags.set(axis_id)
        self._channel.request_cancel(axis_id)

    def on_cancel(self, callback: Callable[[str | None], object]) -> CancelHook:
        """Call ``callback`` soon after the task, or an axis of it, is asked to stop: for what cannot ask by itself.

        It is called with None for the whole task and with its id for an axis, once for each of them, whoever asked
        and in whichever process. That is done in another thread, where ``current_task()`` is what it is here; what was
        asked to stop before is told at once, in this thread. What it raises is logged.

        Returns:
            A hook: close it, or make it the head of a ``with`` block, to be called no more.
        """
        return self._flags.add(callback)

    # --- the rest ------------------------------------------------------------------------------------------------

    def checkpoint(self, key: str, value: Any) -> None:
        """Keep ``value`` (anything msgpack can hold) under ``key`` for the case that the execution is resumed.

        Raises:
            TypeError: it is of a type that cannot be kept, or ``key`` is no text.
            UnsendableError: it is too long (8 MiB, and 64 MiB for all of an execution), too deep, or not text.
        """
        if not isinstance(key, str):
            raise TypeError(f"the key of a checkpoint is text, not {type(key).__name__}")
        pack_given(key, "the key of a checkpoint", max_bytes=_MAX_NAME_CHARACTERS)
        data = pack_given(value, f"the checkpoint {key!a}", max_bytes=_MAX_CHECKPOINT_BYTES)
        others = sum(len(memoryview(kept)) for name, kept in self._checkpoints.items() if name != key)
        if others + len(data) > _MAX_CHECKPOINTS_BYTES:
            raise UnsendableError(
                f"with the checkpoint {key!a} those of the execution are {others + len(data):,} bytes, at most "
                f"{_MAX_CHECKPOINTS_BYTES:,} may be; write files and keep their paths instead"
            )
        self.keep_packed(key, msgspec.Raw(data))

    def keep_packed(self, key: str, value: msgspec.Raw) -> None:
        """The same with an encoded value."""
        self._checkpoints[key] = value
        self._channel.save_checkpoint(key, value)

    def checkpoints(self) -> dict[str, Any]:
        """What was kept, by this run of the execution or an interrupted one before it."""
        return {key: msgspec.msgpack.decode(value) for key, value in self._checkpoints.items()}

    def packed_checkpoints(self) -> dict[str, msgspec.Raw]:
        """The same, encoded."""
        return dict(self._checkpoints)

    def link(self) -> TaskLink:
        """Give it to another process of this machine, which then calls ``join_task(link)``."""
        return self._channel.link()


def _percent(completed: int, total: int) -> float:
    try:
        return min(100.0, 100.0 * completed / total) if total else 0.0
    except TypeError:
        return 0.0  # the check of the whole update names the field that is not a number


def current_task() -> Task:
    """The task that the calling code is a part of.

    Outside of any task it is a detached one: never cancelled, and what it says goes nowhere. So a function that
    reports progress also works when it is called by hand.
    """
    return _current.get() or Task("", "", _Nowhere(), CancelFlags())


def is_current(task: Task) -> bool:
    """Whether the calling code is a part of ``task``."""
    return _current.get() is task


@contextlib.contextmanager
def entered(task: Task) -> Iterator[Task]:
    """Make ``task`` the current one for the code in the block."""
    token = _current.set(task)
    try:
        yield task
    finally:
        _current.reset(token)


_current: contextvars.ContextVar[Task | None] = contextvars.ContextVar("zmqruntime_task", default=None)
_axis: contextvars.ContextVar[str] = contextvars.ContextVar("zmqruntime_axis", default="")


class _Nowhere:
    """The channel of a detached task."""

    def report(self, report: TaskReport) -> None:
        return None

    def request_cancel(self, axis_id: str | None) -> None:
        return None

    def save_checkpoint(self, key: str, value: msgspec.Raw) -> None:
        return None

    def link(self) -> TaskLink:
        raise RuntimeError("this code runs outside of any task, so there is nothing to join; use local_task()")
