"""State of the servers in a browser as frozen values, from servers down to the steps of wells."""

import enum
from dataclasses import dataclass

from zmqruntime.address import Address
from zmqruntime.config import ZMQConfig
from zmqruntime.execution import AxisProgress
from zmqruntime.messages import ExecutionStatus, PongResponse

__all__ = [
    "BrowserSnapshot",
    "ExecutionNode",
    "ProcessFigures",
    "Reach",
    "ServerAddress",
    "ServerKind",
    "ServerNode",
    "WorkerNode",
]


class Reach(enum.Enum):
    """Whether a server can be reached at an address."""

    RUNNING = "running"
    """A server responds."""
    SILENT = "silent"
    """Something is listening but does not respond: a busy or stopped server, or another program."""
    ENDED = "ended"
    """Nothing is listening; the server was killed and left its socket file."""
    UNREACHABLE = "unreachable"
    """There is no server at a given address, or it refuses the connection."""


class ServerKind(enum.Enum):
    """What a server is for."""

    EXECUTIONS = "executions"
    VIEWER = "viewer"
    """It shows images and does not run executions."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class ServerAddress:
    """Address of a server.

    Attributes:
        port: the data port.
        app: the application that it belongs to.
        host: host name of a server on TCP; None for a server with socket files on this machine.
    """

    port: int
    app: str = "openhcs"
    host: str | None = None

    @property
    def config(self) -> ZMQConfig:
        """The ZMQ settings of the application."""
        return ZMQConfig(app_name=self.app)

    @property
    def place(self) -> Address:
        """The address for sockets."""
        return Address.of(self.port, self.host, config=self.config)

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this machine."""
        return self.place.is_local

    def __str__(self) -> str:
        return f"{self.host or 'this machine'}, port {self.port}"


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """Measurements of a process on this machine; ``cpu_percent`` is of one core, since the previous measurement."""

    pid: int
    cpu_percent: float
    memory_bytes: int
    uptime_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerNode:
    """A process in which a server runs tasks or wells."""

    title: str
    figures: ProcessFigures


@dataclass(frozen=True, slots=True)
class ExecutionNode:
    """A running or queued execution; ``wells`` are those in progress, ``queue_position`` counts from 0."""

    execution_id: str
    plate_id: str
    status: ExecutionStatus
    queue_position: int | None = None
    started_at: float | None = None
    percent: float = 0.0
    wells: tuple[AxisProgress, ...] = ()
    wells_done: int = 0
    wells_failed: int = 0
    wells_known: int = 0


@dataclass(frozen=True, slots=True)
class ServerNode:
    """An address and the state of the server there.

    ``pong`` is the last reply; it identifies the process even if the server no longer responds. ``figures`` and
    ``workers`` are known only for servers on this machine.
    """

    address: ServerAddress
    reach: Reach
    kind: ServerKind = ServerKind.UNKNOWN
    pong: PongResponse | None = None
    figures: ProcessFigures | None = None
    workers: tuple[WorkerNode, ...] = ()
    executions: tuple[ExecutionNode, ...] = ()
    running: int = 0
    queued: int = 0
    paused: bool = False
    problem: str = ""

    @property
    def can_quit(self) -> bool:
        """Whether it can be shut down."""
        return self.reach is Reach.RUNNING

    @property
    def can_kill(self) -> bool:
        """Whether its process on this machine is known; the identity of the process is checked again before a kill."""
        return self.pong is not None and self.address.is_local and self.reach in (Reach.RUNNING, Reach.SILENT)


@dataclass(frozen=True, slots=True)
class BrowserSnapshot:
    """All servers at one moment, sorted by address; ``number`` increases with every change."""

    servers: tuple[ServerNode, ...] = ()
    number: int = 0
