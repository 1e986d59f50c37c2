"""What is known of a run while it goes on: events go in, a frozen view of plate and wells comes out."""

import enum
import math
import threading
import time
from dataclasses import dataclass

from openhcs_runtime.tasks import NOTES
from openhcs_runtime.viewer_target import ViewCounts, ViewStep
from zmqruntime.execution import AxisProgress, AxisState, PlateProgress, PlateProjection, PlateState
from zmqruntime.messages import (
    Event,
    ExecutionSnapshot,
    ExecutionStatus,
    LogLevel,
    LogLine,
    ProgressUpdate,
    StateChange,
)

__all__ = ["BoardView", "RunProgress", "Stage"]

_MOST_WARNINGS = 100
_VIEW_STEPS = frozenset(ViewStep)
_LOUD = (LogLevel.WARNING, LogLevel.ERROR, LogLevel.CRITICAL)


class Stage(enum.Enum):
    """How far the whole run is, in words."""

    QUEUED = "queued"
    LOADING = "loading the pipeline"
    INIT = "reading the plate"
    COMPILE = "checking the pipeline"
    STARTING = "starting workers"
    WELLS = "working"
    FINISHING = "writing tables"
    CANCELLING = "cancelling"
    ENDED = "ended"

    @classmethod
    def of(cls, plate: PlateProgress) -> "Stage":
        """The stage of this plate."""
        match plate.state:
            case PlateState.RUNNING:
                return cls._of_running(plate)
            case PlateState.QUEUED | PlateState.CANCELLING:
                return cls[plate.state.name]
            case PlateState.INIT_PENDING:
                return cls.INIT
            case PlateState.COMPILE_PENDING:
                return cls.COMPILE
            case _:
                return cls.ENDED

    @classmethod
    def _of_running(cls, plate: PlateProgress) -> "Stage":
        if not plate.has_reported:
            return cls.LOADING
        if plate.axes_waiting == plate.axes_total:
            return cls.STARTING
        return cls.WELLS if plate.axes_waiting + plate.axes_running else cls.FINISHING


@dataclass(frozen=True, slots=True)
class BoardView:
    """The run at one moment. ``elapsed`` is in seconds since it left the queue."""

    plate: PlateProgress
    elapsed: float
    remaining: float | None
    """How long the rest takes at the same pace, in seconds; None while it is too early to say."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was decided for the user, such as which channel shows nuclei."""
    viewer: ViewCounts | None = None
    """How far the viewer is; None where nothing was sent to one."""
    waiting: str = ""
    """Says that the server is not answering; empty while it is."""

    @property
    def stage(self) -> Stage:
        """How far the whole run is, in words."""
        return Stage.of(self.plate)

    @property
    def wells(self) -> tuple[AxisProgress, ...]:
        """The wells, in the order of the plate."""
        return self.plate.axes

    @property
    def fraction(self) -> float:
        """How much of the plate is done, 0 to 1."""
        return self.plate.fraction

    def count(self, *states: AxisState) -> int:
        """How many wells are in one of these states."""
        return sum(well.state in states for well in self.wells)

    @property
    def done(self) -> int:
        """How many wells have been worked on to their end, good or bad."""
        return self.plate.axes_done + self.plate.axes_failed


class _Clock:
    """The server's clock by the times in its events, so that late watchers see the true elapsed time."""

    def __init__(self) -> None:
        self._told = -math.inf
        self._heard_at = 0.0

    def on_event(self, timestamp: float) -> None:
        """Apply the time of an event; events come late, never early."""
        if timestamp > self.now():
            self._told, self._heard_at = timestamp, time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch, as far as events have told."""
        return self._told + time.monotonic() - self._heard_at


class RunProgress:
    """Takes the events of one execution in their order; any thread may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._projection = PlateProjection()
        self._warnings: list[str] = []
        self._notes: list[str] = []
        self._viewer: ViewCounts | None = None
        self._waiting = ""
        self._clock = _Clock()

    def apply(self, event: Event) -> None:
        """Apply one event."""
        with self._lock:
            self._clock.on_event(event.timestamp)
            match event:
                case ProgressUpdate(step_name=step, axis_id="") if step in _VIEW_STEPS:
                    counts = self._viewer or ViewCounts()
                    self._viewer = counts.with_count(ViewStep(step), event.completed, event.total)
                case ProgressUpdate() | StateChange():
                    self._projection.apply(event)
                case LogLine(level=level, logger=logger, text=text):
                    if logger == NOTES and len(self._notes) < _MOST_WARNINGS:
                        self._notes.append(text)
                    elif level in _LOUD and len(self._warnings) < _MOST_WARNINGS:
                        self._warnings.append(text)

    def note_status(self, status: ExecutionStatus) -> None:
        """Apply a status that no event carries: that of a run without a server."""
        now = time.time()
        execution = ExecutionSnapshot(execution_id="", plate_id="", status=status, submitted_at=now)
        with self._lock:
            self._clock.on_event(now)
            self._projection.on_execution(execution, now)

    def note_waiting(self, text: str) -> None:
        """Say that the server is not answering, in words; empty when it is."""
        with self._lock:
            self._waiting = text

    @property
    def messages(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Notes and warnings so far. Unlike :meth:`view` it costs the same however many wells there are."""
        with self._lock:
            return tuple(self._notes), tuple(self._warnings)

    def view(self) -> BoardView:
        """The run as it is now."""
        with self._lock:
            plate, now = self._projection.progress(), self._clock.now()
            return BoardView(
                plate,
                elapsed=plate.elapsed_seconds(now),
                remaining=plate.remaining_seconds(now),
                warnings=tuple(self._warnings),
                notes=tuple(self._notes),
                viewer=self._viewer,
                waiting="" if Stage.of(plate) is Stage.ENDED else self._waiting,
            )
