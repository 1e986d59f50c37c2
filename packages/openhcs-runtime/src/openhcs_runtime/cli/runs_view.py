"""The runs of a plate in a table."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from openhcs_runtime.outputs.runs import RunStatus, RunSummary, local_time

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
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Begun", "Pipeline", "Status", "Wells", "Folder"):
        table.add_column(heading, no_wrap=heading != "Folder", overflow="fold")
    for run in runs:
        failed = f", {run.wells_failed} failed" if run.wells_failed else ""
        table.add_row(
            local_time(run.begun_at),
            Text(Path(run.pipeline).stem),
            Text(run.status, _STYLES[run.status]),
            f"{len(run.done)} of {run.wells_planned}{failed}",
            Text(run.folder.name + (" (latest)" if run is newest else "")),
        )
    console = Console(highlight=False)
    console.print(f"Runs in {root}", soft_wrap=True, markup=False)
    console.print(table)
    for run in runs:
        if run.problem:
            console.print(run.problem, markup=False)
