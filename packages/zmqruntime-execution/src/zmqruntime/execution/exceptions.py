"""Every error that the execution layer adds to the core's tree.

zmqruntime.ZMQRuntimeError
├── BatchFailedError         a job of a batch failed, and the batch was to end with it; carries what there is
├── IllegalTransitionError   an execution cannot go from one status to the other
├── InvalidProgressError     a progress update that breaks the schema; refused where it is sent
├── SubmissionLostError      a ``ServerLostError``: whether a submission was accepted is not known; carries its ids
├── SubmissionTimeoutError   a ``RequestTimeoutError``: the same, since no reply came in time
├── WaitTimeoutError         the execution has not ended before the deadline (also a ``TimeoutError``)
└── TaskFailed               raised by a task: it failed, and this is what there is of a result
TaskCancelled                raised inside a task that was asked to stop (a ``BaseException``)
"""

from typing import TYPE_CHECKING, Any

from zmqruntime.exceptions import RequestTimeoutError, ServerLostError, ZMQRuntimeError

if TYPE_CHECKING:
    from zmqruntime.execution.helpers.submit_and_wait import BatchResult

__all__ = [
    "BatchFailedError",
    "IllegalTransitionError",
    "InvalidProgressError",
    "SubmissionLostError",
    "SubmissionTimeoutError",
    "TaskCancelled",
    "TaskFailed",
    "WaitTimeoutError",
]


class BatchFailedError(ZMQRuntimeError):
    """A batch ended with the first job that failed; ``result`` says how far each job got."""

    def __init__(self, message: str, result: "BatchResult[Any, Any, Any]") -> None:
        super().__init__(message)
        self.result = result


class IllegalTransitionError(ZMQRuntimeError):
    """The lifecycle has no way from the one status to the other."""


class InvalidProgressError(ZMQRuntimeError, ValueError):
    """A progress update lacks a field, has a wrong one, or contradicts itself."""


class SubmissionTimeoutError(RequestTimeoutError):
    """No reply to a submission in time: it may have been accepted, and submitted again it is the same execution.

    Attributes:
        execution_ids: the ids that were submitted.
    """

    def __init__(self, text: str, execution_ids: tuple[str, ...]) -> None:
        super().__init__(text)
        self.execution_ids = execution_ids

    @property
    def execution_id(self) -> str:
        """The first of them, which is the only one of ``submit``."""
        return self.execution_ids[0]


class SubmissionLostError(ServerLostError):
    """The server has ended before it replied to a submission, and no successor came; it may have been accepted.

    Attributes:
        execution_ids: the ids that were submitted.
    """

    def __init__(self, text: str, execution_ids: tuple[str, ...]) -> None:
        super().__init__(text)
        self.execution_ids = execution_ids

    @property
    def execution_id(self) -> str:
        """The first of them, which is the only one of ``submit``."""
        return self.execution_ids[0]


class WaitTimeoutError(ZMQRuntimeError, TimeoutError):
    """The execution goes on, but the time that the caller gave is over."""


class TaskFailed(ZMQRuntimeError):
    """Raised by a task that failed for a reason its user understands: the message is shown without a traceback.

    ``result`` (anything msgpack can hold) travels with the failure, for example what was done all the same.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class TaskCancelled(BaseException):
    """The task, or the axis it works on, was asked to stop.

    Not an ``Exception``, so that a handler in a user's function does not swallow it.
    """
