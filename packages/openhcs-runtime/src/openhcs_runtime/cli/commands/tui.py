"""``tui``: the wells of a run as a grid in the terminal, live."""

import asyncio
import sys
from types import ModuleType

from openhcs_runtime.cli.commands.executions import nothing_there
from openhcs_runtime.cli.commands.following import server_lost
from openhcs_runtime.cli.connection import Endpoint, attached, full_id
from openhcs_runtime.cli.failures import CommandError, ErrorKind, ExitCode
from openhcs_runtime.cli.output import Output
from openhcs_runtime.cli.summary import error_of, print_summary
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.exceptions import ServerLostError
from zmqruntime.execution import AsyncExecutionClient, ExecutionClient
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

__all__ = ["view_plate"]


def view_plate(place: Endpoint, execution_id: str | None, *, as_json: bool) -> int:
    """Show an execution, or the one that runs, until the user leaves."""
    app = _app_module()
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        message = "the plate view needs a terminal; 'openhcs-runtime watch ID' does without one"
        raise CommandError(ErrorKind.USAGE, message)
    output = Output(as_json)
    with attached(place) as client:
        if client is None:
            raise nothing_there(place)
        shown = _chosen(client, execution_id)
        asyncio.run(_view(place, shown, app))
        try:
            shown = client.poll_status(shown.execution_id)
        except ServerLostError as error:
            raise server_lost(client, shown.execution_id, place) from error
    execution = PlateExecution.of(shown)
    document = {"execution_id": execution.execution_id, "status": execution.status.value}
    if not has_ended(execution.status, execution.resumable):
        output.line(f"Left; execution {execution.execution_id} goes on.")
        return output.document(document)
    if not as_json:
        print_summary(execution)
    return output.document(document, error_of(execution))


async def _view(place: Endpoint, shown: ExecutionSnapshot, app: ModuleType) -> None:
    async with AsyncExecutionClient(place.port, host=place.host, config=OPENHCS_CONFIG) as client:
        await app.PlateApp(client, shown.execution_id, shown.plate_id).run_async()


def _chosen(client: ExecutionClient, execution_id: str | None) -> ExecutionSnapshot:
    """The execution that was named; else one that runs, else the latest."""
    if execution_id is not None:
        return client.poll_status(full_id(client, execution_id))
    known = client.status(limit=1).executions
    running = [execution for execution in known if execution.status is ExecutionStatus.RUNNING]
    if not known:
        raise CommandError(ErrorKind.NOT_FOUND, "there is no execution yet; 'openhcs-runtime run PLATE' starts one")
    return (running or known)[0]


def _app_module() -> ModuleType:
    try:
        from openhcs_runtime.terminal.tui import app  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed: pip install 'openhcs-runtime[tui]'"
        raise CommandError(ErrorKind.CONFIGURATION, message, ExitCode.FAILED) from error
    return app
