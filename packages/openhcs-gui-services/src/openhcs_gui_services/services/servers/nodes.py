"""What is known of the servers that a browser shows: frozen values, from servers down to the step of a well."""

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
    """What is found at an address."""

    RUNNING = "running"
    """A server answers."""
    SILENT = "silent"
    """Something listens there but does not answer: it is busy, stopped, or another program."""
    ENDED = "ended"
    """Nothing listens; its server was killed and left its socket file."""
    UNREACHABLE = "unreachable"
    """No server at an address that was given, or not one that talks to us."""


class ServerKind(enum.Enum):
    """What a server does."""

    EXECUTIONS = "executions"
    VIEWER = "viewer"
    """It runs no executions: it shows images."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class ServerAddress:
    """Where a server is: its data port, the application it belongs to, and a host when it listens on TCP."""

    port: int
    app: str = "openhcs"
    host: str | None = None

    @property
    def config(self) -> ZMQConfig:
        """The settings of the application."""
        return ZMQConfig(app_name=self.app)

    @property
    def place(self) -> Address:
        """The same for sockets."""
        return Address.of(self.port, self.host, config=self.config)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.place.is_local

    def __str__(self) -> str:
        return f"{self.host or 'this machine'}, port {self.port}"


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """A process of this machine at one moment. ``cpu_percent`` is of one core, since the look before."""

    pid: int
    cpu_percent: float
    memory_bytes: int
    uptime_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerNode:
    """A process in which a server lets tasks or wells run."""

    title: str
    figures: ProcessFigures


@dataclass(frozen=True, slots=True)
class ExecutionNode:
    """An execution that runs or waits. ``wells`` are those at work now, ``queue_position`` counts from 0."""

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
    """One address and what was found there.

    ``pong`` is the last answer; of a server that no longer answers it still says which process it was. ``figures`` and
    ``workers`` are only known of servers on this machine.
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
        """Whether it can be asked to end."""
        return self.reach is Reach.RUNNING

    @property
    def can_kill(self) -> bool:
        """Whether we know which process of this machine it is; that it still is that one is proven before the kill."""
        return self.pong is not None and self.address.is_local and self.reach in (Reach.RUNNING, Reach.SILENT)


@dataclass(frozen=True, slots=True)
class BrowserSnapshot:
    """All servers at one moment, by address. ``number`` grows with every change."""

    servers: tuple[ServerNode, ...] = ()
    number: int = 0
