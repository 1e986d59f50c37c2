"""Reaching a server from a command, and the errors of that in words for a user."""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from openhcs_runtime.cli.failures import CommandError, ErrorKind, ExitCode, interrupted
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.client import ZMQClient
from zmqruntime.config import TransportMode
from zmqruntime.exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    OutdatedServerError,
    PortInUseError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
    ServerSilentError,
    ServerStartError,
    WrongServerError,
    ZMQRuntimeError,
)
from zmqruntime.execution import ExecutionClient
from zmqruntime.messages import ErrorCode
from zmqruntime.security import KeyStore
from zmqruntime.transport import is_known_host, is_listening

__all__ = ["Endpoint", "attached", "clear_errors", "connected", "full_id", "no_server"]

_CONNECT_SECONDS = 20.0
_CONFIG = dataclasses.replace(OPENHCS_CONFIG, successor_window=10.0)
_ID_LENGTH = 32

_KINDS: tuple[tuple[type[ZMQRuntimeError], ErrorKind, ExitCode], ...] = (
    (PortInUseError, ErrorKind.PORT_IN_USE, ExitCode.USAGE),
    (ConfigurationError, ErrorKind.CONFIGURATION, ExitCode.USAGE),
    (ServerSilentError, ErrorKind.TIMEOUT, ExitCode.FAILED),
    (OutdatedServerError, ErrorKind.REFUSED, ExitCode.FAILED),
    (WrongServerError, ErrorKind.PORT_IN_USE, ExitCode.USAGE),
    (ServerLostError, ErrorKind.SERVER_LOST, ExitCode.FAILED),
    (ConnectionFailedError, ErrorKind.NO_SERVER, ExitCode.FAILED),
    (RequestTimeoutError, ErrorKind.TIMEOUT, ExitCode.FAILED),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server is: its port, and a host when it listens on TCP."""

    port: int
    host: str | None

    @property
    def options(self) -> str:
        """How the place is written on a command line, with a blank before it; empty for the default."""
        port = f" --port {self.port}" if self.port != OPENHCS_CONFIG.default_port else ""
        return port + (f" --host {self.host}" if self.host else "")

    @property
    def is_local(self) -> bool:
        """Whether paths mean the same there as here."""
        return self.host in (None, "localhost", "127.0.0.1", "::1")


@contextlib.contextmanager
def attached(place: Endpoint) -> Iterator[ExecutionClient | None]:
    """A client of the server that runs, None when none does; never starts one."""
    client = ExecutionClient(place.port, host=place.host, config=_CONFIG)
    with clear_errors(client), contextlib.closing(_Closing(client)):
        try:
            client.connect(_CONNECT_SECONDS)
        except PortInUseError as error:
            raise _unanswered(place, error) from error
        except ServerSilentError:
            raise
        except ConnectionFailedError:
            if place.host is not None and not is_known_host(place.host):
                raise
            yield None
            return
        yield client


@contextlib.contextmanager
def connected(place: Endpoint) -> Iterator[ZMQExecutionClient]:
    """A client of the server that runs, or of a new one that goes on without us."""
    client = ZMQExecutionClient(place.port, persistent=True, host=place.host, config=_CONFIG)
    with clear_errors(client), contextlib.closing(_Closing(client)):
        try:
            _connect_patiently(client)
        except KeyboardInterrupt as error:
            what = f"left at once; if a server was starting, 'openhcs-runtime stop{place.options}' ends it"
            raise interrupted(what) from error
        except PortInUseError as error:
            raise _unanswered(place, error) from error
        yield client


def full_id(client: ExecutionClient, given: str) -> str:
    """The id that begins with what was typed; what fits none goes to the server, which then says so."""
    if len(given) >= _ID_LENGTH:
        return given
    found = client.find(given)
    if len(found.execution_ids) > 1:
        number = f"more than {len(found.execution_ids)}" if found.more else len(found.execution_ids)
        raise CommandError(ErrorKind.NOT_FOUND, f"{number} executions begin with {given}: type more of the id")
    return found.execution_ids[0] if found.execution_ids else given


def _connect_patiently(client: ZMQExecutionClient) -> None:
    """A server that is busy or stopped is waited for, as it is once something was submitted."""
    begin = time.monotonic()
    while True:
        try:
            client.connect(_CONNECT_SECONDS)
            return
        except ServerSilentError:
            seconds = time.monotonic() - begin
            text = f"No answer for {seconds:.0f} s from the server on port {client.port}, still waiting"
            print(text, file=sys.stderr, flush=True)


class _Closing:
    def __init__(self, client: ZMQClient) -> None:
        self.close = client.disconnect


def no_server(place: Endpoint) -> str:
    """The words for it."""
    return f"no server runs on port {place.port}" + (f" of {place.host}" if place.host else "")


def _unanswered(place: Endpoint, error: PortInUseError) -> Exception:
    """Something listens on another machine that gives no answer: most often it does not know our key."""
    if place.is_local:
        return error
    app, key = OPENHCS_CONFIG.app_name, KeyStore(OPENHCS_CONFIG).client().public.decode()
    return CommandError(
        ErrorKind.REFUSED,
        f"what listens on port {place.port} of {place.host} does not answer; if it is a server of {app}, then",
        ExitCode.FAILED,
        [
            f"it may not know our key; type there: zmqruntime keys admit --app {app} -- NAME '{key}'",
            f"or its key is not the one that is known here; compare the two that 'zmqruntime keys show --app {app}' "
            "shows there and here",
        ],
    )


@contextlib.contextmanager
def clear_errors(client: ZMQClient | None = None) -> Iterator[None]:
    """Turn what the server layer raises, and Ctrl-C, into a CommandError."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise interrupted() from error
    except ServerStartError as error:
        raise _start_error(error, client) from error
    except RequestRefusedError as error:
        if error.code is ErrorCode.NOT_FOUND:
            raise CommandError(ErrorKind.NOT_FOUND, f"{error} ('openhcs-runtime status' lists what it has)") from error
        raise CommandError(ErrorKind.REFUSED, str(error), ExitCode.FAILED) from error
    except ZMQRuntimeError as error:
        entries = ((kind, code) for known_type, kind, code in _KINDS if isinstance(error, known_type))
        kind, code = next(entries, (ErrorKind.REFUSED, ExitCode.FAILED))
        raise CommandError(kind, str(error), code) from error


def _start_error(error: ServerStartError, client: ZMQClient | None) -> CommandError:
    """A server that ends at once most often found the port taken."""
    reason = next(iter(reversed(error.log_tail.splitlines())), "")
    if client is not None and client.transport_mode is TransportMode.TCP and _is_taken(client):
        return CommandError(ErrorKind.PORT_IN_USE, reason or str(error))
    message = str(error).partition("\n")[0]
    return CommandError(ErrorKind.SERVER_START, f"{message}: {reason}" if reason else message, ExitCode.FAILED)


def _is_taken(client: ZMQClient) -> bool:
    ports = (client.port, client.control_port)
    return any(is_listening(port, client.host, client.transport_mode, client.config) for port in ports)
