"""Settings that servers and clients share: ports, sockets, timings."""

import enum
from dataclasses import dataclass
from pathlib import Path

import platformdirs

__all__ = ["Security", "TransportMode", "ZMQConfig"]


class TransportMode(enum.StrEnum):
    """How a client reaches a server."""

    IPC = "ipc"
    """A socket file in a folder that only this user can open; not on Windows."""
    TCP = "tcp"
    """A TCP port, on loopback unless a host is named."""


class Security(enum.StrEnum):
    """How TCP is protected. IPC needs nothing: only this user can open its folder."""

    CURVE = "curve"
    """Encrypted, with the keys of both sides checked."""
    NONE = "none"
    """Anybody who can reach the port can run code as the server's user, and read what passes."""


@dataclass(frozen=True, slots=True)
class ZMQConfig:
    """What a server and its clients must agree on, and the timings of both.

    Times are in seconds, sizes in bytes.
    """

    control_port_offset: int = 1000
    """The control port is the data port plus this."""
    default_port: int = 7777
    ipc_socket_dir: str = "ipc"
    ipc_socket_prefix: str = "zmq"
    ipc_socket_extension: str = ".sock"
    shared_ack_port: int = 7555
    app_name: str = "zmqruntime"
    """Names the folders: sockets are in ``~/.{app_name}/{ipc_socket_dir}``."""
    heartbeat_interval: float = 0.5
    """A server with subscribers says that it lives this often."""
    heartbeat_window: float = 1.5
    """A client that heard nothing for so long asks, and without an answer calls the server silent."""
    unreachable_window: float = 30.0
    """A server whose process cannot be seen from here, on another machine for example, is called unreachable when
    nothing was heard of it for so long, and never sooner than ``request_timeout``; a third of it when it cannot even be
    connected to."""
    successor_window: float = 60.0
    """So long a client that cannot start one itself waits for the successor of a server that has ended."""
    request_timeout: float = 10.0
    """The deadline of a request that names none."""
    security: Security = Security.CURVE
    """Of TCP; to do without it has to be said here."""
    max_message_bytes: int = 64 * 1024 * 1024
    """A longer message ends its connection unread."""

    @property
    def home(self) -> Path:
        """The folder of this application's sockets, locks and keys."""
        return Path.home() / f".{self.app_name}"

    @property
    def data_dir(self) -> Path:
        """The folder of this application's durable data."""
        return platformdirs.user_data_path(self.app_name, appauthor=False)

    def server_dir(self, port: int) -> Path:
        """The folder of the log and the data of the server on ``port``."""
        return self.data_dir / f"server-{port}"
