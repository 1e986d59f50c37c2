"""Frozen values: the plates, wells and server state that a window shows, and the events that report changes."""

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
    """The connection of a window to its server."""

    DISCONNECTED = "disconnected"
    """No server has been needed yet, or the window has closed its connection."""
    CONNECTING = "connecting"
    CONNECTED = "connected"
    SILENT = "silent"
    """It is not responding, because it is busy or suspended, but it has not ended; the window is waiting for it."""
    LOST = "lost"
    """It has ended or cannot be reached; its executions continue when it or its successor is there."""


@dataclass(frozen=True, slots=True)
class PlateRow:
    """One plate of a window. ``path`` is its folder, which identifies it; ``pipeline`` is Python source."""

    path: str
    name: str
    snapshot: PlateSnapshot
    execution_id: str | None = None
    artifact_id: str | None = None
    """The id of the compiled pipeline, while the server has it and nothing has changed since."""
    output: str | None = None
    """The result folder of the latest run of this window, once its execution has reported it."""
    on_disk: RunSummary | None = None
    """The newest results on disk, of any run; unaffected by a run that is only compiled, is stopped or fails."""
    well_count: int | None = None
    """None until the plate has been read."""
    pipeline: str = ""

    @property
    def results(self) -> str | None:
        """The folder of the latest run of this window, or else of the newest run on disk with finished wells."""
        if self.output is not None:
            return self.output
        return str(self.on_disk.folder) if self.on_disk is not None and self.on_disk.done else None


@dataclass(frozen=True, slots=True)
class PlatesAdded:
    """Plates were added, in this order, after the existing ones."""

    rows: tuple[PlateRow, ...]


@dataclass(frozen=True, slots=True)
class PlatesChanged:
    """The new state of plates that changed; each plate occurs once."""

    rows: tuple[PlateRow, ...]


@dataclass(frozen=True, slots=True)
class PlatesRemoved:
    """Plates were removed from the window."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WellsChanged:
    """The new state of wells of the plate at ``path``; other wells have not changed."""

    path: str
    wells: tuple[AxisProgress, ...]


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """One line for a status bar."""

    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ServerStateChanged:
    """The connection to the server has changed; ``text`` describes it."""

    state: ServerState
    text: str = ""


@dataclass(frozen=True, slots=True)
class LogLinesAdded:
    """New log lines from executions of the plate at ``path``; of many at once, only the latest."""

    path: str
    lines: tuple[LogLine, ...]


WorkspaceEvent = (
    PlatesAdded | PlatesChanged | PlatesRemoved | WellsChanged | StatusMessage | ServerStateChanged | LogLinesAdded
)
"""The events of a workspace."""


@dataclass(frozen=True, slots=True)
class FeedNews:
    """What has happened to an execution since the last news."""

    execution_id: str
    wells: tuple[AxisProgress, ...] = ()
    """The present state of wells that may have changed."""
    working_since: float | None = None
    """When the current attempt started its first well, in seconds since the epoch; None before that."""
    snapshot: ExecutionSnapshot | None = None
    """The present state of the execution, if that has changed."""
    interrupted_at: float | None = None
    """When its server was stopped, or came back after a crash, with it unfinished, in seconds since the epoch."""
    lines: tuple[LogLine, ...] = ()
    """New log lines, at most the latest 2,000."""
