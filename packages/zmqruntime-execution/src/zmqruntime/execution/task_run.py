"""One assigned task where it runs: its hub, its log file, the numbers of what it said, and how it ended."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from zmqruntime.codec import encode_given
from zmqruntime.config import ZMQConfig
from zmqruntime.execution.exceptions import TaskCancelled, TaskFailed
from zmqruntime.execution.hub import TaskHub
from zmqruntime.execution.logfile import LogFile
from zmqruntime.execution.task import TaskReport, entered
from zmqruntime.execution.worker_protocol import (
    NOTHING,
    Assign,
    Finished,
    KeepCheckpoint,
    NotRun,
    Outcome,
    TaskReports,
)
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import ExecuteRequest, LogLine

__all__ = ["TaskRun", "describe_error"]

_MAX_ERROR_CHARACTERS = 4_000
_MAX_TRACEBACK_CHARACTERS = 40_000


class TaskRun:
    """Run it with :meth:`execute` in any thread, then close it on the loop's.

    It can be cancelled as soon as it is made: its flags are there before its task begins.

    Args:
        loop: owns the sockets of the task's hub.
        assign: what to run.
        say: passes on what the task reports and wants kept; called on the loop's thread.
        may_say: asked before reports are passed on; while it says no they wait for a later ``hub.flush``.
        config: where the hub makes its socket if other processes join.
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
        self._say = say
        self._counts = [assign.progress_count, assign.log_count]
        self._log = LogFile(Path(assign.log_path), assign.log_limit)
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

    def execute(self, execute_task: Callable[[str, ExecuteRequest], Any]) -> Finished:
        """Run the task in this thread, to its end, and say how it ended. Raises nothing, whatever the task does."""
        try:
            with entered(self.hub.task):
                result = execute_task(self._request.submission_id, self._request)
            # Packed here, so that what cannot travel is the task's failure and not the worker's.
            return self._finished(Outcome.COMPLETE, result=_packed(result))
        except TaskFailed as error:
            return self._failure_with_result(error)
        except TaskCancelled as error:
            if self.hub.flags.is_set(None):
                return self._finished(Outcome.CANCELLED, error=str(error))
            return self._failure(error)
        except BaseException as error:  # noqa: BLE001 - also SystemExit: a task must not end its worker
            return self._failure(error)

    def _finished(
        self,
        outcome: Outcome,
        *,
        result: msgspec.Raw = NOTHING,
        error: str | None = None,
        traceback: str | None = None,
    ) -> Finished:
        return Finished(
            execution_id=self._request.submission_id,
            attempt=self._attempt,
            outcome=outcome,
            result=result,
            error=error,
            traceback=traceback,
        )

    def _failure(self, error: BaseException) -> Finished:
        text = "".join(traceback.format_exception(error))[-_MAX_TRACEBACK_CHARACTERS:]
        return self._finished(Outcome.FAILED, error=describe_error(error), traceback=text)

    def _failure_with_result(self, error: TaskFailed) -> Finished:
        try:
            return self._finished(Outcome.FAILED, error=str(error), result=_packed(error.result))
        except Exception as unpacked:  # noqa: BLE001 - whatever packing a value of the task raises
            text = f"{error} (its result cannot be sent: {describe_error(unpacked)})"
            return self._finished(Outcome.FAILED, error=text)

    def is_in_its_folder(self) -> bool:
        """Whether this process is where the task is to run, and that folder is still there."""
        environment = self._request.environment
        if environment is None:
            return True
        try:
            os.getcwd()
            return os.path.samefile(environment.folder, os.curdir)
        except OSError:
            return False

    def not_run(self, reason: str) -> NotRun:
        """What to say instead of running it."""
        return NotRun(execution_id=self._request.submission_id, attempt=self._attempt, reason=reason)

    def close(self) -> None:
        """Pass on what still waits, and release the hub and the log; on the loop's thread."""
        self.hub.close()
        self._log.close()

    def _deliver(self, reports: list[TaskReport]) -> None:
        for report in reports:
            self._counts[isinstance(report, LogLine)] = report.sequence
        lines = [report for report in reports if isinstance(report, LogLine)]
        if lines:
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


def describe_error(error: BaseException) -> str:
    """The type and the text of an error, never very long."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - somebody else's class
        text = "it cannot be shown"
    return f"{type(error).__name__}: {text}"[:_MAX_ERROR_CHARACTERS] if text else type(error).__name__


def _packed(result: Any) -> msgspec.Raw:
    return NOTHING if result is None else msgspec.Raw(encode_given(result, "the result of a task"))
