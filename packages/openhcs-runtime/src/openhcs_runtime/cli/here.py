"""A run in this process, shown in the terminal; the first Ctrl-C cancels it, another one leaves at once."""

import contextlib

from openhcs_runtime.cli.interrupts import cancelling
from openhcs_runtime.cli.watching import shown
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.service.local import run_locally
from openhcs_runtime.tasks import PlateTask
from openhcs_runtime.terminal.progress import BoardView
from zmqruntime.messages import ExecutionStatus

__all__ = ["run_here"]


def run_here(task: PlateTask, *, quiet: bool) -> tuple[PlateExecution, BoardView]:
    """Run a task to its end; gives what became of it and how far it came."""
    with shown(quiet=quiet) as (board, take), contextlib.ExitStack() as stack:
        board.note_status(ExecutionStatus.RUNNING)
        execution = run_locally(task, take, lambda here: stack.enter_context(cancelling(here)))
        board.note_status(execution.status)
    return execution, board.view()
