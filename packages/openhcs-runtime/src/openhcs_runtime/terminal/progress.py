"""The progress of a run: events go in, a frozen view of plate and wells comes out."""

import enum
import math
import threading
import time
from dataclasses import dataclass

from openhcs_runtime.tasks import FOLLOW_STEP, NOTES
from openhcs_runtime.viewer_target import ViewCounts, ViewStep
from zmqruntime.execution import AxisProgress, AxisState, PlateProgress, PlateProjection, PlateState
from zmqruntime.messages import (
    Event,
    ExecutionSnapshot,
    ExecutionStatus,
    LogLevel,
    LogLine,
    ProgressPhase,
    ProgressStatus,
    ProgressUpdate,
    StateChange,
)

__all__ = ["BoardView", "RunProgress", "Stage"]

_MOST_WARNINGS = 100
_STEP_PHASES = (ProgressPhase.STEP_STARTED, ProgressPhase.PATTERN_GROUP, ProgressPhase.STEP_COMPLETED)
_VIEW_STEPS = frozenset(ViewStep)
_LOUD = (LogLevel.WARNING, LogLevel.ERROR, LogLevel.CRITICAL)


class Stage(enum.Enum):
    """The stage of the whole run, in words."""

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
        """Return the stage of this plate."""
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
    """Estimated seconds at the present pace; None while it is too early to say."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Automatic decisions, such as which channel shows nuclei."""
    viewer: ViewCounts | None = None
    """The progress of the viewer; None if nothing was sent to one."""
    waiting: str = ""
    """Says that the server is not responding; empty while it is."""
    following: str = ""
    """Says how long a run has been waiting for images of the microscope; empty while it is not waiting."""
    plate_step: str = ""
    """The step over the plate that is running, with its progress; empty if none is."""

    @property
    def stage(self) -> Stage:
        """The stage of the whole run."""
        return Stage.of(self.plate)

    @property
    def wells(self) -> tuple[AxisProgress, ...]:
        """The wells, in plate order."""
        return self.plate.axes

    @property
    def fraction(self) -> float:
        """How much of the plate is done, 0 to 1."""
        return self.plate.fraction

    def count(self, *states: AxisState) -> int:
        """Return how many wells are in one of these states."""
        return sum(well.state in states for well in self.wells)

    @property
    def done(self) -> int:
        """The number of complete and failed wells."""
        return self.plate.axes_done + self.plate.axes_failed


class _Clock:
    """The server's clock, derived from event times, so that late watchers see the true elapsed time."""

    def __init__(self) -> None:
        self._told = -math.inf
        self._heard_at = 0.0

    def on_event(self, timestamp: float) -> None:
        """Apply the time of an event; events come late, never early."""
        if timestamp > self.now():
            self._told, self._heard_at = timestamp, time.monotonic()

    def now(self) -> float:
        """Return the server's time in seconds since the epoch, as derived from events."""
        return self._told + time.monotonic() - self._heard_at


class RunProgress:
    """Follows the events of one execution, in order; may be read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._projection = PlateProjection()
        self._warnings: list[str] = []
        self._notes: list[str] = []
        self._viewer: ViewCounts | None = None
        self._waiting = ""
        self._following = ""
        self._plate_step = ""
        self._clock = _Clock()

    def apply(self, event: Event) -> None:
        """Apply one event."""
        with self._lock:
            self._clock.on_event(event.timestamp)
            match event:
                case ProgressUpdate(step_name=step, axis_id="") if step in _VIEW_STEPS:
                    counts = self._viewer or ViewCounts()
                    self._viewer = counts.with_count(ViewStep(step), event.completed, event.total)
                case ProgressUpdate(step_name=step, axis_id="") if step == FOLLOW_STEP:
                    self._following = event.message or ""
                    self._projection.apply(event)
                case ProgressUpdate(step_name=step, axis_id="", phase=phase) if phase in _STEP_PHASES:
                    is_running = event.status in (ProgressStatus.STARTED, ProgressStatus.RUNNING)
                    self._plate_step = (event.message or step) if is_running else ""
                    self._projection.apply(event)
                case ProgressUpdate() | StateChange():
                    self._following = ""
                    self._projection.apply(event)
                case LogLine(level=level, logger=logger, text=text):
                    if logger == NOTES and len(self._notes) < _MOST_WARNINGS:
                        self._notes.append(text)
                    elif level in _LOUD and len(self._warnings) < _MOST_WARNINGS:
                        self._warnings.append(text)

    def note_status(self, status: ExecutionStatus) -> None:
        """Apply a status without an event, for a run without a server."""
        now = time.time()
        execution = ExecutionSnapshot(execution_id="", plate_id="", status=status, submitted_at=now)
        with self._lock:
            self._clock.on_event(now)
            self._following = ""
            self._projection.on_execution(execution, now)

    def note_waiting(self, text: str) -> None:
        """Set the text that says that the server is not responding; empty while it is."""
        with self._lock:
            self._waiting = text

    @property
    def messages(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Notes and warnings so far. Unlike that of :meth:`view`, the cost does not depend on the number of wells."""
        with self._lock:
            return tuple(self._notes), tuple(self._warnings)

    def view(self) -> BoardView:
        """Return the present state of the run."""
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
                following=self._following,
                plate_step="" if Stage.of(plate) is Stage.ENDED else self._plate_step,
            )
