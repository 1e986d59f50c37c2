"""``serve`` and ``stop``: a server in this terminal, and the end of any."""

import ipaddress
import logging
import socket
from collections.abc import Sequence
from typing import Any

from openhcs_runtime.cli.connection import Endpoint, attached, clear_errors, no_server
from openhcs_runtime.cli.output import Output
from openhcs_runtime.service.server import OpenHCSExecutionServer
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.identity import ProcessIdentity
from zmqruntime.security import KeyStore
from zmqruntime.transport import get_zmq_transport_url

__all__ = ["serve", "stop"]


def serve(place: Endpoint, *, as_json: bool) -> int:
    """Run a server in this process until it is told to end."""
    output = Output(as_json)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    server = OpenHCSExecutionServer(place.port, host=place.host)
    url = get_zmq_transport_url(server.port, server.host, server.transport_mode, OPENHCS_CONFIG)

    def announce() -> None:
        output.line(f"Serving on {url}, control port {server.control_port}. Ctrl-C ends it.")
        identity = ProcessIdentity.current()
        keys = _tell_keys(place, output)
        document = {"port": server.port, "control_port": server.control_port, "url": url, "pid": identity.pid}
        output.document({**document, **keys})

    with clear_errors():
        server.serve_forever(on_ready=announce)
    output.line("The server has ended.")
    return 0


def stop(place: Endpoint, *, as_json: bool) -> int:
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


def _tell_keys(place: Endpoint, output: Output) -> dict[str, Any]:
    """How clients on other machines come to talk to this server; nothing where it listens to this machine only."""
    if not _is_open(place):
        return {}
    store, app = KeyStore(OPENHCS_CONFIG), OPENHCS_CONFIG.app_name
    key, admitted = store.server().public.decode(), sorted(store.admitted())
    host = place.host if _names_machine(place) else "HOST"
    there = Endpoint(place.port, host)
    output.line(f"Clients on other machines are answered if their key is known here; so far: {_listed(admitted)}.")
    output.line("To let another one in, type once")
    output.line(f"  there  zmqruntime keys trust --app {app} -- {host} '{key}'")
    output.line(f"  there  zmqruntime keys show --app {app}")
    output.line(f"  here   zmqruntime keys admit --app {app} -- NAME 'KEY'")
    output.line("NAME is what you call it, KEY the client key that it shows.")
    if host == "HOST":
        output.line(f"HOST is how it reaches this machine, such as {socket.gethostname()} or an address.")
    output.line(f"Then 'openhcs-runtime status{there.options}' there shows this server.")
    return {"server_key": key, "admitted": admitted}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _is_open(place: Endpoint) -> bool:
    """Whether other machines can reach it."""
    if place.host is None or place.host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(place.host).is_loopback
    except ValueError:
        return True


def _names_machine(place: Endpoint) -> bool:
    """Whether clients elsewhere reach it by the name that it listens on, which 0.0.0.0 is not."""
    return place.host not in ("0.0.0.0", "::", "*")
