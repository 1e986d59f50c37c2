"""Executions in words and tables."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from openhcs_runtime.results import ResultStatus
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.terminal.rows import print_rows
from openhcs_runtime.terminal.text import STATUS_STYLES
from zmqruntime.execution.cli.executions import shown
from zmqruntime.execution.cli.sources import Source, interrupted_in
from zmqruntime.execution.text import duration, moment, plural, size
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, StatusResponse

__all__ = ["print_execution", "print_history", "print_overview"]


def print_overview(source: Source, report: StatusResponse) -> None:
    """The server in one line, and its executions in a table; the ends of both lists are left out."""
    console = Console(highlight=False)
    server = source.server
    if server is None:
        console.print(f"{source.note}: {len(interrupted_in(report))} interrupted, {report.queued} queued")
    else:
        console.print(
            f"Server on port {server.port}: process {server.pid}, version {server.version}, "
            f"{report.running} running, {report.queued} queued"
        )
    executions, left_out = shown(report)
    _print_table(console, executions)
    if left_out:
        console.print(f"{left_out:,} more are queued.")
    _print_hint(console, executions)


def print_history(executions: Sequence[ExecutionSnapshot]) -> None:
    """A row for each."""
    console = Console(highlight=False)
    _print_table(console, executions)
    _print_hint(console, executions)


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
        table.add_row("Memory", f"at most {size(execution.peak_memory_bytes)} in the worker")
    plate = execution.plate
    if plate is not None:
        table.add_row("Results", plate.output_dir)
        table.add_row("Wells", ", ".join(f"{len(plate.wells_with(status))} {status}" for status in ResultStatus))
    if execution.error:
        table.add_row("Error", Text(execution.error))
    console.print(table)


def _print_table(console: Console, executions: Sequence[ExecutionSnapshot]) -> None:
    if not executions:
        console.print("No executions yet.")
        return
    rows = [
        (entry.execution_id, _status(entry), moment(entry.submitted_at), _took(entry), entry.plate_id)
        for entry in executions
    ]
    print_rows(console, ("Execution", "Status", "Submitted", "Took", "Plate"), rows, right=(3,))


def _print_hint(console: Console, executions: Sequence[ExecutionSnapshot]) -> None:
    waiting = [entry for entry in executions if entry.status is ExecutionStatus.INTERRUPTED and entry.resumable]
    if waiting:
        which = " ID" if len(waiting) > 1 else ""
        console.print(f"'openhcs-runtime resume{which}' goes on with what was interrupted.", soft_wrap=True)


def _status(execution: ExecutionSnapshot) -> Text:
    text = execution.status.value
    if execution.queue_position:
        text += f" ({plural(execution.queue_position, 'run')} before it)"
    return Text(text, style=STATUS_STYLES[execution.status])


def _took(execution: ExecutionSnapshot) -> str:
    return "" if execution.run_seconds is None else duration(execution.run_seconds)
