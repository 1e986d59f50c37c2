"""The server of plates that a command speaks of, and starting it where it is not running."""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.config import TransportMode
from zmqruntime.exceptions import PortInUseError, ServerSilentError, ServerStartError
from zmqruntime.execution.cli.endpoint import Endpoint, clear_errors, unanswered
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode, interrupted
from zmqruntime.transport import is_listening

if TYPE_CHECKING:  # what speaks to servers is imported when there is one, or is to be one
    from openhcs_runtime.service.client import ZMQExecutionClient
    from zmqruntime.execution import ExecutionClient

__all__ = ["PlateEndpoint", "connected", "server_lost"]


@dataclass(frozen=True, slots=True)
class PlateEndpoint(Endpoint):
    """Where the server is: its port, and a host if it listens on TCP."""

    app: str = OPENHCS_CONFIG.app_name

    program: ClassVar[str] = "openhcs-runtime"
    usual_app: ClassVar[str] = OPENHCS_CONFIG.app_name
    connect_seconds: ClassVar[float] = 20.0

    @property
    def remedy(self) -> str:
        """What starts a server."""
        if self.is_local:
            return "'openhcs-runtime run PLATE' starts one"
        return "'openhcs-runtime serve --host 0.0.0.0' there starts one"


@contextlib.contextmanager
def connected(endpoint: PlateEndpoint) -> "Iterator[ZMQExecutionClient]":
    """A client of the server that is running, or of a new one that goes on without us.

    Raises:
        CommandError: what goes wrong, also in the block; Ctrl-C while the server starts.
    """
    from openhcs_runtime.service.client import ZMQExecutionClient  # noqa: PLC0415

    client = ZMQExecutionClient(endpoint.port, persistent=True, host=endpoint.host, config=endpoint.config)
    with clear_errors(endpoint):
        try:
            _connect_patiently(client, endpoint)
            yield client
        except ServerStartError as error:
            raise _start_error(error, client) from error
        finally:
            client.disconnect()


def server_lost(client: "ExecutionClient", execution_id: str, endpoint: Endpoint) -> CommandError:
    """The server ended during a run, and no other one was started."""
    log = client.config.server_dir(client.port) / "server.log"
    what = client.standing.text or f"the server on port {client.port} ended"
    return CommandError(
        ErrorKind.SERVER_LOST,
        f"{what} during the run, and no other one took its place; wells that were done are kept, and "
        f"'openhcs-runtime resume {execution_id}{endpoint.options}' goes on with it; the server's log is {log}",
        ExitCode.FAILED,
    )


def _connect_patiently(client: "ZMQExecutionClient", endpoint: PlateEndpoint) -> None:
    """A server that is busy or stopped is waited for, as it is once something was submitted."""
    begin = time.monotonic()
    while True:
        try:
            client.connect(endpoint.connect_seconds)
            return
        except ServerSilentError:
            seconds = time.monotonic() - begin
            text = f"No answer for {seconds:.0f} s from the server on port {client.port}, still waiting"
            print(text, file=sys.stderr, flush=True)
        except PortInUseError as error:
            raise unanswered(endpoint, error) from error
        except KeyboardInterrupt as error:
            message = f"left at once; if a server was starting, 'openhcs-runtime stop{endpoint.options}' stops it"
            raise interrupted(message) from error


def _start_error(error: ServerStartError, client: "ZMQExecutionClient") -> CommandError:
    """A server that ends at once most often found the port taken."""
    reason = next(iter(reversed(error.log_tail.splitlines())), "")
    if client.transport_mode is TransportMode.TCP and _is_taken(client):
        return CommandError(ErrorKind.PORT_IN_USE, reason or str(error))
    message = str(error).partition("\n")[0]
    return CommandError(ErrorKind.SERVER_START, f"{message}: {reason}" if reason else message, ExitCode.FAILED)


def _is_taken(client: "ZMQExecutionClient") -> bool:
    ports = (client.port, client.control_port)
    return any(is_listening(port, client.host, client.transport_mode, client.config) for port in ports)
