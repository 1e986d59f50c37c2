"""Finding runs of which only the ids are known: ended runs are shown, running ones are followed again."""

from openhcs_gui_services.services.connection.executions import PlateExecutions
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.outcome import PlateOutcome, SubmittedPlate
from openhcs_gui_services.services.plates.record import PlateRecord
from openhcs_gui_services.services.runs.host import WorkspaceBatches
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.messages import ExecutionSnapshot

__all__ = ["find_earlier_runs"]


async def find_earlier_runs(
    book: PlateCollection, executions: PlateExecutions, batches: WorkspaceBatches
) -> dict[str, SubmittedPlate]:
    """Ask the server for unknown runs and return those that are now followed, by plate path.

    A plate that the user has acted on in the meantime is left alone.

    Raises:
        ZMQRuntimeError: the server can't be asked.
    """
    unknown = {
        record.execution_id: record
        for record in book.records()
        if record.is_run_unknown and record.execution_id is not None
    }
    found = await executions.find(unknown)
    followed = {}
    for execution_id, record in unknown.items():
        is_left_alone = record.is_run_unknown and record.execution_id == execution_id and not record.is_busy
        if not is_left_alone or record.path not in book:
            continue
        record.is_run_unknown = False
        if _take(book, record, found.get(execution_id)):
            followed[record.path] = batches.adopt(record, execution_id)
    book.flush()
    return followed


def _take(book: PlateCollection, record: PlateRecord, snapshot: ExecutionSnapshot | None) -> bool:
    """Apply the state of a plate's run, and return whether to follow it.

    A run that ended without a result is followed as well, because its events have the progress of its wells.
    """
    if snapshot is None:
        record.execution_id = None
        book.change(record)
        return False
    if has_ended(snapshot.status, snapshot.resumable) and snapshot.result is not None:
        book.change(record, record.end(PlateOutcome.of(record.path, snapshot)))
        return False
    return True
