"""``list`` and ``stop``: the servers on this machine, and the end of one."""

from zmqruntime.claims import remove_stale
from zmqruntime.execution.cli.discovery import FoundServer, ServerState, find_servers
from zmqruntime.execution.cli.endpoint import Endpoint, attached_or_none
from zmqruntime.execution.cli.executions import stop_server
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.text import table

__all__ = ["list_servers", "stop"]

_HEADS = ("APP", "PORT", "ADDRESS", "STATE", "PROCESS", "SERVER", "VERSION", "WORK")


def list_servers(output: Output) -> int:
    """Show the servers of this user on this machine."""
    found = find_servers()
    if not found:
        output.line("No server of yours is running on this machine.")
    else:
        for line in table(_HEADS, map(_row, found)):
            output.line(line)
    if any(entry.state is ServerState.STALE for entry in found):
        output.line(
            "stale: its server was killed; the next server there replaces the files, and 'zmqruntime stop --app APP "
            "--port PORT' removes them."
        )
    for entry in found:
        if entry.state is ServerState.SILENT:
            output.line(f"silent: {entry.trouble}.")
    return output.document({"servers": [_plain(entry) for entry in found]})


def stop(endpoint: Endpoint, output: Output) -> int:
    """End the server and wait until its process has ended."""
    with attached_or_none(endpoint) as client:
        if client is None:
            removed = endpoint.host is None and remove_stale(endpoint.config, endpoint.port)
            end = "; the files of one that was killed have been removed" if removed else ""
            output.line(f"Nothing to stop: {endpoint.absence}{end}.")
            return output.document({"port": endpoint.port, "stopped": False, "pid": None, "interrupted": []})
        stopped = stop_server(client)
    output.line(f"Stopped the server of {endpoint.app} on port {endpoint.port} (process {stopped.pid}).")
    for entry in stopped.running:
        later = "the next server goes on with it" if entry.resumable else "it will not be resumed"
        output.line(f"Interrupted {entry.execution_id}; {later}.")
    interrupted = [entry.execution_id for entry in stopped.running]
    return output.document({"port": endpoint.port, "stopped": True, "pid": stopped.pid, "interrupted": interrupted})


def _row(entry: FoundServer) -> tuple[str, ...]:
    server, work = entry.server, entry.work
    what = ("", "", "") if server is None else (str(server.pid), server.server, server.version)
    load = "" if work is None else f"{work.running} running, {work.queued} queued{', paused' if work.paused else ''}"
    return (entry.app, str(entry.port), entry.host or "local", entry.state, *what, load)


def _plain(entry: FoundServer) -> dict[str, object]:
    work = entry.work
    return {
        "app": entry.app,
        "port": entry.port,
        "host": entry.host,
        "state": entry.state,
        "trouble": entry.trouble,
        "server": entry.server,
        "running": None if work is None else work.running,
        "queued": None if work is None else work.queued,
    }
