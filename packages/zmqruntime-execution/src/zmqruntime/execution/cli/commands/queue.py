"""``queue``: its order, and whether it runs."""

from zmqruntime.execution.cli.endpoint import Endpoint, attached
from zmqruntime.execution.cli.ids import find_id
from zmqruntime.execution.cli.output import Output
from zmqruntime.messages import QueueAction

__all__ = ["change_queue"]

_DONE = {
    QueueAction.PAUSE: "Paused: nothing more is started; what is running goes on.",
    QueueAction.RESUME: "Resumed: executions are accepted and started.",
    QueueAction.DRAIN: "Draining: nothing more is accepted; what is queued will still run.",
    QueueAction.HOLD: "Held until it is released.",
    QueueAction.RELEASE: "Released: it will run in its turn.",
    QueueAction.MOVE: "Moved.",
}


def change_queue(
    endpoint: Endpoint,
    action: QueueAction,
    given_id: str | None,
    position: int,
    output: Output,
    *,
    queue: str | None = None,
    limit: int | None = None,
) -> int:
    """Change the queue, a named queue, or one execution in it."""
    with attached(endpoint) as client:
        execution_id = None if given_id is None else find_id(client, given_id)
        reply = client.change_queue(action, execution_id, position, queue=queue, limit=limit)
    output.line(_DONE[action] if queue is None else _done_to(queue, action, limit))
    if action is QueueAction.MOVE and execution_id in reply.queued:
        output.line(f"{reply.queued.index(execution_id)} of {len(reply.queued)} queued executions will run before it.")
    document = {"paused": reply.paused, "draining": reply.draining, "queued": reply.queued, "queues": reply.queues}
    return output.document(document)


def _done_to(queue: str, action: QueueAction, limit: int | None) -> str:
    match action:
        case QueueAction.PAUSE:
            return f"Paused {queue}: nothing more of it is started; what is running goes on."
        case QueueAction.RESUME:
            return f"Resumed {queue}: its executions are started again."
        case _ if limit is None:
            return f"Removed the limit of {queue}."
        case _:
            return f"At most {limit} of {queue} will run at once."
