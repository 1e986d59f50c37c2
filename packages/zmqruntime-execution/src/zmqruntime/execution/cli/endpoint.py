"""Which server a command speaks of, how it is reached, and the errors of that in words for a user."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    PortInUseError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
    ServerSilentError,
    ZMQRuntimeError,
)
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode
from zmqruntime.execution.client.client import ExecutionClient
from zmqruntime.execution.helpers.patience import PatienceTeller
from zmqruntime.messages import ErrorCode
from zmqruntime.transport import LOOPBACK, is_known_host, is_listening

__all__ = ["Endpoint", "attached", "attached_or_none", "no_server"]

_CONNECT_SECONDS = 10.0
_SUCCESSOR_SECONDS = 10.0

_KINDS: tuple[tuple[type[ZMQRuntimeError], ErrorKind, ExitCode], ...] = (
    (PortInUseError, ErrorKind.PORT_IN_USE, ExitCode.USAGE),
    (ServerSilentError, ErrorKind.TIMEOUT, ExitCode.FAILED),
    (ConfigurationError, ErrorKind.CONFIGURATION, ExitCode.USAGE),
    (ConnectionFailedError, ErrorKind.NO_SERVER, ExitCode.FAILED),
    (RequestTimeoutError, ErrorKind.TIMEOUT, ExitCode.FAILED),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is: the application that it belongs to, its data port, and a host when it listens on TCP."""

    app: str
    port: int
    host: str | None = None
    control_port_offset: int = ZMQConfig().control_port_offset

    @property
    def config(self) -> ZMQConfig:
        """The settings of the application."""
        return ZMQConfig(
            app_name=self.app, control_port_offset=self.control_port_offset, successor_window=_SUCCESSOR_SECONDS
        )

    @property
    def is_listening(self) -> bool:
        """Whether anything listens on its socket file."""
        port = self.port + self.control_port_offset
        return is_listening(port, LOOPBACK, TransportMode.IPC, self.config)

    @property
    def options(self) -> str:
        """How the place is written on a command line, with a blank before it; empty for the default."""
        default = ZMQConfig()
        app = f" --app {self.app}" if self.app != default.app_name else ""
        port = f" --port {self.port}" if self.port != default.default_port else ""
        return app + port + (f" --host {self.host}" if self.host else "")

    def client(self) -> ExecutionClient:
        """A client that never starts a server, not connected yet."""
        return ExecutionClient(self.port, host=self.host, config=self.config)


@contextlib.contextmanager
def attached(place: Endpoint) -> Iterator[ExecutionClient]:
    """A client of the server that runs there.

    Raises:
        CommandError: there is none; or what goes wrong in the block.
    """
    with attached_or_none(place) as client:
        if client is None:
            raise no_server(place)
        yield client


@contextlib.contextmanager
def attached_or_none(place: Endpoint) -> Iterator[ExecutionClient | None]:
    """A client of the server that runs there, None when none does.

    Raises:
        CommandError: what goes wrong, also in the block.
    """
    with _clear_errors(place):
        client = place.client()
        teller = PatienceTeller.on_stderr()
        # Nobody waits for the server that a command has just stopped.
        client.add_listener(lambda standing: teller(standing) if client.wants_successor() else None)
        try:
            yield client if _connect(client, place) else None
        finally:
            client.disconnect()


def no_server(place: Endpoint) -> CommandError:
    """Nothing listens there."""
    where = f"port {place.port}" + (f" of {place.host}" if place.host else "")
    message = f"no server of {place.app} runs on {where}; 'zmqruntime list' shows those of this machine"
    return CommandError(ErrorKind.NO_SERVER, message, ExitCode.FAILED)


def _connect(client: ExecutionClient, place: Endpoint) -> bool:
    try:
        client.connect(_CONNECT_SECONDS)
    except (PortInUseError, ServerSilentError):
        raise
    except ConnectionFailedError:
        if place.host is not None and not is_known_host(place.host):
            raise
        return False
    return True


@contextlib.contextmanager
def _clear_errors(place: Endpoint) -> Iterator[None]:
    """Turn what the layers below raise into a CommandError."""
    try:
        yield
    except RequestRefusedError as error:
        raise _refusal(error, place) from error
    except ServerLostError as error:
        message = f"the server of {place.app} on port {place.port} has ended; the next one there knows all"
        raise CommandError(ErrorKind.SERVER_LOST, message, ExitCode.FAILED) from error
    except ZMQRuntimeError as error:
        entries = ((kind, code) for known_type, kind, code in _KINDS if isinstance(error, known_type))
        kind, code = next(entries, (ErrorKind.REFUSED, ExitCode.FAILED))
        raise CommandError(kind, str(error), code) from error


def _refusal(error: RequestRefusedError, place: Endpoint) -> CommandError:
    match error.code:
        case ErrorCode.NOT_FOUND:
            hint = f"'zmqruntime status{place.options}' and 'history' list what it has"
            return CommandError(ErrorKind.NOT_FOUND, f"{error}; {hint}")
        case ErrorCode.UNSUPPORTED:
            message = f"{error}: it runs no executions; 'zmqruntime list' shows the servers of this machine"
            return CommandError(ErrorKind.REFUSED, message)
        case _:
            return CommandError(ErrorKind.REFUSED, str(error), ExitCode.FAILED)
