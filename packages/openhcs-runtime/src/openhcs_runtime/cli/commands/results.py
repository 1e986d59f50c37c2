"""``results``: the runs of a plate; and which run other commands take when a path does not name one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.choice_options import Time
from openhcs_runtime.cli.declare import Argument
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json

if TYPE_CHECKING:
    from openhcs_runtime.outputs.runs import RunSummary
    from zmqruntime.execution.cli.output import Output

__all__ = ["find_results", "results"]


def results(
    plate: Annotated[Path, Argument(metavar="PLATE", help="A plate, or a folder that holds runs")],
    time: Time = False,
    as_json: Json = False,
) -> int:
    """List the runs of a plate on disk, newest first.

    Each with its time, its pipeline, its status and how many wells are done and failed. With --time, show the cost of
    each step of one run instead: of the newest complete one, or of the run whose folder is given.

    \b
      openhcs-runtime results demo
      openhcs-runtime results demo_results --json
      openhcs-runtime results demo --time
    """
    with uninterrupted():
        from openhcs_runtime.cli.runs_view import print_runs
        from openhcs_runtime.exceptions import OutputError
        from openhcs_runtime.outputs.runs import list_runs, newest_of, runs_folder
        from zmqruntime.execution.cli.failures import CommandError, ErrorKind
        from zmqruntime.execution.cli.output import Output
    output = Output(as_json)
    if time:
        return _show_costs(plate, output)
    try:
        root = runs_folder(plate)
        runs = list_runs(root)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    if not runs:
        raise CommandError(ErrorKind.NOT_FOUND, f"there are no runs in {root}")
    newest = newest_of(runs)
    if not as_json:
        print_runs(root, runs, newest)
    return output.document({"folder": str(root), "runs": [_document(run, newest) for run in runs]})


def _show_costs(path: Path, output: "Output") -> int:
    """The cost of each step of a run."""
    from openhcs_runtime.cli.costs_view import costs_document, print_costs
    from openhcs_runtime.exceptions import OutputError
    from openhcs_runtime.outputs.provenance import read_provenance
    from zmqruntime.execution.cli.failures import CommandError, ErrorKind

    run = find_results(path, output)
    try:
        wells = read_provenance(run.folder).wells
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    costs = [well.steps for well in wells]
    if not output.as_json:
        print_costs(costs, sum(well.reused for well in wells))
    return output.document({"folder": str(run.folder), "costs": costs_document(costs)})


def find_results(path: Path, output: "Output") -> "RunSummary":
    """The run that a path means; says which, where the path did not.

    Raises:
        CommandError: there is none.
    """
    from openhcs_runtime.exceptions import OutputError
    from openhcs_runtime.outputs.runs import find_run
    from zmqruntime.execution.cli.failures import CommandError, ErrorKind

    try:
        found = find_run(path)
    except OutputError as error:
        raise CommandError(ErrorKind.NOT_FOUND, str(error)) from error
    if note := found.note():
        output.line(note)
    return found.run


def _document(run: "RunSummary", newest: "RunSummary | None") -> dict[str, object]:
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
