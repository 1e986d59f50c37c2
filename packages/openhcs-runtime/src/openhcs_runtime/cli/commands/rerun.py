"""``rerun``: the run that has written a folder, repeated into another one."""

from pathlib import Path
from typing import Annotated

from openhcs_runtime.cli.commands.results import find_results
from openhcs_runtime.cli.declare import Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Host, Json, Port, ResultsPath

__all__ = ["rerun"]


def rerun(
    results: ResultsPath,
    into: Annotated[
        Path | None,
        Option("--output", metavar="DIR", help="Output folder [default: a new folder next to that run]"),
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Repeat the run that has written a folder.

    It uses the same pipeline, settings and plate, from provenance.json in that folder, and processes every well.

    \b
      openhcs-runtime rerun demo
      openhcs-runtime rerun demo_results/2026-11-29_213000_segment
    """
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from openhcs_runtime.cli.failures import PlateErrorKind
        from openhcs_runtime.cli.running import Begun, follow
        from openhcs_runtime.exceptions import OutputError
        from openhcs_runtime.service.client import rerun_task
        from zmqruntime.execution.cli.failures import CommandError
        from zmqruntime.execution.cli.output import Output
    output = Output(as_json)
    run = find_results(results, output)
    try:
        task = rerun_task(run.folder, into)
    except OutputError as error:
        raise CommandError(PlateErrorKind.OUTPUT, str(error)) from error
    title = f"Repeating the run in {run.folder} over {task.plate_path}"
    return follow(PlateEndpoint(port, host), lambda client: Begun(client.submit_task(task).execution_id, title), output)
