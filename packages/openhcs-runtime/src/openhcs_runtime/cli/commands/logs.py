"""``logs``: what a run has logged and printed, from disk while no server is running."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.declare import Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import ExecutionId, Host, Json, Port, checked_well

if TYPE_CHECKING:
    from zmqruntime.execution.cli.sources import Source

__all__ = ["logs"]


def logs(
    execution_id: ExecutionId,
    follow: Annotated[bool, Option("--follow", "-f", help="Keep printing until the execution has ended")] = False,
    well: Annotated[
        str | None,
        Option(metavar="W", callback=checked_well, help="Only lines of this well, e.g. B06 [default: all lines]"),
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Print what a run has logged and printed.

    While no server is running, the log is read from disk.

    \b
      openhcs-runtime logs 4f2a91
      openhcs-runtime logs -f 4f2a91
      openhcs-runtime logs 4f2a91 --well B06
    """
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from zmqruntime.execution.cli.output import Output
        from zmqruntime.execution.cli.sources import reading
    output = Output(as_json)
    with reading(PlateEndpoint(port, host)) as source:
        known = source.find_id(execution_id)
        output.note(source.note)
        lines = []
        for line in _followed(source, known, well) if follow else source.log_lines(known, well):
            output.line(line)
            if as_json:
                lines.append(line)
    return output.document({"execution_id": known, "from_disk": source.server is None, "lines": lines})


def _followed(source: "Source", execution_id: str, well: str | None) -> Iterator[str]:
    """The lines of an execution as they come; those on disk are all, since without a server no more come."""
    from zmqruntime.execution import ExecutionClient
    from zmqruntime.execution.events.log_files import format_line
    from zmqruntime.messages import LogLine

    if not isinstance(source.executions, ExecutionClient):
        yield from source.log_lines(execution_id, well)
        return
    for event in source.executions.events(execution_id):
        if isinstance(event, LogLine) and well in (None, event.axis_id):
            yield format_line(event).removesuffix("\n")
