"""Runs a plate task in this process, without a server (``OPENHCS_USE_ZMQ_EXECUTION=false``).

The same pipeline and plate give the same files. There is no queue and no history, and the run ends with the process.
"""

import time
from collections.abc import Callable

import msgspec

from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.service.worker import run_plate_task
from openhcs_runtime.tasks import OPENHCS_CONFIG, PlateTask
from zmqruntime.execution import Task, TaskCancelled, TaskFailed, local_task
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, LogLine, ProgressUpdate

__all__ = ["run_locally"]


def run_locally(
    task: PlateTask,
    on_event: Callable[[ProgressUpdate | LogLine], None],
    on_task: Callable[[Task], None] = lambda task: None,
) -> PlateExecution:
    """Run a task to its end.

    Args:
        task: the task.
        on_event: called with all progress updates and log lines, from another thread.
        on_task: called with the running task, which can be used to cancel the run from other threads.

    Returns:
        The execution, in the form that a client of a server returns.
    """
    begun = time.time()
    status, error, result = ExecutionStatus.COMPLETE, None, None
    with local_task(on_event, plate_id=task.plate_path, config=OPENHCS_CONFIG) as here:
        on_task(here)
        try:
            result = run_plate_task(msgspec.to_builtins(task))
        except TaskFailed as failure:
            status, error, result = ExecutionStatus.FAILED, str(failure), failure.result
        except TaskCancelled as cancelled:
            status, error = ExecutionStatus.CANCELLED, str(cancelled)
        if here.cancelled:
            status = ExecutionStatus.CANCELLED
    ended = ExecutionSnapshot(
        execution_id=here.execution_id,
        plate_id=task.plate_path,
        status=status,
        submitted_at=begun,
        started_at=begun,
        ended_at=time.time(),
        error=error,
        result=result,
    )
    return PlateExecution(ended)
