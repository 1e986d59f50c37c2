"""The servers of this user on this machine: found by their socket and lock files, and asked who they are."""

import enum
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zmqruntime.claims import find_claims
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import RequestRefusedError, ZMQRuntimeError
from zmqruntime.execution.cli.endpoint import Endpoint
from zmqruntime.transport import LOOPBACK, is_listening

if TYPE_CHECKING:
    from zmqruntime.messages import PongResponse, StatusResponse

__all__ = ["FoundServer", "ServerState", "data_ports", "find_servers", "only_port"]

_PING_SECONDS = 1.0
_AT_ONCE = 8
_DEFAULT = ZMQConfig()
_SOCKET_NAME = re.compile(
    re.escape(_DEFAULT.ipc_socket_prefix) + r"-([1-9][0-9]{0,4})" + re.escape(_DEFAULT.ipc_socket_extension)
)


class ServerState(enum.StrEnum):
    """What is behind socket files."""

    RUNNING = "running"
    """A server answers."""
    SILENT = "silent"
    """Something listens and does not answer now; ``FoundServer.trouble`` says what is known of it."""
    STALE = "stale"
    """Nothing listens: its server was killed. The next one on that port replaces the files."""


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server, or what is left of one. ``work`` is None if it is not one that runs executions."""

    app: str
    port: int
    state: ServerState
    server: "PongResponse | None" = None
    work: "StatusResponse | None" = None
    host: str | None = None
    """Where it listens, if that is TCP."""
    control_port_offset: int = _DEFAULT.control_port_offset
    trouble: str = ""
    """Why it does not answer, in words for a user; empty if it does."""


def find_servers() -> list[FoundServer]:
    """All servers of ``~/.<app>/ipc``, of every application, with what socket files are left of others.

    Those on TCP are known by their lock files. Nothing is changed or removed.
    """
    endpoints: list[Endpoint] = []
    for folder in sorted(Path.home().glob(f".*/{_DEFAULT.ipc_socket_dir}")):
        app = folder.parent.name.removeprefix(".")
        endpoints += [Endpoint(port, app=app) for port in data_ports(folder)]
        on_tcp = (claim for claim in find_claims(folder) if claim.host is not None)
        endpoints += [Endpoint(claim.port, app=app).at_claim(claim) for claim in on_tcp]
    import concurrent.futures  # noqa: PLC0415 - for commands that look for all servers

    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(_ask, endpoints))


def only_port(app: str) -> int:
    """Return the data port of a command without a port.

    It is the port of the application's only listening server, or else of the only server that has left executions
    here; the default port if there is none, or more than one.
    """
    config = ZMQConfig(app_name=app)
    known = [_port_of_data(path) for path in config.data_dir.glob("server-*/executions.sqlite")]
    listening = [port for port in known if _listens(port, config)]
    for ports in (listening, [port for port in known if port]):
        if config.default_port in ports:
            return config.default_port
        if len(ports) == 1:
            return ports[0]
        if ports:
            break
    return config.default_port


def _port_of_data(database: Path) -> int:
    number = database.parent.name.removeprefix("server-")
    return int(number) if number.isascii() and number.isdigit() else 0


def _listens(port: int, config: ZMQConfig) -> bool:
    return 0 < port < 65536 - config.control_port_offset and is_listening(
        port + config.control_port_offset, LOOPBACK, TransportMode.IPC, config
    )


def data_ports(folder: Path) -> list[int]:
    """The data ports of the servers whose socket files are there; one may have only one of its two files left."""
    matches = [_SOCKET_NAME.fullmatch(path.name) for path in _sockets(folder)]
    ports = sorted(int(match[1]) for match in matches if match)
    offset = _DEFAULT.control_port_offset
    found: list[int] = []
    for port in ports:
        if port - offset not in found:
            found.append(port)
    return found


def _sockets(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_socket()]
    except OSError:
        return []


def _ask(endpoint: Endpoint) -> FoundServer:
    app, port, host, config = endpoint.app, endpoint.port, endpoint.host, endpoint.config
    mode = TransportMode.IPC if host is None else TransportMode.TCP
    offset = config.control_port_offset
    ports = (port, port + offset)
    if not any(is_listening(each, host or LOOPBACK, mode, config) for each in ports):
        return FoundServer(app, port, ServerState.STALE, host=host, control_port_offset=offset)
    from zmqruntime.execution.client.control import ExecutionControlClient  # noqa: PLC0415

    client = ExecutionControlClient(port, host=host, config=config)
    try:
        server = client.connect(_PING_SECONDS)
        work = client.status(0, _PING_SECONDS)
        return FoundServer(app, port, ServerState.RUNNING, server, work, host, offset)
    except RequestRefusedError:
        return FoundServer(app, port, ServerState.RUNNING, client.server, None, host, offset)
    except ZMQRuntimeError as error:
        return FoundServer(app, port, ServerState.SILENT, None, None, host, offset, str(error))
    finally:
        client.disconnect()
