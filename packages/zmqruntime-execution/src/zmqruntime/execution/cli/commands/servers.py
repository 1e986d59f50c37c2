"""``list`` and ``stop``: the servers of this machine, and the end of one."""

from zmqruntime.exceptions import RequestRefusedError
from zmqruntime.execution.cli.discovery import FoundServer, ServerState, find_servers, tcp_place
from zmqruntime.execution.cli.endpoint import Endpoint, attached_or_none
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.cli.text import table
from zmqruntime.execution.client.client import ExecutionClient
from zmqruntime.messages import ErrorCode, ExecutionSnapshot, ExecutionStatus

__all__ = ["list_servers", "stop"]


_HEADS = ("APP", "PORT", "ADDRESS", "STATE", "PROCESS", "SERVER", "VERSION", "WORK")


def list_servers(output: Output) -> int:
    """Show the servers of this user on this machine."""
    found = find_servers()
    if not found:
        output.line("No server of yours runs on this machine.")
    else:
        for line in table(
            ("APP", "PORT", "ADDRESS", "STATE", "PROCESS", "SERVER", "VERSION", "WORK"), map(_row, found)
        ):
            output.line(line)
    if any(entry.state is ServerState.STALE for entry in found):
        output.line("stale: its server was killed; nothing is to be done, the next one there replaces the files.")
    if any(entry.state is ServerState.SILENT for entry in found):
        output.line("silent: something listens there but does not answer as a server; 'zmqruntime doctor' says more.")
    return output.document({"servers": [_plain(entry) for entry in found]})


def stop(place: Endpoint, output: Output) -> int:
    """End the server and wait until its process has ended."""
    if place.host is None and not place.is_listening:
        place = tcp_place(place) or place
    with attached_or_none(place) as client:
        if client is None:
            output.line(f"Nothing to stop: no server of {place.app} runs on port {place.port}.")
            return output.document({"port": place.port, "stopped": False, "pid": None, "interrupted": []})
        running = _running(client)
        pid = client.server.pid
        client.shutdown_server()
    output.line(f"Stopped the server of {place.app} on port {place.port} (process {pid}).")
    for entry in running:
        later = "it waits in the queue for the next server" if entry.resumable else "it is interrupted"
        output.line(f"It was running {entry.execution_id}: {later}.")
    interrupted = [entry.execution_id for entry in running]
    return output.document({"port": place.port, "stopped": True, "pid": pid, "interrupted": interrupted})


def _running(client: ExecutionClient) -> list[ExecutionSnapshot]:
    try:
        open_ones = client.status(limit=0).executions
    except RequestRefusedError as error:
        if error.code is not ErrorCode.UNSUPPORTED:
            raise
        return []  # a server of another kind ends as well
    return [entry for entry in open_ones if entry.status is ExecutionStatus.RUNNING]


def _row(entry: FoundServer) -> tuple[str, ...]:
    server, work = entry.server, entry.work
    what = ("", "", "") if server is None else (str(server.pid), server.server, server.version)
    load = "" if work is None else f"{work.running} running, {work.queued} queued"
    address = entry.host or "local"
    return (
        entry.app,
        str(entry.port),
        address,
        entry.state,
        *what,
        load + (", paused" if work and work.paused else ""),
    )


def _plain(entry: FoundServer) -> dict[str, object]:
    work = entry.work
    return {
        "app": entry.app,
        "port": entry.port,
        "host": entry.host,
        "state": entry.state,
        "server": entry.server,
        "running": None if work is None else work.running,
        "queued": None if work is None else work.queued,
    }
