"""``watch``: a run with its bars, from any terminal."""

from typing import Annotated

from openhcs_runtime.cli.commands.tui import view_plate
from openhcs_runtime.cli.declare import Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import ExecutionId, Host, Json, Port

__all__ = ["watch"]


def watch(
    execution_id: ExecutionId,
    as_plate: Annotated[bool, Option("--tui", help="Show the wells as a grid, as 'tui' does")] = False,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Watch a run to its end, with the same progress bars as 'run'.

    Ctrl-C leaves, and the run goes on.

    \b
      openhcs-runtime watch 4f2a91
      openhcs-runtime watch 4f2a91 --host 192.168.1.20
    """
    if as_plate:
        return view_plate(port, host, execution_id, as_json=as_json)
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint, server_lost
        from openhcs_runtime.cli.summary import error_of, print_summary, run_document
        from openhcs_runtime.cli.watching import watching
        from openhcs_runtime.service.client import PlateExecution
        from zmqruntime.exceptions import ServerLostError
        from zmqruntime.execution.cli.endpoint import attached
        from zmqruntime.execution.cli.failures import interrupted
        from zmqruntime.execution.cli.ids import find_id
        from zmqruntime.execution.cli.output import Output
    endpoint, output = PlateEndpoint(port, host), Output(as_json)
    with attached(endpoint, tells_patience=False) as client:  # watching tells it
        known = find_id(client, execution_id)
        output.line(f"Watching execution {known}; Ctrl-C leaves, and it goes on")
        try:
            with watching(client, known, quiet=as_json) as board:
                execution = PlateExecution.of(client.wait(known))
        except KeyboardInterrupt:
            raise interrupted(f"left; execution {known} goes on") from None
        except ServerLostError as error:
            raise server_lost(client, known, endpoint) from error
    if not as_json:
        print_summary(execution)
    return output.document(run_document(execution, board.view()), error_of(execution))
