"""Databases of servers with a long history, made without running anything."""

from pathlib import Path

from zmqruntime import ExecuteRequest, ExecutionStatus
from zmqruntime.codec import encode
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.store import Store

_AT_ONCE = 2_000
_RESULT = encode(b"x" * 50_000)


def fill(path: Path, ended: int, queued: int = 0, *, has_results: bool = True) -> None:
    """Write ended executions, a tenth of them with a result of 50 KB, and waiting ones in a paused queue."""
    store = Store(path)
    ledger = Ledger(store, lambda batches: None, lambda execution_id, count: None)
    ledger.set_paused(queued > 0)
    for number in range(ended + queued):
        ledger.accept(ExecuteRequest(submission_id=name_of(number), payload=number))
        if number < ended:
            _complete(ledger, name_of(number), has_result=has_results and number % 10 == 0)
        if number % _AT_ONCE == 0:
            ledger.commit()
            ledger.tell()
    ledger.commit()
    store.close()


def name_of(number: int) -> str:
    """Return the id of an execution, by order of submission."""
    return f"execution-{number:07d}"


def _complete(ledger: Ledger, execution_id: str, *, has_result: bool) -> None:
    record = ledger.active[execution_id]
    ledger.set_status(record, ExecutionStatus.RUNNING)
    record.result_bytes, record.has_new_outcome = len(_RESULT) if has_result else None, has_result
    record.result = _RESULT if has_result else None
    ledger.set_status(record, ExecutionStatus.COMPLETE)
