"""What became of runs of which only the ids are known: ended ones are shown so, the others are followed again."""

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
    """Ask the server for the runs that are unknown; gives those that are followed now, by the paths of their plates.

    What is done with a plate while the server is asked goes before what it says.

    Raises:
        ZMQRuntimeError: it can't be asked.
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
    """Take in how the run of a plate is; whether it is to be followed.

    One that has ended without a result is, too: what it has reported says how far its wells are.
    """
    if snapshot is None:
        record.execution_id = None
        book.change(record)
        return False
    if has_ended(snapshot.status, snapshot.resumable) and snapshot.result is not None:
        book.change(record, record.end(PlateOutcome.of(record.path, snapshot)))
        return False
    return True
