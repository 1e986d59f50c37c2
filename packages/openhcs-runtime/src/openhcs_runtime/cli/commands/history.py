"""``history``: the runs that have ended, from disk while no server is running."""

from typing import Annotated

from openhcs_runtime.cli.declare import Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Host, Json, Port, whole_number

__all__ = ["history"]


def history(
    limit: Annotated[int, Option(parser=whole_number(1, 1000), metavar="N", help="Runs to list, up to 1000")] = 20,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """List the runs that have ended, newest first.

    Runs that were interrupted come before them: 'openhcs-runtime resume' finishes these. While no server is running,
    the list is read from disk.

    \b
      openhcs-runtime history
      openhcs-runtime history --limit 100 --json
    """
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from openhcs_runtime.cli.executions_view import print_history
        from zmqruntime.execution.cli.executions import brief
        from zmqruntime.execution.cli.output import Output
        from zmqruntime.execution.cli.sources import reading
    output = Output(as_json)
    with reading(PlateEndpoint(port, host)) as source:
        ended = source.history(limit)
    output.note(source.note)
    if not as_json:
        print_history(ended)
    return output.document({"from_disk": source.server is None, "executions": [brief(entry) for entry in ended]})
