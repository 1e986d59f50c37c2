"""The address of a server: its ports, how sockets reach them, and the errors for when nothing answers there."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import zmq

from zmqruntime.config import Security, TransportMode, ZMQConfig
from zmqruntime.exceptions import ConnectionFailedError, PortInUseError, ServerSilentError
from zmqruntime.identity import describe_port_holder
from zmqruntime.lock import FileLock
from zmqruntime.security import KeyStore
from zmqruntime.standing import SILENT_WORDS
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
_KEYS = "it does not know this client's key, or its own is not the one trusted here; compare them on both sides"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server: its data port, the control port above it, and the transport.

    Attributes:
        port: the data port.
        host: host of a TCP server.
        transport_mode: IPC or TCP.
        config: settings shared by the server and its clients.
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
        """Create an address from the arguments of clients and servers: a host selects TCP, the default is IPC.

        Raises:
            ConfigurationError: the transport mode is unknown.
        """
        mode = choose_transport_mode(transport_mode, host)
        return cls(port, host or LOOPBACK, mode, config or ZMQConfig())

    @property
    def control_port(self) -> int:
        """The port for requests."""
        return self.port + self.config.control_port_offset

    @property
    def is_local(self) -> bool:
        """Whether it is certain to be on this machine; other addresses may be, too."""
        return self.transport_mode is TransportMode.IPC or self.host in (LOOPBACK, "localhost", "::1")

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is encrypted and both sides check keys."""
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
        """Return the ZeroMQ URL of a port at this address."""
        return get_zmq_transport_url(port, self.host, self.transport_mode, self.config)

    def prepare(self, sock: "zmq.Socket[bytes]", patience: float | None = None) -> None:
        """Set the options that a client's socket needs before it connects: keys, sizes and network timeouts.

        Args:
            sock: a socket that is not connected yet.
            patience: seconds of silence from another machine after which the connection is closed and made again
                [default: half of the configuration's ``unreachable_window``].

        Raises:
            ConfigurationError: the server's key is not known.
        """
        sock.linger = _LINGER_MS
        sock.maxmsgsize = self.config.max_message_bytes
        sock.ipv6 = ":" in self.host
        sock.reconnect_ivl, sock.reconnect_ivl_max = _RECONNECT_MS
        if not self.is_local:
            # A network failure closes no connection: TCP alone would retry at ever longer intervals.
            # A process on this machine cannot vanish unnoticed, and a suspended one is not lost.
            seconds = self.config.unreachable_window / 2 if patience is None else patience
            sock.heartbeat_ivl, sock.heartbeat_timeout = int(seconds * 1000 / 3), int(seconds * 1000)
        if self.is_encrypted:
            store = KeyStore(self.config)
            keys = store.client()
            sock.curve_publickey, sock.curve_secretkey = keys.public, keys.secret
            sock.curve_serverkey = store.server_key_for(self.host, self.port, is_local=self.is_local)

    def connect(self, sock: "zmq.Socket[bytes]", port: int | None = None, *, patience: float | None = None) -> None:
        """Prepare a socket and connect it to a port at this address.

        Args:
            sock: a socket that is not connected yet.
            port: the port to connect to [default: the data port].
            patience: see :meth:`prepare`.

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
        """Return whether anything is listening on the control port."""
        return is_listening(self.control_port, self.host, self.transport_mode, self.config)

    def is_claimed(self) -> bool:
        """Return whether a server of this application holds the port; if it does not answer at once, it is busy."""
        return self._is_lock_held() is True

    def is_released(self) -> bool:
        """Return whether the lock file of the port is there and free, so that no server holds it."""
        return self._is_lock_held() is False

    def _is_lock_held(self) -> bool | None:
        """Return whether the port is locked; None if nothing tells it."""
        path = self._socket_folder / f"{self._name}.lock"
        if not (self.is_local and path.exists()):
            return None
        lock = FileLock(path)
        if lock.acquire(timeout=0):
            lock.release()
            return False
        return True

    def start_lock(self) -> FileLock:
        """Return the lock whose holder may start a server at this address."""
        return FileLock(prepare_private_dir(self._socket_folder) / f"{self._name}.start.lock")

    @property
    def _socket_folder(self) -> Path:
        return self.config.home / self.config.ipc_socket_dir

    @property
    def _name(self) -> str:
        return f"{self.config.ipc_socket_prefix}-{self.port}"


def silent_server(address: Address) -> ConnectionFailedError:
    """Return the error to raise when something listens at ``address`` but does not answer a ping."""
    url = address.url(address.control_port)
    if not address.is_listening():
        return ConnectionFailedError(f"the server on {url} ended while connecting to it")
    if address.is_claimed():
        return ServerSilentError(
            f"the server on port {address.port} does not answer: {SILENT_WORDS}; it is left alone"
            + (f"; or {_KEYS}" if address.is_encrypted else "")
        )
    is_tcp = address.transport_mode is TransportMode.TCP and address.is_local
    holder = describe_port_holder(address.control_port) if is_tcp else "the program listening there"
    return PortInUseError(
        f"{url} is taken, but {holder} does not answer as a server of {address.config.app_name}; "
        "choose another port, or stop that program if you know it"
        + (f"; if it is such a server, {_KEYS}" if address.is_encrypted else "")
    )


def nobody_there(address: Address) -> str:
    """Return the error message for an address where nothing is listening."""
    if not is_known_host(address.host):
        return f"cannot resolve the host name {address.host}; check it, or use the IP address"
    return f"no server is listening on {address.url(address.port)}; start one there"
