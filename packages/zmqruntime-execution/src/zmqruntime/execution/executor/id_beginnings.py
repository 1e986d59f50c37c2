"""The future of an execution from its id, or from the beginning of it."""

from typing import Any

from zmqruntime.exceptions import RequestRefusedError
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.executor.link import Link
from zmqruntime.messages import ErrorCode

__all__ = ["future_of"]

_SHOWN = 5


def future_of(link: Link, execution_id: str) -> TaskFuture[Any]:
    """Return the future of an execution.

    Raises:
        RequestRefusedError: There is no such execution, or several begin like that.
        TypeError: The id is not text, or empty.
    """
    if not isinstance(execution_id, str) or not execution_id:
        raise TypeError(
            f"execution_id must be the id of an execution as text, not {execution_id!r}: future.execution_id has it, "
            "and executor.executions() lists them"
        )
    try:
        return link.attach(execution_id)
    except RequestRefusedError as error:
        found = link.ids_from(execution_id) if error.code is ErrorCode.NOT_FOUND else []
        if not found:
            raise
    if len(found) > 1:
        some = ", ".join(found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
        raise RequestRefusedError(
            ErrorCode.NOT_FOUND, f"several executions begin with {execution_id!r}: give more of the id of one: {some}"
        )
    return link.attach(found[0])
