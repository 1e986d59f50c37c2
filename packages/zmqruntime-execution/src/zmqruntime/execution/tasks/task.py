"""The current task: one small object for progress, cancellation, logging and checkpoints, at any call depth."""

import contextlib
import contextvars
import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol, Unpack, overload

import msgspec

from zmqruntime.codec import clean_text, pack_given
from zmqruntime.exceptions import UnsendableError
from zmqruntime.execution.exceptions import TaskCancelled
from zmqruntime.execution.progress.rules import sendable_progress, validate_progress
from zmqruntime.execution.tasks.amounts import Number, amount_of
from zmqruntime.execution.tasks.cancel import CancelFlags, CancelHook
from zmqruntime.execution.tasks.logging import TaskLogHandler
from zmqruntime.execution.tasks.loops import LoopRecord, current_loop
from zmqruntime.execution.tasks.owner import ProcessOwner
from zmqruntime.execution.tasks.steps import ProgressFields, Step, fields_of, step_of
from zmqruntime.messages import LogLevel, LogLine, ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = [
    "Task",
    "TaskChannel",
    "TaskLink",
    "TaskReport",
    "current_task",
    "entered",
    "is_current",
    "owning_process",
]

_MAX_LINE_CHARACTERS = 16 * 1024
_MAX_NAME_CHARACTERS = 1_000
_MAX_CHECKPOINT_BYTES = 8 * 1024 * 1024
_MAX_CHECKPOINTS_BYTES = 64 * 1024 * 1024

TaskReport = ProgressUpdate | LogLine
"""A report of a task; its ``sequence`` is 0 until the execution's counter assigns a number."""


class TaskLink(msgspec.Struct, frozen=True, kw_only=True):
    """What another process on this machine needs to join a task; small, and safe to pickle or convert to JSON."""

    url: str
    token: str
    execution_id: str
    plate_id: str


class TaskChannel(Protocol):
    """Destination of a task's reports. All methods may be called from any thread and never block."""

    def report(self, report: TaskReport) -> None:
        """Pass on a progress update or a log line."""

    def request_cancel(self, axis_id: str | None) -> None:
        """Ask the task, or one of its axes, to stop in all its processes."""

    def save_checkpoint(self, key: str, value: msgspec.Raw) -> None:
        """Keep an encoded value for a resumed execution."""

    def link(self) -> TaskLink:
        """Return a link for another process."""


class Task:
    """The task that the calling code is part of; returned by :func:`current_task`.

    Attributes:
        execution_id: Id of its execution; empty for a detached task.
        plate_id: Label of what the task works on, from the submission.
        log: Logger whose lines become part of the execution's log.
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
        self.loops = LoopRecord()
        self.log = logging.Logger("task", logging.DEBUG)
        self.log.addHandler(TaskLogHandler(self.send_line))

    @property
    def is_detached(self) -> bool:
        """Whether the calling code is outside of any task, so that its reports are discarded."""
        return isinstance(self._channel, _Nowhere)

    # --- progress ------------------------------------------------------------------------------------------------

    @overload
    def report(self, done: Number, total: Number | None = None, text: str = "") -> None: ...
    @overload
    def report(self, done: Step) -> None: ...
    @overload
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
    ) -> None: ...
    def report(
        self,
        done: Number | Step | None = None,
        total: Number | None = None,
        text: str = "",
        **fields: Unpack[ProgressFields],
    ) -> None:
        """Report progress. Never blocks.

        ``report(3, 10)`` and ``report(3, 10, "training")`` say how much of the task is done, and ``report(3)`` if the
        total is unknown. A :class:`Step` says it of one step of one axis. Their numbers are rounded and limited as in
        :func:`zmqruntime.execution.report`. The keywords say everything that a progress update contains, and are not
        rounded; percentage, time, process and ids are filled in.

        Args:
            done: Number of completed units of work, or a step.
            total: Total number of units of work.
            text: Text for the user.
            fields: As an alternative to ``done`` and ``text``, all of these: ``axis_id``, the axis that the progress
                belongs to, such as a well; ``step_name``; ``step_index``, from 0; ``total_steps``; ``phase`` of the
                work; ``status`` of the step in that phase; ``completed`` units of work; and optionally ``pattern`` and
                ``component`` that are being worked on, ``message``, ``error`` and ``traceback``.

        Raises:
            InvalidProgressError: Of the keywords, or of a step apart from ``done`` and ``total``: a value has the wrong
                type or is out of range, or ``completed`` exceeds ``total``.
            TypeError: A keyword is missing or unknown; or ``done`` or ``total`` is not a number, or ``text`` not a
                string.
            ValueError: ``done`` or ``total`` is nan, or ``done`` is infinite.
        """
        if done is not None:
            self.send_progress(self._update_for(done if isinstance(done, Step) else step_of(done, total, text)))
            return
        if total is None:
            raise TypeError("report() needs the number of units as total=..., or a short form such as report(3, 10)")
        update = self._update(fields, total, _percent(fields.get("completed", 0), total))
        _latest.set(update)
        self.send_progress(update)

    def _update_for(self, step: Step) -> ProgressUpdate:
        amount = amount_of(step.done, step.total)
        return self._update(fields_of(step, amount), amount.total or 0, 100.0 * amount.fraction)

    def _update(self, fields: ProgressFields, total: Number, percent: float) -> ProgressUpdate:
        return ProgressUpdate(
            execution_id=self.execution_id,
            plate_id=self.plate_id,
            total=total,  # type: ignore[arg-type]  # checked where it is sent
            percent=percent,
            timestamp=time.time(),
            worker=os.getpid(),
            **fields,
        )

    def send_progress(self, update: ProgressUpdate | Mapping[str, Any]) -> None:
        """Send a complete progress update; its ``sequence`` is replaced by the execution's next number.

        Raises:
            InvalidProgressError: The update violates the schema or is larger than 256 KiB; nothing was sent.
        """
        typed = update if isinstance(update, ProgressUpdate) else validate_progress(update)
        self._channel.report(sendable_progress(typed))

    def send_line(self, level: LogLevel, logger: str, text: str, axis_id: str | None = None) -> None:
        """Add a line to the execution's log.

        Args:
            level: Level of the line.
            logger: Name of the logger.
            text: Text of the line; cut after 16,384 characters.
            axis_id: Axis the line belongs to; None for the one the calling code is working on.
        """
        line = LogLine(
            execution_id=self.execution_id,
            sequence=0,
            timestamp=time.time(),
            level=level,
            logger=clean_text(logger, _MAX_NAME_CHARACTERS),
            text=clean_text(text, _MAX_LINE_CHARACTERS),
            axis_id=clean_text(self.present_axis if axis_id is None else axis_id, _MAX_NAME_CHARACTERS),
        )
        self._channel.report(line)

    @contextlib.contextmanager
    def axis(self, axis_id: str) -> Iterator[None]:
        """Attribute log lines from the code in the block to this axis."""
        token = _axis.set(axis_id)
        try:
            yield
        finally:
            _axis.reset(token)

    @contextlib.contextmanager
    def listening(self, listener: Callable[[TaskReport], None]) -> Iterator[None]:
        """Call ``listener`` with every report of the task within the block, including reports of joined processes.

        Works only in the process that runs the task; in a process that joined it, the listener is never called.

        Args:
            listener: Called in the thread in which the report arrives, before the report is numbered. It must not
                raise and must return quickly.
        """
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @property
    def present_axis(self) -> str:
        """The axis that the calling code is working on: of :meth:`axis`, or a tracked loop; empty if there is none."""
        axis_id = _axis.get()
        if axis_id:
            return axis_id
        loop = current_loop()
        return "" if loop is None else loop.meter.axis

    def latest_update(self) -> ProgressUpdate | None:
        """Return the latest update that the calling code, or code around it, has reported with all fields."""
        update = _latest.get()
        return update if update is not None and update.execution_id == self.execution_id else None

    def pass_to_listeners(self, report: TaskReport) -> None:
        """Pass a report to the listeners; called by the hub."""
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

    @property
    def cancel_requests(self) -> Collection[object]:
        """The axes that were asked to stop, None for the whole task; stays the same object as it grows."""
        return self._flags.asked

    def check_cancelled(self, axis_id: str | None = None) -> None:
        """Stop here if a cancel was requested; call this wherever stopping is safe.

        Raises:
            TaskCancelled: The task, or the axis, was asked to stop.
        """
        if self._flags.is_set(axis_id):
            raise TaskCancelled("the task was cancelled" if self.cancelled else f"axis {axis_id} was cancelled")

    def request_cancel(self, axis_id: str | None = None) -> None:
        """Ask the task, or one of its axes, to stop in all its processes."""
        self._flags.set(axis_id)
        self._channel.request_cancel(axis_id)

    def on_cancel(self, callback: Callable[[str | None], object]) -> CancelHook:
        """Call ``callback`` when the task, or one of its axes, is asked to stop, for code that cannot check itself.

        The callback runs in another thread, in which ``current_task()`` returns the same task as here. For requests
        that were made before, it is called immediately in this thread. Exceptions it raises are logged.

        Args:
            callback: Called with None for the whole task, or with the id of an axis; once for each, regardless of
                the process in which the cancel was requested.

        Returns:
            A hook; close it, or use it in a ``with`` statement, to stop the calls.
        """
        return self._flags.add(callback)

    # --- the rest ------------------------------------------------------------------------------------------------

    def checkpoint(self, key: str, value: Any) -> None:
        """Keep a value in case the execution is resumed.

        Args:
            key: Name of the value.
            value: Anything that msgpack can encode.

        Raises:
            TypeError: ``value`` has an unsupported type, or ``key`` is not a string.
            UnsendableError: ``value`` is too large (8 MiB, or 64 MiB for all checkpoints of an execution), too deeply
                nested, or contains invalid text.
        """
        if not isinstance(key, str):
            raise TypeError(f"the key of a checkpoint must be a string, not {type(key).__name__}")
        pack_given(key, "the key of a checkpoint", max_bytes=_MAX_NAME_CHARACTERS)
        data = pack_given(value, f"the checkpoint {key!a}", max_bytes=_MAX_CHECKPOINT_BYTES)
        others = sum(len(memoryview(kept)) for name, kept in self._checkpoints.items() if name != key)
        if others + len(data) > _MAX_CHECKPOINTS_BYTES:
            raise UnsendableError(
                f"with checkpoint {key!a} the checkpoints of the execution take {others + len(data):,} bytes, more "
                f"than the maximum of {_MAX_CHECKPOINTS_BYTES:,}; write files and keep their paths instead"
            )
        self.keep_packed(key, msgspec.Raw(data))

    def keep_packed(self, key: str, value: msgspec.Raw) -> None:
        """Keep an encoded value."""
        self._checkpoints[key] = value
        self._channel.save_checkpoint(key, value)

    def checkpoints(self) -> dict[str, Any]:
        """Return all checkpoints, of this run of the execution and of interrupted ones before it."""
        return {key: msgspec.msgpack.decode(value) for key, value in self._checkpoints.items()}

    def packed_checkpoints(self) -> dict[str, msgspec.Raw]:
        """Return all checkpoints, encoded."""
        return dict(self._checkpoints)

    def link(self) -> TaskLink:
        """Return a link; another process on this machine joins the task with ``join_task(link)``."""
        return self._channel.link()


def _percent(completed: int, total: Number) -> float:
    try:
        return min(100.0, 100.0 * completed / total) if total else 0.0  # type: ignore[operator]
    except TypeError:
        return 0.0  # the check of the whole update names the field that is not a number


def current_task() -> Task:
    """Return the task that the calling code is part of.

    Outside of a task, this is a detached one: it is never cancelled and its reports are discarded. So a function that
    reports progress also works when it is called directly.

    A thread that a task starts in its worker process belongs to the task. In other processes, and on a server that runs
    its tasks in threads, run the code of a thread in a copy of the context: ``contextvars.copy_context().run(...)``.
    """
    return _current.get() or _process.find() or Task("", "", _Nowhere(), CancelFlags())


def is_current(task: Task) -> bool:
    """Whether the calling code is part of ``task``."""
    return _current.get() is task


@contextlib.contextmanager
def entered(task: Task) -> Iterator[Task]:
    """Make ``task`` the current one for the code in the block."""
    token = _current.set(task)
    try:
        yield task
    finally:
        _current.reset(token)


def owning_process(task: Task) -> contextlib.AbstractContextManager[None]:
    """Make ``task`` the current one for all threads that are started in the block; for one task at a time."""
    return _process.owned_by(task)


_process: ProcessOwner[Task] = ProcessOwner()
_current: contextvars.ContextVar[Task | None] = contextvars.ContextVar("zmqruntime_task", default=None)
_axis: contextvars.ContextVar[str] = contextvars.ContextVar("zmqruntime_axis", default="")
_latest: contextvars.ContextVar[ProgressUpdate | None] = contextvars.ContextVar("zmqruntime_latest", default=None)


class _Nowhere:
    """The channel of a detached task."""

    def report(self, report: TaskReport) -> None:
        return None

    def request_cancel(self, axis_id: str | None) -> None:
        return None

    def save_checkpoint(self, key: str, value: msgspec.Raw) -> None:
        return None

    def link(self) -> TaskLink:
        raise RuntimeError("this code is running outside of any task, so there is nothing to join; use local_task()")
