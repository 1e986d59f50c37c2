"""``status``: the server and its executions, from disk while no server is running."""

from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.declare import Argument
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Host, Json, Port

if TYPE_CHECKING:
    from openhcs_runtime.cli.endpoint import PlateEndpoint
    from zmqruntime.execution.cli.output import Output

__all__ = ["status"]


def status(
    execution_id: Annotated[
        str | None, Argument(metavar="ID", help="Execution id or unique prefix [default: all executions]")
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Show the server and its executions, or one of them in full.

    It never starts a server. While none is running, it shows what the last one left on disk: first the runs that were
    interrupted, which 'openhcs-runtime resume' finishes. The exit code is 0 in both cases.

    \b
      openhcs-runtime status
      openhcs-runtime status 4f2a91
    """
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from zmqruntime.execution.cli.output import Output
    endpoint, output = PlateEndpoint(port, host), Output(as_json)
    return _show_all(endpoint, output) if execution_id is None else _show_one(endpoint, execution_id, output)


def _show_all(endpoint: "PlateEndpoint", output: "Output") -> int:
    with uninterrupted():
        from zmqruntime.execution.cli.executions import SHOWN_EXECUTIONS, status_document
        from zmqruntime.execution.cli.sources import reading_or_none
    with reading_or_none(endpoint) as source:
        report = None if source is None else source.executions.status(SHOWN_EXECUTIONS)
    if source is None or report is None:
        output.line(f"N{endpoint.absence[1:]}; {endpoint.remedy}.")
    elif not output.as_json:
        with uninterrupted():
            from openhcs_runtime.cli.executions_view import print_overview
        print_overview(source, report)
    return output.document(status_document(source, report))


def _show_one(endpoint: "PlateEndpoint", given_id: str, output: "Output") -> int:
    with uninterrupted():
        from openhcs_runtime.cli.executions_view import print_execution
        from openhcs_runtime.service.client import PlateExecution
        from zmqruntime.execution.cli.sources import reading
    with reading(endpoint) as source:
        execution = source.executions.poll_status(source.find_id(given_id))
    output.note(source.note)
    if not output.as_json:
        print_execution(PlateExecution.of(execution))
    return output.document({"server": source.server, "from_disk": source.server is None, "execution": execution})
