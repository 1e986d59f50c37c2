"""Exceptions that the execution layer adds to the core's hierarchy.

zmqruntime.ZMQRuntimeError
├── BatchFailedError         a job failed in a batch that ends with its first failure; has the partial result
├── IllegalTransitionError   an execution cannot change from one status to the other
├── InvalidProgressError     a progress update violates the schema; raised where it is sent
├── KeyUsedError             a key was submitted before, with another function or other arguments
├── SubmissionLostError      a ``ServerLostError``: a submission may or may not have been accepted; has its ids
├── SubmissionTimeoutError   a ``RequestTimeoutError``: the same, because no reply arrived in time
├── TaskError                a function failed with an error that cannot be restored where its future is
├── TaskTimeoutError         a ``TaskError``: it exceeded its time limit (also a ``TimeoutError``)
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
    "KeyUsedError",
    "SubmissionLostError",
    "SubmissionTimeoutError",
    "TaskCancelled",
    "TaskError",
    "TaskFailed",
    "TaskTimeoutError",
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
        may_retry: Whether the task may be tried again, if its submission allows for retries.
        traceback: Traceback to keep with the failure; None for none.
    """

    def __init__(
        self, message: str, result: Any = None, *, may_retry: bool = True, traceback: str | None = None
    ) -> None:
        super().__init__(message)
        self.result = result
        self.may_retry = may_retry
        self.traceback = traceback


class KeyUsedError(ZMQRuntimeError, ValueError):
    """The key of a submission belongs to a call of another function, or with other arguments."""


class TaskError(ZMQRuntimeError):
    """A function failed with an error that cannot be restored here, or its worker did; raised by its future.

    Attributes:
        execution_id: Id of the execution.
        type_name: Name of the type of the error; empty if the function did not raise one.
    """

    def __init__(self, message: str, execution_id: str = "", type_name: str = "") -> None:
        super().__init__(message)
        self.execution_id = execution_id
        self.type_name = type_name


class TaskTimeoutError(TaskError, TimeoutError):
    """A function exceeded its ``time_limit`` or ``soft_time_limit``; raised by its future."""


class TaskCancelled(BaseException):
    """The task, or the axis it is working on, was asked to stop.

    Not an ``Exception``, so that exception handlers in user functions do not swallow it.
    """
