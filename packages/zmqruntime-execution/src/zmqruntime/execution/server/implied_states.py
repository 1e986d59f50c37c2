"""State events that follow from the row of an execution, which spares most executions rows of their own for them.

An execution that is queued, runs once and ends has three state events: number 1, number 2, and its last. All that they
tell is in its row and its outcome, which are written anyway. Once anything else happens to it, those that are implied
until then are stored like all others.
"""

from zmqruntime.codec import encode
from zmqruntime.execution.server.record import Record
from zmqruntime.messages import Event, EventBatch, ExecutionSnapshot, ExecutionStatus, StateChange

__all__ = ["FIRST", "LAST", "batch_of", "latest_is_implied"]

FIRST, LAST = 2, 3
"""Its first states are events 1 and 2; the third is its last event."""

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


def batch_of(record: Record, after: int, upto: int) -> bytes:
    """Return the encoded batch of the implied states ``after`` + 1 to ``upto``.

    The last one can be together with some of the first two only if no other events are between them.

    Args:
        record: The execution in the latest of these states, or in a later one that implies them; with its outcome, if
            the last one is among them.
        after: How many of its states come before.
        upto: Place of the last of them.
    """
    first = record.event_count if after == FIRST else after + 1
    places = range(after + 1, upto + 1)
    events: list[Event] = [_state(record, place, first + n) for n, place in enumerate(places)]
    return encode(
        EventBatch(execution_id=record.execution_id, after=first - 1, upto=first - 1 + len(events), events=events)
    )


def _state(record: Record, place: int, number: int) -> StateChange:
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
