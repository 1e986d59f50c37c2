"""Cancelling many executions in one turn of the server, so that none of them starts in the meantime."""

from collections import Counter

from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.scheduler import Runner
from zmqruntime.execution.server.store import Record
from zmqruntime.execution.workers.pool import WorkerKind
from zmqruntime.messages import (
    CancelManyRequest,
    CancelManyResponse,
    ErrorCode,
    ErrorResponse,
    ExecutionStatus,
    Message,
)

__all__ = ["cancel_many"]


def cancel_many(request: CancelManyRequest, ledger: Ledger, scheduler: Runner, kind: WorkerKind) -> Message:
    """Cancel the executions of a request, or refuse it as a whole and change nothing.

    Queued ones come first, the last submitted at the beginning: an execution that waits for another one is cancelled
    before that one ends, and none starts because a running one stops.
    """
    scheduler.settle_all()
    found = [ledger.find(execution_id) for execution_id in dict.fromkeys(request.execution_ids)]
    records = [record for record in found if record is not None]
    queued = [record for record in reversed(records) if record.status is ExecutionStatus.QUEUED]
    begun = [record for record in records if record.status is not ExecutionStatus.QUEUED]
    working = [record for record in begun if not has_ended(record.status, record.resumable)]
    if working and not request.queued_only and request.grace_seconds is not None and kind is WorkerKind.THREAD:
        text = "some are running in threads, which cannot be killed; cancel them without a grace"
        return ErrorResponse(code=ErrorCode.INVALID, message=text)
    stopped = _stop([*queued, *([] if request.queued_only else working)], request.grace_seconds, scheduler)
    return CancelManyResponse(
        not_run=stopped[ExecutionStatus.QUEUED],
        stopping=stopped.total() - stopped[ExecutionStatus.QUEUED],
        going_on=len(working) if request.queued_only else 0,
        ended=len(begun) - len(working),
        unknown=len(found) - len(records),
    )


def _stop(records: list[Record], grace_seconds: float | None, scheduler: Runner) -> "Counter[ExecutionStatus]":
    """Cancel executions; return how many had each status."""
    before: Counter[ExecutionStatus] = Counter()
    for record in records:
        before[record.status] += 1
        scheduler.cancel(record, grace_seconds)
    return before
