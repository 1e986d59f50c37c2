"""State events that follow from the row of an execution, which spares most executions rows of their own for them.

An execution that is queued, runs once and ends has three state events: number 1, number 2, and its last. All that they
tell is in its row and its outcome, which are written anyway. Once anything else happens to it, those that are implied
until then are stored like all others.
"""

from zmqruntime.codec import encode
from zmqruntime.execution.events.event_batches import pack
from zmqruntime.execution.server.record import Record
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, StateChange

__all__ = ["LAST", "first_states", "last_state", "latest_is_implied", "state_event"]

LAST = 3
"""Number of implied states of an execution that has ended."""

_S = ExecutionStatus


def latest_is_implied(record: Record) -> bool:
    """Whether the latest of ``state_count`` states, whose event has no number yet, can be implied like those before."""
    if record.implied_states != record.state_count - 1:
        return False
    match record.state_count:
        case 1:
            return record.status is _S.QUEUED and not record.held and not record.event_count
        case 2:
            return record.status is _S.RUNNING and record.attempts == 1 and record.event_count == 1
        case 3:
            return record.status in (_S.COMPLETE, _S.FAILED) and record.ended_at is not None
        case _:
            return False


def state_event(record: Record, place: int, number: int) -> StateChange:
    """Return the implied state event 1, 2 or 3 of an execution, the last one with the outcome that the record has.

    Args:
        record: The execution, in this state or a later one that implies it.
        place: Which state.
        number: Number of the event.
    """
    if place == LAST:
        snapshot = record.snapshot(event_count=number)
        return StateChange(sequence=place, timestamp=record.ended_at or 0.0, execution=snapshot)
    started_at = record.started_at if place > 1 else None
    snapshot = ExecutionSnapshot(
        execution_id=record.execution_id,
        plate_id=record.plate_id,
        status=_S.QUEUED if started_at is None else _S.RUNNING,
        submitted_at=record.submitted_at,
        started_at=started_at,
        event_count=number,
        attempts=place - 1,
        resumable=record.resumable,
        name=record.name,
        queue=record.queue,
    )
    return StateChange(sequence=place, timestamp=started_at or record.submitted_at, execution=snapshot)


def first_states(record: Record, upto: int = LAST - 1) -> bytes:
    """Return the batch of its first implied states, except the last: events 1, or 1 and 2, but not after ``upto``."""
    last = min(record.implied_states, LAST - 1, upto)
    return pack(record.execution_id, 0, [encode(state_event(record, place, place)) for place in range(1, last + 1)])


def last_state(record: Record) -> bytes:
    """Return the batch of its third and last state."""
    number = record.event_count
    return pack(record.execution_id, number - 1, [encode(state_event(record, LAST, number))])
