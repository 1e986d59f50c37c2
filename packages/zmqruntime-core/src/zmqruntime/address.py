"""Where a server is: its ports, what a socket needs to reach them, and what to say when nothing answers there."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import zmq

from zmqruntime.config import Security, TransportMode, ZMQConfig
from zmqruntime.exceptions import ConnectionFailedError, PortInUseError, ServerSilentError
from zmqruntime.identity import describe_port_holder
from zmqruntime.lock import FileLock
from zmqruntime.security import KeyStore
from zmqruntime.transport import (
    LOOPBACK,
    choose_transport_mode,
    get_default_transport_mode,
    get_zmq_transport_url,
    is_known_host,
    is_listening,
    prepare_private_dir,
)

__all__ = ["Address", "nobody_there", "silent_server"]

_LINGER_MS = 200
_RECONNECT_MS = (50, 1000)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is to be found: its data port, the control port above it, and how both are reached.

    Attributes:
        port: the data port.
        host: where a TCP server is.
        transport_mode: IPC or TCP.
        config: what the server and its clients agree on.
    """

    port: int
    host: str = LOOPBACK
    transport_mode: TransportMode = field(default_factory=get_default_transport_mode)
    config: ZMQConfig = field(default_factory=ZMQConfig)

    @classmethod
    def of(
        cls,
        port: int,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
    ) -> Self:
        """An address as clients and servers take it: naming a host selects TCP, and IPC is the default.

        Raises:
            ConfigurationError: there is no such transport mode.
        """
        mode = choose_transport_mode(transport_mode, host)
        return cls(port, host or LOOPBACK, mode, config or ZMQConfig())

    @property
    def control_port(self) -> int:
        """The port that requests go to."""
        return self.port + self.config.control_port_offset

    @property
    def is_local(self) -> bool:
        """Whether it is surely on this machine; any other may still be."""
        return self.transport_mode is TransportMode.IPC or self.host in (LOOPBACK, "localhost", "::1")

    @property
    def is_encrypted(self) -> bool:
        """Whether both sides show keys."""
        return self.transport_mode is TransportMode.TCP and self.config.security is Security.CURVE

    @property
    def data_url(self) -> str:
        """The ZeroMQ URL of the data channel."""
        return self.url(self.port)

    @property
    def control_url(self) -> str:
        """The ZeroMQ URL of the control channel."""
        return self.url(self.control_port)

    def url(self, port: int) -> str:
        """The ZeroMQ URL of a port there."""
        return get_zmq_transport_url(port, self.host, self.transport_mode, self.config)

    def prepare(self, sock: "zmq.Socket[bytes]", patience: float | None = None) -> None:
        """Set what a client's socket needs before it connects: keys, sizes, and when a silent network is given up.

        Args:
            sock: not connected yet.
            patience: after so many seconds without a word from another machine the connection is cut and made again;
                half of the configuration's ``unreachable_window`` when None.

        Raises:
            ConfigurationError: the server's key is not known.
        """
        sock.linger = _LINGER_MS
        sock.maxmsgsize = self.config.max_message_bytes
        sock.ipv6 = ":" in self.host
        sock.reconnect_ivl, sock.reconnect_ivl_max = _RECONNECT_MS
        if not self.is_local:
            # A network that is gone cuts nothing: the connection would be tried again by its own, growing pauses.
            # A process of this machine cannot vanish without a word, and one that was stopped is not lost.
            seconds = self.config.unreachable_window / 2 if patience is None else patience
            sock.heartbeat_ivl, sock.heartbeat_timeout = int(seconds * 1000 / 3), int(seconds * 1000)
        if self.is_encrypted:
            store = KeyStore(self.config)
            keys = store.client()
            sock.curve_publickey, sock.curve_secretkey = keys.public, keys.secret
            sock.curve_serverkey = store.server_key_for(self.host, self.port, is_local=self.is_local)

    def connect(self, sock: "zmq.Socket[bytes]", port: int | None = None, *, patience: float | None = None) -> None:
        """Prepare a socket and connect it to a port there, the data port when None.

        Raises:
            ConfigurationError: the address cannot be used, or the server's key is not known; the socket is closed.
        """
        try:
            self.prepare(sock, patience)
            sock.connect(self.url(self.port if port is None else port))
        except BaseException:
            sock.close(linger=0)
            raise

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


def nobody_there(address: Address) -> str:
    """What to say when nothing listens there."""
    if not is_known_host(address.host):
        return f"no host {address.host} is known to this machine; check its name, or give its address"
    return f"no server listens on {address.url(address.port)}; start one there"
