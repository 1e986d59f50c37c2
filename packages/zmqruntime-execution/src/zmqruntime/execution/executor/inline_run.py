"""The run of one execution in place: its attempts, its events and its outcome, as a server would have them."""

import time
from typing import Any, Final

import msgspec

from zmqruntime.codec import encode, pack_given
from zmqruntime.execution.exceptions import TaskCancelled, TaskFailed
from zmqruntime.execution.executor.calls import Call, read_call
from zmqruntime.execution.executor.running import run_call
from zmqruntime.execution.executor.values import Values
from zmqruntime.execution.tasks.hub import local_task
from zmqruntime.execution.tasks.task import Task, TaskReport
from zmqruntime.execution.workers.task_run import describe_error
from zmqruntime.messages import Event, ExecuteRequest, ExecutionSnapshot, ExecutionStatus, ProgressUpdate, StateChange
from zmqruntime.shape import MAX_RESULT_ELEMENTS

__all__ = ["InlineRun"]

_LARGEST_RESULT: Final = 256 * 1024 * 1024


class InlineRun:
    """Calls the function of a submission in this thread.

    Args:
        request: The submission.
        values: Restores arguments and results.

    Attributes:
        events: Progress, log lines and changes of state, numbered from 1.
        snapshot: The state of the execution.
    """

    def __init__(self, request: ExecuteRequest, values: Values) -> None:
        self.events: list[Event] = []
        self._request = request
        self._values = values
        self._changes = self._updates = self._lines = 0
        self.snapshot = ExecutionSnapshot(
            execution_id=request.submission_id,
            plate_id="",
            name=request.name,
            queue=request.queue,
            status=ExecutionStatus.QUEUED,
            submitted_at=time.time(),
        )
        self._change(ExecutionStatus.QUEUED)

    def run(self) -> None:
        """Call the function, again after errors if the submission has retries left.

        Raises:
            KeyboardInterrupt: The user has pressed Ctrl-C.
        """
        call = read_call(msgspec.msgpack.decode(encode(self._request.payload)))
        while self._attempt(call):
            self._change(ExecutionStatus.QUEUED)

    def fail(self, error: str) -> None:
        """End it without a run."""
        self._end(ExecutionStatus.FAILED, error=error)

    def _attempt(self, call: Call) -> bool:
        """Call it once; return whether to try again."""
        attempts = self.snapshot.attempts + 1
        self._change(ExecutionStatus.RUNNING, attempts=attempts, started_at=time.time())
        numbered = self._updates, self._lines
        try:
            with local_task(self._keep, execution_id=self._request.submission_id, numbered=numbered) as task:
                outcome = self._outcome(call, task)
        except TaskFailed as error:
            outcome = _failed(str(error), error.result, error.traceback)
            if error.may_retry and attempts <= self._request.max_retries:
                return True
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - also SystemExit: on a server it does not end anything else
            outcome = _failed(describe_error(error))
            if attempts <= self._request.max_retries:
                return True
        self._end(**outcome)
        return False

    def _outcome(self, call: Call, task: Task) -> dict[str, Any]:
        try:
            result = run_call(call, self._values, lambda whole: whole)
        except TaskCancelled as error:
            if not task.cancelled:
                raise
            return {"status": ExecutionStatus.CANCELLED, "error": str(error)}
        data = pack_given(result, "the result", max_bytes=_LARGEST_RESULT, max_elements=MAX_RESULT_ELEMENTS)
        return {"status": ExecutionStatus.COMPLETE, "result": msgspec.msgpack.decode(data)}

    def _keep(self, report: TaskReport) -> None:
        if isinstance(report, ProgressUpdate):
            self._updates = report.sequence
        else:
            self._lines = report.sequence
        self.events.append(msgspec.structs.replace(report, number=len(self.events) + 1))

    def _end(self, status: ExecutionStatus, **fields: Any) -> None:
        self._change(status, ended_at=time.time(), **fields)

    def _change(self, status: ExecutionStatus, **fields: Any) -> None:
        self._changes += 1
        number = len(self.events) + 1
        self.snapshot = msgspec.structs.replace(self.snapshot, status=status, event_count=number, **fields)
        change = StateChange(sequence=self._changes, timestamp=time.time(), execution=self.snapshot, number=number)
        self.events.append(change)


def _failed(error: str, result: object = None, traceback: str | None = None) -> dict[str, Any]:
    return {"status": ExecutionStatus.FAILED, "error": error, "result": result, "traceback": traceback}
