"""``serve`` and ``stop``."""

import ipaddress
import logging

from openhcs_runtime.cli.connection import Place, attached, clear_errors, no_server
from openhcs_runtime.cli.failures import CommandError, ErrorKind
from openhcs_runtime.cli.output import Output
from openhcs_runtime.plate_tasks import OPENHCS_CONFIG
from openhcs_runtime.server import OpenHCSExecutionServer
from zmqruntime.identity import ProcessIdentity
from zmqruntime.transport import get_zmq_transport_url

__all__ = ["serve", "stop"]


def serve(place: Place, *, as_json: bool) -> int:
    """Run a server in this process until it is told to end."""
    _refuse_open_host(place)
    output = Output(as_json)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    server = OpenHCSExecutionServer(place.port, host=place.host)
    url = get_zmq_transport_url(server.port, server.host, server.transport_mode, OPENHCS_CONFIG)

    def announce() -> None:
        output.line(f"Serving on {url}, control port {server.control_port}. Ctrl-C ends it.")
        identity = ProcessIdentity.current()
        output.document({"port": server.port, "control_port": server.control_port, "url": url, "pid": identity.pid})

    with clear_errors():
        server.serve_forever(on_ready=announce)
    output.line("The server has ended.")
    return 0


def stop(place: Place, *, as_json: bool) -> int:
    """End the server and wait for that."""
    output = Output(as_json)
    with attached(place) as client:
        if client is None:
            output.line(f"Nothing to stop: {no_server(place)}.")
            return output.document({"port": place.port, "stopped": False, "pid": None, "interrupted": []})
        running = [entry for entry in client.status(limit=0).executions if entry.queue_position is None]
        pid = client.server.pid
        client.shutdown_server()
    output.line(f"Stopped the server on port {place.port} (process {pid}).")
    for entry in running:
        output.line(f"It was running {entry.execution_id} on {entry.plate_id}, which is interrupted now.")
    interrupted = [entry.execution_id for entry in running]
    return output.document({"port": place.port, "stopped": True, "pid": pid, "interrupted": interrupted})


def _refuse_open_host(place: Place) -> None:
    """Who can submit a pipeline can run code as this user."""
    if place.host is None or place.host == "localhost":
        return
    try:
        is_open = not ipaddress.ip_address(place.host).is_loopback
    except ValueError:
        is_open = True
    if is_open:
        raise CommandError(
            ErrorKind.CONFIGURATION,
            f"--host {place.host} would let everyone who reaches it run code as you; use --host 127.0.0.1, "
            "and an SSH tunnel from other machines",
        )
