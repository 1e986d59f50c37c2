"""``status`` and ``cancel``: what the server runs, and how to stop one of its executions."""

from typing import Any

import msgspec

from openhcs_runtime.cli.connection import Endpoint, attached, full_id, no_server
from openhcs_runtime.cli.executions_view import print_execution, print_executions
from openhcs_runtime.cli.failures import CommandError, ErrorKind, ExitCode
from openhcs_runtime.cli.output import Output
from openhcs_runtime.components import well_name, well_position
from openhcs_runtime.service.client import PlateExecution
from zmqruntime.messages import CancelResponse, ExecutionSnapshot, ExecutionStatus

__all__ = ["brief", "cancel", "nothing_there", "show_status"]

_SHOWN_EXECUTIONS = 20


def show_status(place: Endpoint, execution_id: str | None, *, as_json: bool) -> int:
    """Show all executions, or one."""
    output = Output(as_json)
    with attached(place) as client:
        if client is None:
            if execution_id is not None:
                raise nothing_there(place)
            start = "'openhcs-runtime run PLATE'" if place.is_local else "'openhcs-runtime serve --host 0.0.0.0' there"
            output.line(f"N{no_server(place)[1:]}; {start} starts one.")
            return output.document({"server": None, "executions": []})
        server = msgspec.to_builtins(client.server)
        if execution_id is not None:
            execution = client.poll_status(full_id(client, execution_id))
            if not as_json:
                print_execution(PlateExecution.of(execution))
            return output.document({"server": server, "execution": msgspec.to_builtins(execution)})
        report = client.status(limit=_SHOWN_EXECUTIONS)
        if not as_json:
            print_executions(client.server, report)
        return output.document({"server": server, "executions": [brief(entry) for entry in report.executions]})


def cancel(place: Endpoint, execution_id: str, well: str | None, grace: float | None, *, as_json: bool) -> int:
    """Ask an execution, or a well of it, to stop; after ``grace`` seconds its processes are killed."""
    output, axis_id = Output(as_json), _axis_of(well) if well else None
    with attached(place) as client:
        if client is None:
            raise nothing_there(place)
        reply = client.cancel(full_id(client, execution_id), axis_id, grace)
    document = {"execution_id": reply.execution_id, "status": reply.status, "message": reply.message}
    if not _will_stop(reply):
        return output.document(document, CommandError(ErrorKind.REFUSED, reply.message, ExitCode.FAILED))
    told = reply.message.replace(f"axis {axis_id}", f"well {axis_id}")
    output.line(f"{told[:1].upper()}{told[1:]}.")
    return output.document(document)


def _axis_of(well: str) -> str:
    """The name of a well as runs use it: b6 is B06."""
    try:
        return well_name(*well_position(well))
    except ValueError as error:
        raise CommandError(ErrorKind.USAGE, str(error)) from error


def brief(execution: ExecutionSnapshot) -> dict[str, Any]:
    """Without what can be long: one execution by itself has it."""
    return {
        name: value for name, value in msgspec.to_builtins(execution).items() if name not in ("result", "traceback")
    }


def _will_stop(reply: CancelResponse) -> bool:
    return reply.status == "ok" or reply.execution_status is ExecutionStatus.CANCELLED


def nothing_there(place: Endpoint) -> CommandError:
    """No server, so nothing of what was asked for."""
    return CommandError(ErrorKind.NO_SERVER, f"{no_server(place)}, so it has no executions", ExitCode.FAILED)
