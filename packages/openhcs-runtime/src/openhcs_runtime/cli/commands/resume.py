"""``resume``: finish a run."""

from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.declare import Argument
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Host, Json, Port

if TYPE_CHECKING:
    from openhcs_runtime.cli.endpoint import PlateEndpoint
    from openhcs_runtime.service.client import ZMQExecutionClient

__all__ = ["resume"]


def resume(
    execution_id: Annotated[
        str | None, Argument(metavar="ID", help="Execution id or unique prefix [default: the interrupted one]")
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Finish a run: do the wells that failed, were cancelled, or were not reached.

    It goes on in the folder of that run, and keeps the wells that are done, unless their images have changed. If the
    pipeline, a module, a setting or a library has changed, the command names it and stops.

    A run whose server was stopped or killed goes on by itself as soon as a server is running, which this command
    starts. Without an ID it finishes the run that was interrupted in this way, or lists them if there are several.

    \b
      openhcs-runtime resume
      openhcs-runtime resume 4f2a91
    """
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from openhcs_runtime.cli.running import Begun, follow
        from zmqruntime.execution.cli.ids import find_id
        from zmqruntime.execution.cli.output import Output
    endpoint = PlateEndpoint(port, host)
    wanted = _interrupted_one(endpoint) if execution_id is None else execution_id

    def begin(client: "ZMQExecutionClient") -> Begun:
        known = find_id(client, wanted)
        resumed = client.resume(known).execution_id
        title = f"Going on with {known}" if resumed == known else f"Finishing what {known} has left undone"
        return Begun(resumed, title)

    return follow(endpoint, begin, Output(as_json))


def _interrupted_one(endpoint: "PlateEndpoint") -> str:
    """The id of the only run that waits to be resumed.

    Raises:
        CommandError: there are several, whose ids are its problems, or none.
    """
    from zmqruntime.execution.cli.failures import CommandError, ErrorKind
    from zmqruntime.execution.cli.sources import reading_or_none
    from zmqruntime.execution.text import moment

    with reading_or_none(endpoint) as source:
        found = [] if source is None else [entry for entry in source.interrupted() if entry.resumable]
    if not found:
        message = "no run is waiting to be resumed; name one by its id, which 'openhcs-runtime history' lists"
        raise CommandError(ErrorKind.NOT_FOUND, message)
    if len(found) > 1:
        problems = [f"{entry.execution_id}  {entry.plate_id}, {moment(entry.submitted_at)}" for entry in found]
        message = f"{len(found)} runs are waiting to be resumed; name one by its id:"
        raise CommandError(ErrorKind.NOT_FOUND, message, problems=problems)
    return found[0].execution_id
