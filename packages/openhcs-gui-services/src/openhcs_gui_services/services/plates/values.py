"""Frozen values: the plates, wells and server state that a window shows, and the events that report changes."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from openhcs_gui_services.services.plates.on_disk import ResultsOnDisk
from openhcs_gui_services.services.plates.presenter import PlateSnapshot
from openhcs_runtime.outputs.runs import RunSummary
from zmqruntime.execution import AxisProgress
from zmqruntime.messages import ExecutionSnapshot, LogLine

__all__ = [
    "BatchChanged",
    "BatchEnd",
    "BatchEnded",
    "BatchState",
    "FeedNews",
    "LogLinesAdded",
    "PlateFacts",
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
class PlateFacts:
    """What is known of a plate from its folder, without reading pixels.

    Attributes:
        wells: the wells that have images, in plate order.
        sites: number of sites of a well, at most.
        channels: names of the channels, or their numbers.
        pixel_size_um: edge length of a pixel in micrometres; None if it is not known.
        plate_format: name of the format, such as ``imagexpress``.
        missing: number of missing images of each well that lacks some.
        problems: problems that were found when the plate was opened, one line each.
        left_out: number of image files that are not images of the plate.
    """

    wells: tuple[str, ...]
    sites: int = 1
    channels: tuple[str, ...] = ()
    pixel_size_um: float | None = None
    plate_format: str = ""
    missing: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class PlateRow:
    """One plate of a window. ``path`` is its folder, which identifies it; ``pipeline`` is Python source.

    ``name`` is that of the folder, with folders above it as far as plates of a window would have the same name.
    """

    path: str
    name: str
    snapshot: PlateSnapshot
    execution_id: str | None = None
    artifact_id: str | None = None
    """The id of the compiled pipeline, while the server has it and nothing has changed since."""
    output: str | None = None
    """The result folder of the latest run of this window, once its execution has reported it."""
    well_count: int | None = None
    """None until the plate has been read."""
    pipeline: str = ""
    pipeline_file: str = ""
    """The file that the pipeline was read from; empty if there is none."""
    pipeline_name: str = ""
    """What the pipeline is called, such as ``count_nuclei``; empty if it has no name."""
    is_pipeline_modified: bool = False
    """Whether the pipeline has edits that are in no file."""
    pipeline_basis: str = ""
    """Digest of the text of the file that the pipeline was made from; empty if that is not known."""
    facts: PlateFacts | None = None
    """What its folder has told; None until it has been read."""
    steps: tuple[str, ...] = ()
    """The names of the steps of the shown run, whatever the text of the pipeline is now; empty if not known."""
    can_resume: bool | None = None
    """Whether its latest run has ended without finishing, so that it can go on; None: as its state says."""
    rest: int = 0
    """Number of wells that are not done, on a plate of which some are; otherwise 0."""
    found: ResultsOnDisk | None = None
    """The newest results on disk, of any run; unaffected by a check, or by a run that waits or is stopped."""
    elsewhere: RunSummary | None = None
    """The run of this plate that another program is working on; its results are not on disk before it ends."""

    @property
    def on_disk(self) -> RunSummary | None:
        """The run of the results on disk."""
        return None if self.found is None else self.found.run

    @property
    def results(self) -> str | None:
        """The folder of the results that are shown, from which heading, map, numbers and images derive.

        It is that of the results on disk; only while none have been found, that which the latest run has reported.
        """
        return self.output if self.found is None else str(self.found.run.folder)


@dataclass(frozen=True, slots=True)
class BatchState:
    """The plates of a window that are running or waiting, together with those that have ended since the first began.

    Attributes:
        plates: number of plates.
        plates_ended: how many of them have ended.
        wells: number of wells of all plates, as far as it is known.
        wells_ended: how many of them are complete, failed or cancelled.
        remaining_seconds: estimate of the time left; None while it is too early to say.
    """

    plates: int
    plates_ended: int
    wells: int
    wells_ended: int
    remaining_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class BatchEnd:
    """How the plates ended that were running or waiting at the same time.

    Attributes:
        plates: the names of the plates, in the order in which they were started.
        wells_done: number of complete wells, of all plates.
        failed: the names of the failed wells of each plate that has some, by the name of the plate.
        unfinished: the names of the plates whose runs failed, were stopped or were interrupted.
        seconds: how long all of it took.
        stopped: the names of those of the unfinished plates that were stopped.
    """

    plates: tuple[str, ...]
    wells_done: int
    failed: Mapping[str, tuple[str, ...]]
    unfinished: tuple[str, ...]
    seconds: float
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchChanged:
    """The new state of the running and waiting plates; None when there are none."""

    state: BatchState | None


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """The last of the running and waiting plates has ended."""

    end: BatchEnd


@dataclass(frozen=True, slots=True)
class PlatesAdded:
    """Plates were added, in this order: after the existing ones, or at the places that they had before."""

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
    path: str = ""
    """The plate that it is about; empty if it is about none, or several."""


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
    PlatesAdded
    | PlatesChanged
    | PlatesRemoved
    | WellsChanged
    | StatusMessage
    | ServerStateChanged
    | LogLinesAdded
    | BatchChanged
    | BatchEnded
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
