"""Whether a server is where a client looks for it, one started there if not, and what to say of a silent one."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from zmqruntime.config import Security, TransportMode, ZMQConfig
from zmqruntime.exceptions import ConnectionFailedError, PortInUseError, ServerSilentError
from zmqruntime.identity import describe_port_holder
from zmqruntime.launch import Lifetime, ServerSpec, start_server_process
from zmqruntime.lock import FileLock
from zmqruntime.transport import (
    LOOPBACK,
    get_zmq_transport_url,
    is_known_host,
    is_listening,
    prepare_private_dir,
)

__all__ = ["Address", "let_go", "seconds_left", "silent_server", "start_server"]

_END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is to be found: its data port, the control port above it, and how both are reached."""

    port: int
    host: str
    transport_mode: TransportMode
    config: ZMQConfig

    @property
    def control_port(self) -> int:
        """The port that requests go to."""
        return self.port + self.config.control_port_offset

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.transport_mode is TransportMode.IPC or self.host in (LOOPBACK, "localhost", "::1")

    @property
    def is_encrypted(self) -> bool:
        """Whether both sides show keys."""
        return self.transport_mode is TransportMode.TCP and self.config.security is Security.CURVE

    def url(self, port: int) -> str:
        """The ZeroMQ URL of a port there."""
        return get_zmq_transport_url(port, self.host, self.transport_mode, self.config)

    def is_listening(self) -> bool:
        """Whether anything listens on the control port."""
        return is_listening(self.control_port, self.host, self.transport_mode, self.config)

    def is_claimed(self) -> bool:
        """Whether a server of ours holds the port: one that does not answer at once is busy, and worth waiting for."""
        path = self._socket_folder / f"{self._name}.lock"
        if not (self.is_local and path.exists()):
            return False
        lock = FileLock(path)
        if lock.acquire(timeout=0):
            lock.release()
            return False
        return True

    def start_lock(self) -> FileLock:
        """Who holds it may start a server there."""
        return FileLock(prepare_private_dir(self._socket_folder) / f"{self._name}.start.lock")

    @property
    def _socket_folder(self) -> Path:
        return self.config.home / self.config.ipc_socket_dir

    @property
    def _name(self) -> str:
        return f"{self.config.ipc_socket_prefix}-{self.port}"


def start_server(
    address: Address, spec: ServerSpec | None, lifetime: Lifetime, deadline: float
) -> "subprocess.Popen[bytes] | None":
    """Start a server unless one listens; None if one does, also one that another client has started meanwhile.

    Args:
        address: where it is to listen.
        spec: what to start; None when it is not ours to start.
        lifetime: whether it outlives us.
        deadline: of `time.monotonic()`.

    Raises:
        ConnectionFailedError: nothing listens, and it is not for us to start it, or another client still does.
        ServerStartError: it did not come up; the error has the end of its log.
    """
    if address.is_listening():
        return None
    if spec is None or not address.is_local:
        raise ConnectionFailedError(_nobody_there(address))
    lock = address.start_lock()
    if not lock.acquire(timeout=seconds_left(deadline)):
        raise ConnectionFailedError(f"another client is still starting the server on {address.url(address.port)}")
    try:
        return None if address.is_listening() else start_server_process(spec, lifetime, seconds_left(deadline))
    finally:
        lock.release()


def silent_server(address: Address) -> ConnectionFailedError:
    """What to raise when something listens there that does not answer a ping; it is left alone."""
    url = address.url(address.control_port)
    if not address.is_listening():
        return ConnectionFailedError(f"the server on {url} went away while we connected")
    if address.is_claimed():
        return ServerSilentError(
            f"the server on port {address.port} does not answer: it is busy or stopped, and may go on; it is left alone"
            + ("; or it does not know this client's key" if address.is_encrypted else "")
        )
    is_tcp = address.transport_mode is TransportMode.TCP and address.is_local
    holder = describe_port_holder(address.control_port) if is_tcp else "what listens there"
    return PortInUseError(
        f"{url} is taken, but {holder} does not answer as a server of {address.config.app_name}; "
        "choose another port, or end it yourself if you know it"
        + ("; if it is one, it does not know this client's key" if address.is_encrypted else "")
    )


def _nobody_there(address: Address) -> str:
    if not is_known_host(address.host):
        return f"no host {address.host} is known to this machine; check its name, or give its address"
    return f"no server listens on {address.url(address.port)}; start one there"


def let_go(process: "subprocess.Popen[bytes]") -> None:
    """End an owned server by closing its stdin; forget a persistent one."""
    if process.stdin is None:
        if process.poll() is None:
            process.returncode = 0  # it outlives us: keeps Popen from warning of a process that nobody waited for
        return
    process.stdin.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def seconds_left(deadline: float) -> float:
    """Until the deadline, never quite nothing."""
    return max(0.1, deadline - time.monotonic())
