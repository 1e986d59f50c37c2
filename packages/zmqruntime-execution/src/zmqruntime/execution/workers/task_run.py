"""The run of an assigned task, with its hub, its log file, its event numbers and its outcome."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from zmqruntime.codec import clean_text, pack_given
from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import UnsendableError
from zmqruntime.execution.events.log_files import LogFile
from zmqruntime.execution.events.result_files import INLINE_RESULT_BYTES, keep_result
from zmqruntime.execution.events.worker_messages import (
    NOTHING,
    Assign,
    Finished,
    KeepCheckpoint,
    NotRun,
    Outcome,
    TaskReports,
)
from zmqruntime.execution.exceptions import TaskCancelled, TaskFailed
from zmqruntime.execution.tasks.hub import TaskHub
from zmqruntime.execution.tasks.task import TaskReport, entered
from zmqruntime.execution.tracing import traced_run
from zmqruntime.execution.user_traceback import user_traceback
from zmqruntime.execution.workers.forked import in_this_process
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import ExecuteRequest, LogLine, PackedExecuteRequest
from zmqruntime.shape import MAX_RESULT_ELEMENTS, problem_in

__all__ = ["TaskRun", "describe_error"]

_MAX_ERROR_CHARACTERS = 4_000
_HALF = _MAX_ERROR_CHARACTERS // 2


class TaskRun:
    """The run of a task; call :meth:`execute` in any thread, then :meth:`close`, with a link on the loop's thread.

    It can be cancelled as soon as it is created, before the task starts.

    Args:
        loop: Owns the sockets of the task's hub.
        assign: What to run.
        say: Passes on reports and checkpoints of the task; called on the loop's thread, or that which closes it.
        may_say: Called before reports are passed on; while it returns False, they wait for a later ``hub.flush``.
        config: Determines the folder for the hub's socket, in case other processes join.
    """

    def __init__(
        self,
        loop: SocketLoop,
        assign: Assign,
        say: Callable[[TaskReports | KeepCheckpoint], None],
        may_say: Callable[[], bool],
        config: ZMQConfig,
    ) -> None:
        self._request = assign.request
        self._attempt = assign.attempt
        self._assign = assign
        self._say = say
        self._counts = [assign.progress_count, assign.log_count]
        self._log: LogFile | None = None
        self.hub = TaskHub(
            loop,
            assign.request.submission_id,
            assign.request.plate_id,
            self._deliver,
            on_checkpoint=self._keep,
            may_deliver=may_say,
            checkpoints=assign.checkpoints,
            numbered=(assign.progress_count, assign.log_count),
            config=config,
        )

    @property
    def key(self) -> tuple[str, int]:
        """Id and attempt, which name this run."""
        return self._request.submission_id, self._attempt

    def execute(self, execute_task: Callable[[str, ExecuteRequest], Any]) -> Finished:
        """Run the task in this thread and return its outcome. Never raises, whatever the task does."""
        try:
            with entered(self.hub.task), traced_run(self._request, self._attempt):
                result = in_this_process(execute_task, self._request.submission_id, _unpacked(self._request))
            # Encoded here, so that a result that cannot be sent is a failure of the task and not of the worker.
            return self._finished(Outcome.COMPLETE, result=result)
        except TaskFailed as error:
            return self._failure_with_result(error)
        except TaskCancelled as error:
            if self.hub.flags.is_set(None):
                return self._finished(Outcome.CANCELLED, error=_text_of(error))
            return self._failure(error)
        except BaseException as error:  # noqa: BLE001 - also SystemExit: a task must not end its worker
            return self._failure(error)

    def _finished(
        self,
        outcome: Outcome,
        *,
        result: Any = None,
        error: str | None = None,
        traceback: str | None = None,
        may_retry: bool = True,
    ) -> Finished:
        packed, size = self._pack(result)
        return Finished(
            execution_id=self._request.submission_id,
            attempt=self._attempt,
            outcome=outcome,
            result=packed,
            result_bytes=size,
            error=None if error is None else clean_text(error, _MAX_ERROR_CHARACTERS),
            traceback=traceback,
            may_retry=may_retry,
        )

    def _pack(self, result: Any) -> tuple[msgspec.Raw, int | None]:
        """Return the encoded result, or its size if it was written to a file."""
        if result is None:
            return NOTHING, None
        data = pack_given(
            result, "the result of the task", max_bytes=self._assign.result_limit, max_elements=MAX_RESULT_ELEMENTS
        )
        if len(data) <= INLINE_RESULT_BYTES:
            return msgspec.Raw(data), None
        keep_result(Path(self._assign.result_path), data)
        return NOTHING, len(data)

    def _failure(self, error: BaseException) -> Finished:
        return self._finished(Outcome.FAILED, error=describe_error(error), traceback=user_traceback(error))

    def _failure_with_result(self, error: TaskFailed) -> Finished:
        try:
            return self._finished(
                Outcome.FAILED,
                error=_text_of(error),
                result=error.result,
                traceback=error.traceback,
                may_retry=error.may_retry,
            )
        except BaseException as unpacked:  # noqa: BLE001 - encoding a value of the task can raise anything
            text = f"{_text_of(error)[:_HALF]} (its result cannot be sent: {describe_error(unpacked)[:_HALF]})"
            return self._finished(Outcome.FAILED, error=text, may_retry=error.may_retry)

    def is_in_its_folder(self) -> bool:
        """Whether this process is in the task's working folder, and the folder still exists."""
        environment = self._request.environment
        if environment is None:
            return True
        try:
            os.getcwd()
            return os.path.samefile(environment.folder, os.curdir)
        except OSError:
            return False

    def not_run(self, reason: str) -> NotRun:
        """Return the message to send instead of running the task."""
        return NotRun(execution_id=self._request.submission_id, attempt=self._attempt, reason=reason)

    def close(self) -> None:
        """Pass on waiting reports, and close the hub and the log; with a link, on the loop's thread."""
        self.hub.close()
        if self._log is not None:
            self._log.close()

    def _deliver(self, reports: list[TaskReport]) -> None:
        for report in reports:
            self._counts[isinstance(report, LogLine)] = report.sequence
        lines = [report for report in reports if isinstance(report, LogLine)]
        if lines:
            self._log = self._log or LogFile(Path(self._assign.log_path), self._assign.log_limit)
            self._log.write(lines)
        self._say(
            TaskReports(
                execution_id=self._request.submission_id,
                attempt=self._attempt,
                reports=reports,
                progress_count=self._counts[0],
                log_count=self._counts[1],
            )
        )

    def _keep(self, key: str, value: msgspec.Raw) -> None:
        self._say(KeepCheckpoint(execution_id=self._request.submission_id, attempt=self._attempt, key=key, value=value))


def _unpacked(request: PackedExecuteRequest) -> ExecuteRequest:
    """Return the request with its payload decoded.

    Raises:
        UnsendableError: The payload is not an encoded value.
    """
    payload = bytes(request.payload)
    problem = problem_in(payload)
    if problem is not None:
        raise UnsendableError(f"its payload cannot be read: {problem}")
    fields = msgspec.structs.asdict(request)
    return ExecuteRequest(**{**fields, "payload": msgspec.msgpack.decode(payload)})


def describe_error(error: BaseException) -> str:
    """Return the type and message of an exception, with a limited length and encodable."""
    text, kind = _text_of(error), clean_text(type(error).__name__)
    return f"{kind}: {text}"[:_MAX_ERROR_CHARACTERS] if text else kind


def _text_of(error: BaseException) -> str:
    try:
        return clean_text(str(error), _MAX_ERROR_CHARACTERS)
    except BaseException:  # noqa: BLE001 - str() of a user's class
        return "its message cannot be shown"
