"""Every error that the execution layer adds to the core's tree.

zmqruntime.ZMQRuntimeError
├── BatchFailedError         a job of a batch failed, and the batch was to end with it; carries what there is
├── IllegalTransitionError   an execution cannot go from one status to the other
├── InvalidProgressError     a progress update that breaks the schema; refused where it is sent
├── WaitTimeoutError         the execution has not ended before the deadline (also a ``TimeoutError``)
└── TaskFailed               raised by a task: it failed, and this is what there is of a result
TaskCancelled                raised inside a task that was asked to stop (a ``BaseException``)
"""

from typing import TYPE_CHECKING, Any

from zmqruntime.exceptions import ZMQRuntimeError

if TYPE_CHECKING:
    from zmqruntime.execution.batch import BatchResult

__all__ = [
    "BatchFailedError",
    "IllegalTransitionError",
    "InvalidProgressError",
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
