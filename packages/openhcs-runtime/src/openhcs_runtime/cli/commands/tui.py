"""``tui``: the wells of a run as a grid in the terminal, live."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.declare import Argument
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Host, Json, Port

if TYPE_CHECKING:
    from openhcs_runtime.cli.endpoint import PlateEndpoint
    from zmqruntime.execution import ExecutionClient
    from zmqruntime.messages import ExecutionSnapshot

__all__ = ["tui", "view_plate"]


def tui(
    execution_id: Annotated[
        str | None, Argument(metavar="ID", help="Execution id or unique prefix [default: the running one]")
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Show the wells of a run as a grid, live.

    The arrow keys select a well and show its steps and error, c cancels it, q leaves; the run goes on. It needs
    textual: pip install 'openhcs-runtime[tui]'.

    \b
      openhcs-runtime tui
      openhcs-runtime tui 4f2a91 --host 192.168.1.20
    """
    return view_plate(port, host, execution_id, as_json=as_json)


def view_plate(port: int, host: str | None, execution_id: str | None, *, as_json: bool) -> int:
    """Show an execution, or the one that is running, until the user leaves."""
    with uninterrupted():
        import asyncio

        from openhcs_runtime.cli.endpoint import PlateEndpoint, server_lost
        from openhcs_runtime.cli.summary import error_of, print_summary
        from openhcs_runtime.service.client import PlateExecution
        from zmqruntime.exceptions import ServerLostError
        from zmqruntime.execution.cli.endpoint import attached
        from zmqruntime.execution.cli.output import Output
        from zmqruntime.execution.lifecycle import has_ended

        app = _app_module()
    endpoint, output = PlateEndpoint(port, host), Output(as_json)
    with attached(endpoint, tells_patience=False) as client:  # the grid tells it
        shown = _chosen(client, execution_id)
        asyncio.run(_view(endpoint, shown, app))
        try:
            shown = client.poll_status(shown.execution_id)
        except ServerLostError as error:
            raise server_lost(client, shown.execution_id, endpoint) from error
    execution = PlateExecution.of(shown)
    document = {"execution_id": execution.execution_id, "status": execution.status.value}
    if not has_ended(execution.status, execution.resumable):
        output.line(f"Left; execution {execution.execution_id} goes on.")
        return output.document(document)
    if not as_json:
        print_summary(execution)
    return output.document(document, error_of(execution))


async def _view(endpoint: "PlateEndpoint", shown: "ExecutionSnapshot", app: ModuleType) -> None:
    from openhcs_runtime.tasks import OPENHCS_CONFIG
    from zmqruntime.execution import AsyncExecutionClient

    async with AsyncExecutionClient(endpoint.port, host=endpoint.host, config=OPENHCS_CONFIG) as client:
        await app.PlateApp(client, shown.execution_id, shown.plate_id).run_async()


def _chosen(client: "ExecutionClient", execution_id: str | None) -> "ExecutionSnapshot":
    """The execution that was named; else one that is running, else the latest."""
    from zmqruntime.execution.cli.failures import CommandError, ErrorKind
    from zmqruntime.execution.cli.ids import find_id
    from zmqruntime.messages import ExecutionStatus

    if execution_id is not None:
        return client.poll_status(find_id(client, execution_id))
    known = client.status(limit=1).executions
    running = [execution for execution in known if execution.status is ExecutionStatus.RUNNING]
    if not known:
        raise CommandError(ErrorKind.NOT_FOUND, "there are no executions yet; 'openhcs-runtime run PLATE' starts one")
    return (running or known)[0]


def _app_module() -> ModuleType:
    """The module of the grid. Raises CommandError without the library for it, or without a terminal."""
    from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode

    try:
        from openhcs_runtime.terminal.tui import app
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed: pip install 'openhcs-runtime[tui]'"
        raise CommandError(ErrorKind.MISSING_EXTRA, message, ExitCode.FAILED) from error
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        message = "the plate view needs a terminal; 'openhcs-runtime watch ID' does not"
        raise CommandError(ErrorKind.USAGE, message)
    return app
