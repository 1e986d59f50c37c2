"""``watch``, ``logs`` and ``history``: what runs ran, and what they say, from any terminal."""

from openhcs_runtime.cli.commands.executions import brief, nothing_there
from openhcs_runtime.cli.connection import Endpoint, attached, full_id
from openhcs_runtime.cli.executions_view import print_table
from openhcs_runtime.cli.failures import CommandError, ErrorKind, ExitCode, interrupted
from openhcs_runtime.cli.output import Output
from openhcs_runtime.cli.summary import error_of, print_summary, run_document
from openhcs_runtime.cli.watching import watching
from openhcs_runtime.service.client import PlateExecution
from zmqruntime.exceptions import ServerLostError
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.events.log_files import format_line
from zmqruntime.execution.helpers.patience import PatienceTeller
from zmqruntime.messages import LogLine

__all__ = ["server_lost", "show_history", "show_logs", "watch"]


def watch(place: Endpoint, execution_id: str, *, as_json: bool) -> int:
    """Watch an execution to its end; Ctrl-C leaves it alone."""
    output = Output(as_json)
    with attached(place) as client:
        if client is None:
            raise nothing_there(place)
        known = full_id(client, execution_id)
        client.poll_status(known)
        output.line(f"Watching execution {known}; Ctrl-C leaves, and it goes on")
        try:
            with watching(client, known, quiet=as_json) as board:
                execution = PlateExecution.of(client.wait(known))
        except KeyboardInterrupt:
            raise interrupted(f"left; execution {known} goes on") from None
        except ServerLostError as error:
            raise server_lost(client, known, place) from error
    if not as_json:
        print_summary(execution)
    return output.document(run_document(execution, board.view()), error_of(execution))


def show_logs(place: Endpoint, execution_id: str, well: str | None, *, follow: bool, as_json: bool) -> int:
    """Print the log of an execution, or of one well; with ``follow`` also what comes, until it has ended."""
    output = Output(as_json)
    with attached(place) as client:
        if client is None:
            raise nothing_there(place)
        known = full_id(client, execution_id)
        client.add_listener(PatienceTeller.on_stderr())
        events = client.events(known) if follow else client.logs(known)
        lines = []
        for line in events:
            if isinstance(line, LogLine) and well in (None, line.axis_id):
                text = format_line(line).removesuffix("\n")
                output.line(text)
                if as_json:
                    lines.append(text)
    return output.document({"execution_id": known, "lines": lines})


def show_history(place: Endpoint, limit: int, *, as_json: bool) -> int:
    """Show the executions that have ended, newest first."""
    output = Output(as_json)
    with attached(place) as client:
        if client is None:
            raise nothing_there(place)
        executions = client.history(limit)
    if not as_json:
        print_table(executions)
    return output.document({"executions": [brief(execution) for execution in executions]})


def server_lost(client: ExecutionClient, execution_id: str, place: Endpoint) -> CommandError:
    """The server ended while somebody looked, and nobody started another one."""
    resume = f"'openhcs-runtime resume {execution_id}{place.options}' goes on with it"
    what = client.standing.text or f"the server on port {client.port} ended"
    return CommandError(ErrorKind.SERVER_LOST, f"{what} during the run; {resume}", ExitCode.FAILED)
