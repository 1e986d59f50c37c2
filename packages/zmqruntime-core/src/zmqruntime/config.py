"""Settings shared by servers and clients: ports, sockets, timings."""

import enum
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Security", "TransportMode", "ZMQConfig"]


class TransportMode(enum.StrEnum):
    """How a client reaches a server."""

    IPC = "ipc"
    """A socket file in a folder that only this user can open; not available on Windows."""
    TCP = "tcp"
    """A TCP port, on loopback unless a host is given."""


class Security(enum.StrEnum):
    """How TCP is protected. IPC needs no protection: only this user can open its folder."""

    CURVE = "curve"
    """Encrypted, and both sides check each other's key."""
    NONE = "none"
    """Unprotected: anyone who can reach the port can run code as the server's user and read the traffic."""


@dataclass(frozen=True, slots=True)
class ZMQConfig:
    """Settings that a server and its clients must agree on, and the timings of both.

    Times are in seconds, sizes in bytes.
    """

    control_port_offset: int = 1000
    """The control port is the data port plus this offset."""
    default_port: int = 7777
    ipc_socket_dir: str = "ipc"
    ipc_socket_prefix: str = "zmq"
    ipc_socket_extension: str = ".sock"
    shared_ack_port: int = 7555
    app_name: str = "zmqruntime"
    """Used in folder names: sockets are in ``~/.{app_name}/{ipc_socket_dir}``."""
    heartbeat_interval: float = 0.5
    """Time between the heartbeats that a server sends while it has subscribers."""
    heartbeat_window: float = 1.5
    """After this long without hearing from its server, a client pings it; without an answer, the server counts as
    silent."""
    unreachable_window: float = 30.0
    """A server whose process cannot be observed, for example on another machine, counts as unreachable after this long
    without a sign of life, but never sooner than ``request_timeout``; a third of this time if no connection can be
    made."""
    successor_window: float = 60.0
    """How long a client that cannot start a server itself waits for the successor of one that has ended."""
    request_timeout: float = 10.0
    """Default deadline of a request."""
    security: Security = Security.CURVE
    """Protection of TCP; it can only be turned off here."""
    max_message_bytes: int = 64 * 1024 * 1024
    """Maximum message size; if a longer message arrives, its connection is closed without reading it."""

    @property
    def home(self) -> Path:
        """The folder of this application's sockets, locks and keys."""
        return Path.home() / f".{self.app_name}"

    @property
    def data_dir(self) -> Path:
        """The folder of this application's durable data."""
        import platformdirs  # noqa: PLC0415 - takes as long to load as the settings

        return platformdirs.user_data_path(self.app_name, appauthor=False)

    @property
    def cache_dir(self) -> Path:
        """The folder of what this application can make again."""
        import platformdirs  # noqa: PLC0415

        return platformdirs.user_cache_path(self.app_name, appauthor=False)

    def server_dir(self, port: int) -> Path:
        """Return the folder for the log and the data of the server on ``port``."""
        return self.data_dir / f"server-{port}"
