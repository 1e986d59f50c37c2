"""Running a call: the function is found, its arguments are restored, its result or error is made ready to send."""

import contextlib
from collections.abc import Callable
from typing import Any

from zmqruntime.exceptions import UnsendableError
from zmqruntime.execution.exceptions import TaskFailed
from zmqruntime.execution.executor.calls import Call, code_digest, load_function
from zmqruntime.execution.executor.errors import error_to_wire
from zmqruntime.execution.executor.functions import resolve
from zmqruntime.execution.executor.values import Values
from zmqruntime.execution.tasks.bars import bars_as_progress
from zmqruntime.execution.tasks.task import current_task
from zmqruntime.execution.user_traceback import user_traceback
from zmqruntime.execution.workers.task_run import describe_error

__all__ = ["run_call"]


def run_call(call: Call, values: Values, completed: Callable[[Call], Call]) -> Any:
    """Run a call and return its result for the wire.

    Args:
        call: What to run.
        values: Restores the arguments.
        completed: Returns the call with what of it is in a file.

    Raises:
        TaskFailed: The function raised an exception, which is its result.
        TaskCancelled: The task was asked to stop, and the function did.
    """
    try:
        with bars_as_progress() if call.bars else contextlib.nullcontext():
            return _result_of(completed(call), values)
    except Exception as error:  # noqa: BLE001 - whatever the function raises goes back to the caller
        raise TaskFailed(
            describe_error(error),
            error_to_wire(error, values),
            may_retry=_may_retry(call, error),
            traceback=user_traceback(error),
        ) from None


def _result_of(call: Call, values: Values) -> Any:
    function = load_function(call, values)
    _note_changed_code(call)
    args, kwargs = (values.from_wire(part) for part in (call.args, call.kwargs))
    if not call.is_many:
        return _sendable(function(*args, **kwargs), call, values)
    task, results = current_task(), []
    for each in args:
        task.check_cancelled()
        results.append(_sendable(function(*each, **kwargs), call, values))
    return results


def _sendable(result: object, call: Call, values: Values) -> Any:
    try:
        return values.to_wire(result)
    except UnsendableError as error:
        raise UnsendableError(
            f"the result of {call.function.rpartition(':')[2] or 'the function'}: {error}"
        ) from error.__cause__


def _note_changed_code(call: Call) -> None:
    """Say so if the function is not as it was when it was submitted: the code on disk is what runs."""
    if call.code and call.code != code_digest(call.file):
        current_task().log.warning(
            "%s has changed since %s was submitted; it runs as it is now", call.file, call.function
        )


def _may_retry(call: Call, error: Exception) -> bool:
    if call.retry_on is None:
        return True
    kinds = tuple(kind for kind in map(resolve, call.retry_on) if isinstance(kind, type))
    return isinstance(error, kinds)
