"""The outcome of a run, for people and as a JSON document."""

from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from openhcs_runtime.cli.failures import PlateErrorKind
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.tasks import Refusal, RefusalKind
from openhcs_runtime.terminal.progress import BoardView
from openhcs_runtime.viewer_target import ViewCounts
from zmqruntime.execution import AxisState, PlateProgress
from zmqruntime.execution.cli.failures import CommandError, ExitCode
from zmqruntime.execution.text import duration, plural
from zmqruntime.messages import ExecutionStatus

__all__ = ["can_finish", "error_of", "kept_text", "print_summary", "run_document", "well_counts"]

_FAILED_ROWS = 20
_REFUSALS = {
    RefusalKind.TASK: (PlateErrorKind.TASK, ExitCode.FAILED),
    RefusalKind.PLATE: (PlateErrorKind.PLATE, ExitCode.USAGE),
    RefusalKind.PIPELINE: (PlateErrorKind.PIPELINE, ExitCode.USAGE),
    RefusalKind.COMPILE: (PlateErrorKind.COMPILE, ExitCode.USAGE),
    RefusalKind.CHANGED: (PlateErrorKind.COMPILE, ExitCode.USAGE),
    RefusalKind.OUTPUT: (PlateErrorKind.OUTPUT, ExitCode.USAGE),
    RefusalKind.DISK_FULL: (PlateErrorKind.DISK_FULL, ExitCode.FAILED),
    RefusalKind.WORKERS: (PlateErrorKind.WORKERS, ExitCode.FAILED),
}


def error_of(execution: PlateExecution) -> CommandError | None:
    """Why the run was not a success; None if it was."""
    refusal, plate = execution.refusal, execution.plate
    match execution.status:
        case ExecutionStatus.FAILED if refusal is not None:
            return _refused(refusal)
        case ExecutionStatus.FAILED if plate is not None:
            return CommandError(PlateErrorKind.WELLS_FAILED, _failed_text(plate), ExitCode.FAILED)
        case ExecutionStatus.COMPLETE if plate is not None and plate.status is not ResultStatus.COMPLETE:
            cancelled = plural(len(plate.wells_with(ResultStatus.CANCELLED)), "well")
            return CommandError(
                PlateErrorKind.CANCELLED, f"{cancelled} cancelled; the others are done", ExitCode.FAILED
            )
        case ExecutionStatus.COMPLETE:
            return None
        case ExecutionStatus.CANCELLED:
            return CommandError(PlateErrorKind.CANCELLED, "the run was cancelled", ExitCode.FAILED)
        case _:
            return CommandError(
                PlateErrorKind.TASK, f"the run ended as {execution.status}: {execution.message}", ExitCode.FAILED
            )


def run_document(execution: PlateExecution, view: BoardView) -> dict[str, Any]:
    """The JSON document of a run, without its error."""
    plate = execution.plate
    return {
        "execution_id": execution.execution_id,
        "status": execution.status.value,
        "result": plate.to_dict() if plate is not None else None,
        "progress": _progress_document(view.plate),
        "notes": list(view.notes),
        "warnings": list(view.warnings),
        "cpu_seconds": execution.cpu_seconds,
        "peak_memory_bytes": execution.peak_memory_bytes,
    }


def _progress_document(plate: PlateProgress) -> dict[str, Any]:
    """How far the plate came, also where a run has left no result."""
    counts = Counter(well.state for well in plate.axes)
    return {
        "percent": plate.percent,
        "wells": {state.value: counts[state] for state in AxisState},
        "failed": {well.axis_id: well.error for well in plate.axes if well.state is AxisState.FAILED},
    }


def print_summary(execution: PlateExecution) -> None:
    """Where the results are, what was found, and which wells failed."""
    plate = execution.plate
    if plate is None:
        return
    console = Console(highlight=False)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    table.add_row("Wells", well_counts(plate))
    for name, count in plate.counts.items():
        table.add_row(name.removesuffix("_count").replace("_", " ").capitalize(), f"{count:,}")
    if plate.left_out_files:
        table.add_row("Left out", f"{plural(plate.left_out_files, 'image file')}; openhcs-runtime info lists them")
    took = execution.snapshot.run_seconds  # as all other views have it, with the start of the pipeline
    table.add_row("Time", duration(plate.elapsed_s if took is None else took))
    table.add_row("Results", Text(plate.output_dir))
    if plate.tables:
        table.add_row("Tables", ", ".join(plate.tables))
    if plate.viewed is not None:
        silent = plate.viewed.sent and plate.viewed == ViewCounts(plate.viewed.sent)
        table.add_row("Viewer", f"{plate.viewed}; it did not answer" if silent else str(plate.viewed))
    console.print()
    console.print(table)
    if plate.wells_with(ResultStatus.FAILED):
        console.print()
        _print_failed(console, plate)


def kept_text(view: BoardView, execution: PlateExecution) -> str:
    """What is left of a run that was cancelled."""
    done, plate = view.plate.axes_done, execution.plate
    if not view.wells:
        return "before any well was started"
    where = f" and kept in {plate.output_dir}" if plate is not None and done else ""
    return f"{done} of {plural(len(view.wells), 'well')} done{where}"


def can_finish(execution: PlateExecution, view: BoardView) -> bool:
    """Whether wells are left that ``resume`` does: some failed, or the run was cancelled when some were done."""
    plate = execution.plate
    match execution.status:
        case ExecutionStatus.FAILED:
            return plate is not None
        case ExecutionStatus.COMPLETE:
            return plate is not None and plate.status is not ResultStatus.COMPLETE
        case ExecutionStatus.CANCELLED:
            return plate is not None and view.plate.axes_done > 0
        case _:
            return False


def _print_failed(console: Console, plate: PlateResult) -> None:
    failed = plate.wells_with(ResultStatus.FAILED)
    table = Table(box=None, pad_edge=False, header_style="bold red")
    table.add_column("Failed", no_wrap=True)
    table.add_column("Step", no_wrap=True)
    table.add_column("Reason", overflow="fold")
    for well in failed[:_FAILED_ROWS]:
        table.add_row(well.well, Text(well.step or "-"), Text(well.error))
    console.print(table)
    if len(failed) > _FAILED_ROWS:
        console.print(f"and {len(failed) - _FAILED_ROWS:,} more; --json lists them all")


def well_counts(plate: PlateResult) -> str:
    """How many wells ended how, and how many were taken over."""
    counts = {status: len(plate.wells_with(status)) for status in ResultStatus}
    texts = [f"{count} {status.value}" for status, count in counts.items() if count]
    taken = Counter(well.taken_from for well in plate.wells if well.taken_from)
    texts += [f"{count} taken over from {run}" for run, count in taken.items()]
    return ", ".join(texts)


def _failed_text(plate: PlateResult) -> str:
    failed = len(plate.wells_with(ResultStatus.FAILED))
    parts = [f"{failed} of {plural(len(plate.wells), 'well')} failed"] if failed else []
    return "; ".join([*parts, *([plate.error] if plate.error else [])])


def _refused(refusal: Refusal) -> CommandError:
    kind, code = _REFUSALS[refusal.refused]
    if len(refusal.problems) == 1:
        return CommandError(kind, refusal.problems[0], code)
    message = f"{plural(len(refusal.problems), 'problem')} found before any image was read:"
    return CommandError(kind, message, code, refusal.problems)
