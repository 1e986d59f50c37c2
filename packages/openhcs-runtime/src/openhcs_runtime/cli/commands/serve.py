"""``serve``: a server in this terminal."""

import ipaddress
import logging
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.declare import Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, Port

if TYPE_CHECKING:
    from openhcs_runtime.cli.endpoint import PlateEndpoint
    from zmqruntime.execution.cli.output import Output

__all__ = ["serve"]


def serve(
    port: Port = 7777,
    host: Annotated[
        str | None,
        Option(metavar="H", help="Listen on TCP at this address, e.g. 127.0.0.1 [default: this user's socket file]"),
    ] = None,
    as_json: Json = False,
) -> int:
    """Run a server in this terminal until Ctrl-C, instead of one in the background.

    \b
      openhcs-runtime serve
      openhcs-runtime serve --port 7800 --host 127.0.0.1
      openhcs-runtime serve --host 0.0.0.0

    With --host 0.0.0.0, or an address of this machine, other machines can reach it. Everything is encrypted, and a
    client whose key is not known here gets no answer. The command prints what to type on both machines to exchange
    keys.
    """
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from openhcs_runtime.service.server import OpenHCSExecutionServer
        from zmqruntime.execution.cli.endpoint import clear_errors
        from zmqruntime.execution.cli.output import Output
        from zmqruntime.identity import ProcessIdentity
        from zmqruntime.transport import get_zmq_transport_url
    endpoint, output = PlateEndpoint(port, host), Output(as_json)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    server = OpenHCSExecutionServer(port, host=host)
    url = get_zmq_transport_url(server.port, server.host, server.transport_mode, server.config)

    def announce() -> None:
        output.line(f"Serving on {url}, control port {server.control_port}. Ctrl-C stops it.")
        keys = _tell_keys(endpoint, output)
        pid = ProcessIdentity.current().pid
        output.document({"port": server.port, "control_port": server.control_port, "url": url, "pid": pid, **keys})

    with clear_errors(endpoint):
        server.serve_forever(on_ready=announce)
    output.line("The server has ended.")
    return 0


def _tell_keys(endpoint: "PlateEndpoint", output: "Output") -> dict[str, object]:
    """How clients on other machines get to talk to this server; nothing if it listens to this machine only."""
    from zmqruntime.security import KeyStore

    if not _is_open(endpoint.host):
        return {}
    store, app = KeyStore(endpoint.config), endpoint.app
    key, admitted = store.server().public.decode(), sorted(store.admitted())
    host = endpoint.host if _names_machine(endpoint.host) else "HOST"
    there = type(endpoint)(endpoint.port, host)
    output.line(f"It answers clients on other machines whose key is known here; so far: {_listed(admitted)}.")
    output.line("To let in another one, type once")
    output.line(f"  there  zmqruntime keys trust --app {app} -- {host} '{key}'")
    output.line(f"  there  zmqruntime keys show --app {app}")
    output.line(f"  here   zmqruntime keys admit --app {app} -- NAME 'KEY'")
    output.line("where NAME is a name for that machine, and KEY the client key that it shows.")
    if host == "HOST":
        output.line(f"HOST is how it reaches this machine, such as {socket.gethostname()} or an address.")
    output.line(f"Then 'openhcs-runtime status{there.options}' on that machine shows this server.")
    return {"server_key": key, "admitted": admitted}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _is_open(host: str | None) -> bool:
    """Whether other machines can reach it."""
    if host is None or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _names_machine(host: str | None) -> bool:
    """Whether clients elsewhere reach it by the name that it listens on, which 0.0.0.0 is not."""
    return host not in ("0.0.0.0", "::", "*")
