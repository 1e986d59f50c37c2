"""The runs of a plate in a table."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from openhcs_runtime.outputs.runs import RunStatus, RunSummary, local_time
from openhcs_runtime.terminal.rows import print_rows

__all__ = ["print_runs"]

_STYLES = {
    RunStatus.COMPLETE: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "yellow",
    RunStatus.RUNNING: "cyan",
    RunStatus.INTERRUPTED: "red",
    RunStatus.DAMAGED: "red",
}


def print_runs(root: Path, runs: Sequence[RunSummary], newest: RunSummary | None) -> None:
    """One row for each, then what is wrong with those that cannot be read."""
    rows = []
    for run in runs:
        failed = f", {run.wells_failed} failed" if run.wells_failed else ""
        rows.append(
            (
                local_time(run.begun_at),
                Path(run.pipeline).stem,
                Text(run.status, _STYLES[run.status]),
                f"{len(run.done)} of {run.wells_planned}{failed}",
                run.folder.name + (" (latest)" if run is newest else ""),
            )
        )
    console = Console(highlight=False)
    console.print(f"Runs in {root}", soft_wrap=True, markup=False)
    print_rows(console, ("Begun", "Pipeline", "Status", "Wells", "Folder"), rows)
    for run in runs:
        if run.problem:
            console.print(run.problem, markup=False)
