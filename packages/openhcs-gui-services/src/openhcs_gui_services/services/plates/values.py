"""What a window shows of its plates, their wells and its server, and the events that tell of changes: frozen values."""

import enum
from dataclasses import dataclass

from openhcs_gui_services.services.plates.presenter import PlateSnapshot
from openhcs_runtime.outputs.runs import RunSummary
from zmqruntime.execution import AxisProgress
from zmqruntime.messages import ExecutionSnapshot, LogLine

__all__ = [
    "FeedNews",
    "LogLinesAdded",
    "PlateRow",
    "PlatesAdded",
    "PlatesChanged",
    "PlatesRemoved",
    "ServerState",
    "ServerStateChanged",
    "StatusMessage",
    "WellsChanged",
    "WorkspaceEvent",
]


class ServerState(enum.Enum):
    """How a window stands with its server."""

    DISCONNECTED = "disconnected"
    """Nothing has asked for a server yet, or the window has let go of it."""
    CONNECTING = "connecting"
    CONNECTED = "connected"
    SILENT = "silent"
    """It does not answer at the moment, and is waited for: busy or stopped, but nothing says that it has ended."""
    LOST = "lost"
    """It has ended or cannot be reached; what it was doing goes on when it, or the next one, is there."""


@dataclass(frozen=True, slots=True)
class PlateRow:
    """One plate of a window. ``path`` is its folder and names it; ``pipeline`` is Python source."""

    path: str
    name: str
    snapshot: PlateSnapshot
    execution_id: str | None = None
    artifact_id: str | None = None
    """Of the compiled pipeline, as long as the server still has it and nothing has changed since."""
    output: str | None = None
    """The folder with the results of the latest run of this window, once its execution has said it."""
    on_disk: RunSummary | None = None
    """The newest results on disk, of whichever run: a fact of its own, which a run that is checked, stopped or fails
    does not change."""
    well_count: int | None = None
    """None until the plate has been read."""
    pipeline: str = ""


@dataclass(frozen=True, slots=True)
class PlatesAdded:
    """These plates are new, in this order, after those that were there."""

    rows: tuple[PlateRow, ...]


@dataclass(frozen=True, slots=True)
class PlatesChanged:
    """These plates are now so; a plate is in it once."""

    rows: tuple[PlateRow, ...]


@dataclass(frozen=True, slots=True)
class PlatesRemoved:
    """These plates are no longer in the window."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WellsChanged:
    """These wells of the plate at ``path`` are now so. Wells that are not in it are as they were."""

    path: str
    wells: tuple[AxisProgress, ...]


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """One line for a status bar."""

    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ServerStateChanged:
    """How the window stands with its server from now on, and what to say of it."""

    state: ServerState
    text: str = ""


@dataclass(frozen=True, slots=True)
class LogLinesAdded:
    """The executions of the plate at ``path`` have logged these lines; of many at once only the latest are here."""

    path: str
    lines: tuple[LogLine, ...]


WorkspaceEvent = (
    PlatesAdded | PlatesChanged | PlatesRemoved | WellsChanged | StatusMessage | ServerStateChanged | LogLinesAdded
)
"""The events of a workspace."""


@dataclass(frozen=True, slots=True)
class FeedNews:
    """What has happened to an execution since it was asked last."""

    execution_id: str
    wells: tuple[AxisProgress, ...] = ()
    """Those that may have changed, as they are now."""
    working_since: float | None = None
    """When the present attempt started its first well, in seconds since the epoch; None until then."""
    snapshot: ExecutionSnapshot | None = None
    """What the execution is now, if that has changed."""
    interrupted_at: float | None = None
    """When its server was stopped, or came back from a crash, with the execution half done; s since the epoch."""
    lines: tuple[LogLine, ...] = ()
    """New log lines, the latest 2,000 of many."""
