"""``results``: the runs of a plate; and which run other commands take when a path does not name one."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from openhcs_runtime.cli.failures import CommandError, ErrorKind
from openhcs_runtime.cli.output import Output
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.runs import RunStatus, RunSummary, find_run, list_runs, local_time, newest_of, runs_folder

__all__ = ["find_results", "list_results"]

_STYLES = {
    RunStatus.COMPLETE: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "yellow",
    RunStatus.RUNNING: "cyan",
    RunStatus.INTERRUPTED: "red",
    RunStatus.DAMAGED: "red",
}


def list_results(path: Path, *, as_json: bool) -> int:
    """Show the runs of a plate, the newest first."""
    output = Output(as_json)
    try:
        root = runs_folder(path)
        runs = list_runs(root)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    if not runs:
        raise CommandError(ErrorKind.NOT_FOUND, f"there are no runs in {root}")
    newest = newest_of(runs)
    if not as_json:
        _print(root, runs, newest)
    return output.document({"folder": str(root), "runs": [_document(run, newest) for run in runs]})


def find_results(path: Path, output: Output) -> RunSummary:
    """The run that a path means; says which, where the path did not.

    Raises:
        CommandError: there is none.
    """
    try:
        found = find_run(path)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    if note := found.note():
        output.line(note)
    return found.run


def _print(root: Path, runs: tuple[RunSummary, ...], newest: RunSummary | None) -> None:
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


def _document(run: RunSummary, newest: RunSummary | None) -> dict[str, object]:
    return {
        "folder": str(run.folder),
        "status": run.status.value,
        "begun_at": run.begun_at,
        "ended_at": run.ended_at,
        "pipeline": run.pipeline,
        "plate_path": run.plate_path,
        "wells_done": len(run.done),
        "wells_failed": run.wells_failed,
        "wells_planned": run.wells_planned,
        "latest": run is newest,
        "problem": run.problem,
    }
