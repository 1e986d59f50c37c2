"""What a page may do if it was started with ``--allow-actions``: cancel, retry, pause and resume."""

import enum
import uuid

import msgspec

from zmqruntime.exceptions import RequestRefusedError
from zmqruntime.execution.client.aio import AsyncExecutionClient
from zmqruntime.messages import AcceptedResponse, ErrorCode, QueueAction

__all__ = ["ActionKind", "ActionRequest", "act"]


class ActionKind(enum.StrEnum):
    """What to do."""

    CANCEL = "cancel"
    """Ask an execution, or one of its axes, to stop."""
    RETRY = "retry"
    """Submit the same task again, as a new execution."""
    PAUSE = "pause"
    """Start nothing more; what is running goes on."""
    RESUME = "resume"
    """Start executions again."""


class ActionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An action, as a page sends it.

    Attributes:
        action: what to do.
        execution: the execution to cancel or to retry.
        axis: the axis of it to cancel; None for all of it.
        queue: the queue to pause or resume; None for all of them.
    """

    action: ActionKind
    execution: str = ""
    axis: str | None = None
    queue: str | None = None


async def act(client: AsyncExecutionClient, request: ActionRequest) -> dict[str, str]:
    """Carry out an action.

    Returns:
        ``message`` in words, and the id of a new execution as ``execution``.

    Raises:
        RequestRefusedError: the server refuses it.
        RequestTimeoutError: the server does not answer.
    """
    match request.action:
        case ActionKind.CANCEL:
            reply = await client.cancel(request.execution, request.axis)
            return {"message": reply.message}
        case ActionKind.RETRY:
            submission = await client.submission_of(request.execution)
            again = msgspec.structs.replace(submission, submission_id=uuid.uuid4().hex)
            accepted = await client.request(again, AcceptedResponse)
            return {"message": "submitted again", "execution": accepted.execution_id}
        case ActionKind.PAUSE:
            await _check_queue(client, request.queue)
            await client.change_queue(QueueAction.PAUSE, queue=request.queue)
            return {"message": f"{_queue(request)} paused; what is running goes on"}
        case ActionKind.RESUME:
            await _check_queue(client, request.queue)
            await client.change_queue(QueueAction.RESUME, queue=request.queue)
            return {"message": f"{_queue(request)} running again"}


async def _check_queue(client: AsyncExecutionClient, name: str | None) -> None:
    """Refuse a queue that a server does not have; it would make one of that name."""
    if name is None:
        return
    known = [queue.name for queue in (await client.status(0)).queues]
    if name not in known:
        text = f"this server has no queue {name}: choose one of those that it has ({', '.join(known) or 'none'})"
        raise RequestRefusedError(ErrorCode.NOT_FOUND, text)


def _queue(request: ActionRequest) -> str:
    return "the queue is" if request.queue is None else f"queue {request.queue} is"
