"""Executions in words and tables."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from openhcs_runtime.results import ResultStatus
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.terminal.text import STATUS_STYLES
from zmqruntime.execution.text import duration, moment, plural
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, PongResponse, StatusResponse

__all__ = ["print_execution", "print_executions", "print_table"]

_QUEUED_ROWS = 20


def print_executions(server: PongResponse, report: StatusResponse) -> None:
    """The server in one line, and its executions in a table."""
    console = Console(highlight=False)
    console.print(
        f"Server on port {server.port}: process {server.pid}, version {server.version}, "
        f"{report.running} running, {report.queued} queued"
    )
    queued = [execution for execution in report.executions if execution.status is ExecutionStatus.QUEUED]
    hidden = {execution.execution_id for execution in queued[_QUEUED_ROWS:]}
    print_table([execution for execution in report.executions if execution.execution_id not in hidden])
    more = report.queued - min(len(queued), _QUEUED_ROWS)
    if more:
        console.print(f"{more:,} more are queued.")


def print_table(executions: Sequence[ExecutionSnapshot]) -> None:
    """A line for each."""
    console = Console(highlight=False)
    if not executions:
        console.print("No executions yet.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Execution", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Submitted", no_wrap=True)
    table.add_column("Took", no_wrap=True, justify="right")
    table.add_column("Plate", overflow="fold")
    for execution in executions:
        table.add_row(
            execution.execution_id,
            _status(execution),
            moment(execution.submitted_at),
            _took(execution),
            execution.plate_id,
        )
    console.print(table)


def print_execution(execution: PlateExecution) -> None:
    """One execution in full."""
    console = Console(highlight=False)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    table.add_row("Execution", execution.execution_id)
    table.add_row("Status", _status(execution.snapshot))
    table.add_row("Plate", execution.plate_id)
    table.add_row("Submitted", moment(execution.submitted_at))
    for label, when in (("Started", execution.started_at), ("Ended", execution.ended_at)):
        if when is not None:
            table.add_row(label, moment(when))
    if execution.cpu_seconds:
        table.add_row("Processor", f"{duration(execution.cpu_seconds)} over all cores")
    if execution.peak_memory_bytes:
        table.add_row("Memory", f"{execution.peak_memory_bytes / 1e6:,.0f} MB at most in the worker")
    plate = execution.plate
    if plate is not None:
        table.add_row("Results", plate.output_dir)
        table.add_row("Wells", ", ".join(f"{len(plate.wells_with(status))} {status}" for status in ResultStatus))
    if execution.error:
        table.add_row("Error", Text(execution.error))
    console.print(table)


def _status(execution: ExecutionSnapshot) -> Text:
    text = execution.status.value
    if execution.queue_position:
        text += f" ({plural(execution.queue_position, 'run')} before it)"
    return Text(text, style=STATUS_STYLES[execution.status])


def _took(execution: ExecutionSnapshot) -> str:
    return "" if execution.run_seconds is None else duration(execution.run_seconds)
