"""What is known of a run while it goes on: events go in, a frozen view of plate and wells comes out."""

import enum
import math
import threading
import time
from dataclasses import dataclass, replace

from openhcs_runtime.tasks import NOTES
from openhcs_runtime.viewer_target import VIEWER_STEP
from zmqruntime.messages import (
    Event,
    ExecutionStatus,
    LogLevel,
    LogLine,
    ProgressPhase,
    ProgressStatus,
    ProgressUpdate,
    StateChange,
)

__all__ = ["BoardView", "RunProgress", "Stage", "WellState", "WellView"]

_MOST_WARNINGS = 100
_LOUD = (LogLevel.WARNING, LogLevel.ERROR, LogLevel.CRITICAL)


class Stage(enum.Enum):
    """How far the whole run is."""

    QUEUED = "queued"
    LOADING = "loading the pipeline"
    INIT = "reading the plate"
    COMPILE = "checking the pipeline"
    STARTING = "starting workers"
    WELLS = "working"
    FINISHING = "writing tables"
    CANCELLING = "cancelling"
    ENDED = "ended"


class WellState(enum.Enum):
    """How far a well is."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_ENDINGS = {
    ProgressStatus.COMPLETED: WellState.COMPLETE,
    ProgressStatus.ERROR: WellState.FAILED,
    ProgressStatus.CANCELLED: WellState.CANCELLED,
}
_STEP_PHASES = (ProgressPhase.STEP_STARTED, ProgressPhase.PATTERN_GROUP, ProgressPhase.STEP_COMPLETED)


@dataclass(frozen=True, slots=True)
class WellView:
    """One well; ``fraction`` is 0 to 1, ``step_index`` counts from 0."""

    well: str
    state: WellState = WellState.WAITING
    fraction: float = 0.0
    step_name: str = ""
    step_index: int = 0
    total_steps: int = 0
    error: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens in it."""
        return self.state not in (WellState.WAITING, WellState.RUNNING)


@dataclass(frozen=True, slots=True)
class BoardView:
    """The run at one moment. ``elapsed`` is in seconds since it left the queue."""

    stage: Stage
    wells: tuple[WellView, ...]
    elapsed: float
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What was decided for the user, such as which channel shows nuclei."""
    viewer: str = ""
    """How far the viewer is, in words; empty where there is none."""
    waiting: str = ""
    """That the server does not answer, in words; empty while it does."""

    @property
    def fraction(self) -> float:
        """How much of the plate is done, 0 to 1; a well that failed needs no more time, so it counts as done."""
        if not self.wells:
            return 0.0
        return sum(1.0 if well.state is WellState.FAILED else well.fraction for well in self.wells) / len(self.wells)

    def count(self, *states: WellState) -> int:
        """How many wells are in one of these states."""
        return sum(well.state in states for well in self.wells)

    @property
    def done(self) -> int:
        """How many wells have been worked on to their end, good or bad."""
        return self.count(WellState.COMPLETE, WellState.FAILED)

    @property
    def remaining(self) -> float | None:
        """Seconds that the rest takes if it goes on as before; None while it is too early to say."""
        if self.stage is not Stage.WELLS or self.fraction < 0.02 or self.elapsed < 3:
            return None
        return self.elapsed * (1 - self.fraction) / self.fraction


class _Clock:
    """The server's clock by the times in its events, so that who begins to watch late sees since when a run goes on."""

    def __init__(self) -> None:
        self._told = -math.inf
        self._heard_at = 0.0

    def hear(self, timestamp: float) -> None:
        """Take in the time of an event; events come late, never early."""
        if timestamp > self.now():
            self._told, self._heard_at = timestamp, time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch, as far as events have told."""
        return self._told + time.monotonic() - self._heard_at


class RunProgress:
    """Takes the events of one execution in their order; any thread may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stage = Stage.QUEUED
        self._wells: dict[str, WellView] = {}
        self._warnings: list[str] = []
        self._notes: list[str] = []
        self._viewer = ""
        self._waiting = ""
        self._clock = _Clock()
        self._began: float | None = None
        self._ended: float | None = None

    def take(self, event: Event) -> None:
        """Take in one event."""
        with self._lock:
            self._clock.hear(event.timestamp)
            match event:
                case ProgressUpdate():
                    self._take_progress(event)
                case StateChange():
                    self._take_status(event.execution.status, event.timestamp)
                case LogLine(level=level, logger=logger, text=text):
                    if logger == NOTES and len(self._notes) < _MOST_WARNINGS:
                        self._notes.append(text)
                    elif level in _LOUD and len(self._warnings) < _MOST_WARNINGS:
                        self._warnings.append(text)

    def note_status(self, status: ExecutionStatus) -> None:
        """Take in a status that no event tells: of a run without a server."""
        with self._lock:
            now = time.time()
            self._clock.hear(now)
            self._take_status(status, now)

    def note_waiting(self, text: str) -> None:
        """Take in that the server does not answer, in words; empty when it does."""
        with self._lock:
            self._waiting = text

    def view(self) -> BoardView:
        """The run as it is now."""
        with self._lock:
            until = self._clock.now() if self._ended is None else self._ended
            elapsed = 0.0 if self._began is None else max(0.0, until - self._began)
            wells, warnings = tuple(self._wells.values()), tuple(self._warnings)
            waiting, notes = "" if self._stage is Stage.ENDED else self._waiting, tuple(self._notes)
            return BoardView(self._stage, wells, elapsed, warnings, notes, self._viewer, waiting)

    def _take_status(self, status: ExecutionStatus, timestamp: float) -> None:
        match status:
            case ExecutionStatus.QUEUED:
                self._stage = Stage.QUEUED
            case ExecutionStatus.RUNNING:
                self._stage, self._began, self._ended = Stage.LOADING, timestamp, None
            case ExecutionStatus.CANCELLING:
                self._stage = Stage.CANCELLING
            case _:
                self._stage, self._ended = Stage.ENDED, timestamp

    def _take_progress(self, update: ProgressUpdate) -> None:
        if update.step_name == VIEWER_STEP and not update.axis_id:
            self._viewer = update.message or ""
        elif update.phase is ProgressPhase.INIT:
            self._go_on(Stage.INIT)
        elif update.phase is ProgressPhase.COMPILE:
            self._go_on(Stage.STARTING if update.status is ProgressStatus.COMPLETED else Stage.COMPILE)
            if update.axis_id:
                self._wells.setdefault(update.axis_id, WellView(update.axis_id, total_steps=update.total_steps))
        else:
            self._take_well(update)
            all_ended = all(well.has_ended for well in self._wells.values())
            self._go_on(Stage.FINISHING if all_ended else Stage.WELLS)

    def _take_well(self, update: ProgressUpdate) -> None:
        known = self._wells.get(update.axis_id, WellView(update.axis_id))
        if update.phase is ProgressPhase.AXIS_COMPLETED:
            state = _ENDINGS.get(update.status, WellState.FAILED)
            fraction = 1.0 if state is WellState.COMPLETE else known.fraction
            changed = replace(known, state=state, fraction=fraction, error=update.error or "")
        elif update.phase in _STEP_PHASES:
            of_step = update.completed / update.total if update.total else 0.0
            changed = replace(
                known,
                state=WellState.RUNNING,
                fraction=(update.step_index + of_step) / max(1, update.total_steps),
                step_name=update.step_name,
                step_index=update.step_index,
                total_steps=update.total_steps,
            )
        else:
            changed = replace(known, state=WellState.RUNNING, total_steps=update.total_steps)
        self._wells[update.axis_id] = changed

    def _go_on(self, stage: Stage) -> None:
        if self._stage not in (Stage.CANCELLING, Stage.ENDED):
            self._stage = stage
