"""Which server a command speaks of, how it is reached, and the errors of that in words for a user."""

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from zmqruntime.claims import Claim, find_claims
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    KeyMismatchError,
    OutdatedServerError,
    PortInUseError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
    ServerSilentError,
    WrongServerError,
    ZMQRuntimeError,
)
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode
from zmqruntime.transport import LOOPBACK, is_known_host, is_listening

if TYPE_CHECKING:  # what speaks to servers is imported when there is one
    from zmqruntime.control_client import ControlClient
    from zmqruntime.execution.client.client import ExecutionClient
    from zmqruntime.messages import PongResponse

__all__ = [
    "Endpoint",
    "attached",
    "attached_or_none",
    "clear_errors",
    "command_error",
    "no_server",
    "running_server",
    "unanswered",
]

_DEFAULT = ZMQConfig()
_SUCCESSOR_SECONDS = 10.0

_KINDS: tuple[tuple[type[ZMQRuntimeError], ErrorKind, ExitCode], ...] = (
    (KeyMismatchError, ErrorKind.REFUSED, ExitCode.FAILED),
    (PortInUseError, ErrorKind.PORT_IN_USE, ExitCode.USAGE),
    (ConfigurationError, ErrorKind.CONFIGURATION, ExitCode.USAGE),
    (ServerSilentError, ErrorKind.TIMEOUT, ExitCode.FAILED),
    (OutdatedServerError, ErrorKind.REFUSED, ExitCode.FAILED),
    (WrongServerError, ErrorKind.PORT_IN_USE, ExitCode.USAGE),
    (ConnectionFailedError, ErrorKind.NO_SERVER, ExitCode.FAILED),
    (RequestTimeoutError, ErrorKind.TIMEOUT, ExitCode.FAILED),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is.

    Attributes:
        port: its data port.
        host: where it listens, if that is TCP.
        app: the application that it belongs to.
        control_port_offset: its control port is the data port plus this.
    """

    port: int
    host: str | None = None
    app: str = _DEFAULT.app_name
    control_port_offset: int = _DEFAULT.control_port_offset

    program: ClassVar[str] = "zmqruntime"
    """The command that speaks of it, for what an error suggests to type."""
    usual_app: ClassVar[str] = _DEFAULT.app_name
    """The application that the command means when none is named."""
    connect_seconds: ClassVar[float] = 10.0

    @property
    def config(self) -> ZMQConfig:
        """The settings of the application."""
        return ZMQConfig(
            app_name=self.app, control_port_offset=self.control_port_offset, successor_window=_SUCCESSOR_SECONDS
        )

    @property
    def is_local(self) -> bool:
        """Whether paths mean the same there as here."""
        return self.host in (None, "localhost", LOOPBACK, "::1")

    @property
    def is_listening(self) -> bool:
        """Whether anything listens on its socket file."""
        port = self.port + self.control_port_offset
        return is_listening(port, LOOPBACK, TransportMode.IPC, self.config)

    @property
    def options(self) -> str:
        """How it is written on a command line, with a blank before it; empty for the default."""
        app = f" --app {self.app}" if self.app != self.usual_app else ""
        port = f" --port {self.port}" if self.port != _DEFAULT.default_port else ""
        return app + port + (f" --host {self.host}" if self.host else "")

    @property
    def where(self) -> str:
        """``port 7777``, of a host elsewhere with its name."""
        return f"port {self.port}" + (f" of {self.host}" if self.host else "")

    @property
    def absence(self) -> str:
        """The words for no server there, without a full stop."""
        of_app = f" of {self.app}" if self.app != self.usual_app else ""
        return f"no server{of_app} is running on {self.where}"

    @property
    def remedy(self) -> str:
        """What to do where no server is running."""
        return "'zmqruntime list' shows the servers on this machine"

    def client(self) -> "ExecutionClient":
        """A client that never starts a server, not connected yet."""
        from zmqruntime.execution.client.client import ExecutionClient  # noqa: PLC0415

        return ExecutionClient(self.port, host=self.host, config=self.config)

    def at_claim(self, claim: Claim) -> Self:
        """The same for a server on this machine whose lock file was found."""
        everywhere = {"0.0.0.0": LOOPBACK, "::": "::1"}
        host = None if claim.host is None else everywhere.get(claim.host, claim.host)
        return dataclasses.replace(self, port=claim.port, host=host, control_port_offset=claim.control_port_offset)

    def on_this_machine(self) -> Self:
        """The same server, also where it listens on TCP and no host was named."""
        if self.host is not None or self.is_listening:
            return self
        claims = find_claims(self.config.home / self.config.ipc_socket_dir)
        on_tcp = (claim for claim in claims if claim.port == self.port and claim.host is not None)
        claim = next(on_tcp, None)
        return self if claim is None else self.at_claim(claim)


@contextlib.contextmanager
def attached(endpoint: Endpoint, *, tells_patience: bool = True) -> "Iterator[ExecutionClient]":
    """A client of the server that is running there.

    Args:
        endpoint: where.
        tells_patience: whether to say on standard error that the server does not answer.

    Raises:
        CommandError: none is running there, or what goes wrong, also in the block.
    """
    with attached_or_none(endpoint, tells_patience=tells_patience) as client:
        if client is None:
            raise no_server(endpoint)
        yield client


@contextlib.contextmanager
def attached_or_none(endpoint: Endpoint, *, tells_patience: bool = True) -> "Iterator[ExecutionClient | None]":
    """The same, but None where no server is running. Raises CommandError for what goes wrong, also in the block."""
    with clear_errors(endpoint):
        found = endpoint.on_this_machine()
        if found.host is None and not found.is_listening:
            yield None
            return
        client = found.client()
        if tells_patience:
            _tell_patience(client)
        try:
            yield client if _connect(client, found) else None
        finally:
            client.disconnect()


def running_server(endpoint: Endpoint) -> "PongResponse | None":
    """Ping the server there, without opening its data channel.

    Returns:
        The identity of the server; None if none is running.

    Raises:
        CommandError: the server does not answer, or another program does.
    """
    with clear_errors(endpoint):
        found = endpoint.on_this_machine()
        from zmqruntime.control_client import ControlClient  # noqa: PLC0415

        client = ControlClient(found.port, host=found.host, config=found.config)
        _tell_patience(client)
        try:
            return client.server if _connect(client, found) else None
        finally:
            client.disconnect()


def no_server(endpoint: Endpoint) -> CommandError:
    """Nothing listens there."""
    return CommandError(ErrorKind.NO_SERVER, f"{endpoint.absence}; {endpoint.remedy}", ExitCode.FAILED)


def unanswered(endpoint: Endpoint, error: PortInUseError) -> Exception:
    """Something listens on another machine that does not answer: most often it does not know our key."""
    if endpoint.is_local or isinstance(error, KeyMismatchError):
        return error
    from zmqruntime.security import KeyStore  # noqa: PLC0415

    app, key = endpoint.app, KeyStore(endpoint.config).client().public.decode()
    return CommandError(
        ErrorKind.REFUSED,
        f"what listens on {endpoint.where} does not answer; if it is a server of {app}, then",
        ExitCode.FAILED,
        [
            f"it may not know our key; type there: zmqruntime keys admit --app {app} -- NAME '{key}'",
            f"or its key is not the one that is known here; compare the two that "
            f"'zmqruntime keys show --app {app}' shows there and here",
        ],
    )


@contextlib.contextmanager
def clear_errors(endpoint: Endpoint) -> Iterator[None]:
    """Turn what the layers below raise into a CommandError."""
    try:
        yield
    except RequestRefusedError as error:
        raise _refusal(error, endpoint) from error
    except ServerLostError as error:
        message = (
            f"the server on {endpoint.where} ended or stopped responding; a new one there will have all executions"
        )
        raise CommandError(ErrorKind.SERVER_LOST, message, ExitCode.FAILED) from error
    except ZMQRuntimeError as error:
        raise command_error(error) from error


def command_error(error: ZMQRuntimeError) -> CommandError:
    """What a command says of an error of the layers below, where no more is known about it."""
    entries = ((kind, code) for known_type, kind, code in _KINDS if isinstance(error, known_type))
    kind, code = next(entries, (ErrorKind.REFUSED, ExitCode.FAILED))
    return CommandError(kind, str(error), code)


def _tell_patience(client: "ControlClient") -> None:
    from zmqruntime.execution.helpers.patience import PatienceTeller  # noqa: PLC0415

    teller = PatienceTeller.on_stderr()
    # Nobody waits for the server that a command has just stopped.
    client.add_listener(lambda standing: teller(standing) if client.wants_successor() else None)


def _connect(client: "ControlClient", endpoint: Endpoint) -> bool:
    try:
        client.connect(endpoint.connect_seconds)
    except PortInUseError as error:
        raise unanswered(endpoint, error) from error
    except ServerSilentError:
        raise
    except ConnectionFailedError:
        if endpoint.host is not None and not is_known_host(endpoint.host):
            raise
        return False
    return True


def _refusal(error: RequestRefusedError, endpoint: Endpoint) -> CommandError:
    from zmqruntime.messages import ErrorCode  # noqa: PLC0415

    match error.code:
        case ErrorCode.NOT_FOUND:
            hint = f"'{endpoint.program} status{endpoint.options}' and 'history' list what there is"
            return CommandError(ErrorKind.NOT_FOUND, f"{error}; {hint}")
        case ErrorCode.UNSUPPORTED:
            message = f"{error}: it does not run executions; 'zmqruntime list' shows the servers on this machine"
            return CommandError(ErrorKind.REFUSED, message)
        case _:
            return CommandError(ErrorKind.REFUSED, str(error), ExitCode.FAILED)
