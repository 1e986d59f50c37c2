"""Exceptions that the execution layer adds to the core's hierarchy.

zmqruntime.ZMQRuntimeError
├── BatchFailedError         a job failed in a batch that ends with its first failure; has the partial result
├── IllegalTransitionError   an execution cannot change from one status to the other
├── InvalidProgressError     a progress update violates the schema; raised where it is sent
├── SubmissionLostError      a ``ServerLostError``: a submission may or may not have been accepted; has its ids
├── SubmissionTimeoutError   a ``RequestTimeoutError``: the same, because no reply arrived in time
├── WaitTimeoutError         the execution did not end before the deadline (also a ``TimeoutError``)
└── TaskFailed               raised by a task that failed, with a message and an optional result
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
    """A batch ended with its first failed job; ``result`` says how far each job got."""

    def __init__(self, message: str, result: "BatchResult[Any, Any, Any]") -> None:
        super().__init__(message)
        self.result = result


class IllegalTransitionError(ZMQRuntimeError):
    """The lifecycle does not allow the change from one status to the other."""


class InvalidProgressError(ZMQRuntimeError, ValueError):
    """A progress update has a missing or invalid field, or contradicts itself."""


class SubmissionTimeoutError(RequestTimeoutError):
    """A submission was not answered in time; it may have been accepted, and resubmitting it does not run it twice.

    Attributes:
        execution_ids: Ids of the submission.
    """

    def __init__(self, text: str, execution_ids: tuple[str, ...]) -> None:
        super().__init__(text)
        self.execution_ids = execution_ids

    @property
    def execution_id(self) -> str:
        """The first of them, which is the only one of ``submit``."""
        return self.execution_ids[0]


class SubmissionLostError(ServerLostError):
    """The server ended before replying to a submission, and no successor appeared; it may have been accepted.

    Attributes:
        execution_ids: Ids of the submission.
    """

    def __init__(self, text: str, execution_ids: tuple[str, ...]) -> None:
        super().__init__(text)
        self.execution_ids = execution_ids

    @property
    def execution_id(self) -> str:
        """The first of them, which is the only one of ``submit``."""
        return self.execution_ids[0]


class WaitTimeoutError(ZMQRuntimeError, TimeoutError):
    """The caller's timeout expired before the execution ended; the execution continues."""


class TaskFailed(ZMQRuntimeError):
    """Raised by a task that failed for a reason its user understands; the message is shown without a traceback.

    Attributes:
        result: Value that msgpack can encode, sent along with the failure, for example a partial result.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class TaskCancelled(BaseException):
    """The task, or the axis it is working on, was asked to stop.

    Not an ``Exception``, so that exception handlers in user functions do not swallow it.
    """
