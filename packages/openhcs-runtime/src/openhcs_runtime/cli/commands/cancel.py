"""``cancel``: stop an execution, or one well of it."""

from typing import Annotated

from openhcs_runtime.cli.declare import BadParameter, Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import ExecutionId, Host, Json, Port, checked_well, seconds

__all__ = ["cancel"]

_GRACE_SECONDS = 5.0


def cancel(
    execution_id: ExecutionId,
    well: Annotated[
        str | None,
        Option(metavar="W", callback=checked_well, help="Stop only this well, e.g. B06 [default: the whole run]"),
    ] = None,
    force: Annotated[bool, Option("--force", help="Kill its processes if it has not stopped after --grace")] = False,
    grace: Annotated[
        float | None,
        Option(parser=seconds(0), metavar="S", help="With --force: seconds to wait before killing [default: 5]"),
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Stop an execution, or one well of it. What is done is kept.

    It stops after the images that it is working on. With --force its processes are killed if that takes too long.

    \b
      openhcs-runtime cancel 4f2a91
      openhcs-runtime cancel 4f2a91 --well B06
      openhcs-runtime cancel 4f2a91 --force --grace 0
    """
    if force and well is not None:
        raise BadParameter("one well can't be killed without the others; leave out --force or --well")
    if grace is not None and not force:
        raise BadParameter("--grace says when processes are killed; add --force or leave it out")
    if force and grace is None:
        grace = _GRACE_SECONDS
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from zmqruntime.execution.cli.endpoint import attached
        from zmqruntime.execution.cli.executions import will_stop
        from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode
        from zmqruntime.execution.cli.ids import find_id
        from zmqruntime.execution.cli.output import Output
    output = Output(as_json)
    with attached(PlateEndpoint(port, host)) as client:
        reply = client.cancel(find_id(client, execution_id), well, grace)
    document = {"execution_id": reply.execution_id, "status": reply.status, "message": reply.message}
    if not will_stop(reply):
        return output.document(document, CommandError(ErrorKind.REFUSED, reply.message, ExitCode.FAILED))
    message = reply.message.replace(f"axis {well}", f"well {well}")
    output.line(f"{message[:1].upper()}{message[1:]}.")
    return output.document(document)
