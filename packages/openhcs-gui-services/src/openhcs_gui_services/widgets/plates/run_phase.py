"""Which actions apply to plates in their present states, and how far a stop has got. Without Qt."""

import enum
import time
from collections.abc import Callable, Collection, Iterable

from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["BusyTime", "PlateAction", "RunPhase", "plates_for", "run_phase", "scope_text"]


class RunPhase(enum.Enum):
    """The phase of all runs of a window together."""

    IDLE = "idle"
    """Nothing is running."""
    AT_WORK = "at_work"
    """Something is running that nobody has stopped."""
    STOPPING = "stopping"
    """All that is running is to stop."""
    KILLING = "killing"
    """Force stop was chosen."""


class PlateAction(enum.Enum):
    """Actions on plates."""

    REMOVE = "remove"
    INIT = "init"
    COMPILE = "compile"
    RUN = "run"
    RESUME = "resume"
    STOP = "stop"
    KILL = "kill"
    RESULTS = "results"
    REPORT = "report"


def run_phase(states: Iterable[PlateStatus], stop_asked: bool, kill_asked: bool) -> RunPhase:
    """Return the phase, from the states of all plates and the buttons pressed since the run began."""
    stoppable = [state for state in states if state.is_stoppable]
    if not stoppable:
        return RunPhase.IDLE
    if kill_asked:
        return RunPhase.KILLING
    if stop_asked or all(state is PlateStatus.CANCELLING for state in stoppable):
        return RunPhase.STOPPING
    return RunPhase.AT_WORK


def plates_for(action: PlateAction, rows: Collection[PlateRow]) -> list[str]:
    """Return the paths of the plates that the action applies to now."""
    return [row.path for row in rows if _allows(action, row)]


def _allows(action: PlateAction, row: PlateRow) -> bool:
    state = row.snapshot.state
    match action:
        case PlateAction.REMOVE | PlateAction.INIT | PlateAction.COMPILE | PlateAction.RUN:
            return not state.is_busy
        case PlateAction.RESUME:
            if row.can_resume is not None:
                return row.can_resume and not state.is_busy
            return state.is_unfinished and row.execution_id is not None
        case PlateAction.STOP:
            return state.is_stoppable and state is not PlateStatus.CANCELLING
        case PlateAction.KILL:
            return state is PlateStatus.CANCELLING
        case PlateAction.RESULTS | PlateAction.REPORT:
            return row.results is not None


def scope_text(rows: Collection[PlateRow], longest: int = 0) -> str:
    """Return the name of the plate, or ``3 plates``; a name of more than ``longest`` letters (0: any) is elided."""
    if len(rows) != 1:
        return f"{len(rows)} plates" if rows else ""
    [name] = [row.name for row in rows]
    if not longest or len(name) <= longest:
        return name
    tail = longest // 2
    return f"{name[: longest - tail - 1]}\u2026{name[-tail:]}"


class BusyTime:
    """The time spent so far on the running wells, which stopping now would lose.

    A well counts from when it was first seen running, so a reopened window underestimates it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[tuple[str, str], float] = {}

    def apply(self, path: str, wells: Iterable[AxisProgress]) -> None:
        """Apply the new state of wells of a plate."""
        now = self._clock()
        for well in wells:
            key = path, well.axis_id
            if well.state is AxisState.RUNNING:
                self._since.setdefault(key, now)
            else:
                self._since.pop(key, None)

    def forget(self, path: str) -> None:
        """Drop a plate that is no longer running."""
        self._since = {key: since for key, since in self._since.items() if key[0] != path}

    def wells_of(self, paths: Collection[str] | None = None) -> int:
        """Return how many wells of these plates are being worked on [default: of all plates]."""
        return len(self._of(paths))

    def seconds_of(self, paths: Collection[str] | None = None) -> float:
        """Return the total time so far of the running wells of these plates [default: of all plates]."""
        now = self._clock()
        return sum(now - since for since in self._of(paths))

    @property
    def wells(self) -> int:
        """The number of wells being worked on."""
        return self.wells_of()

    @property
    def seconds(self) -> float:
        """The total time of all running wells."""
        return self.seconds_of()

    def _of(self, paths: Collection[str] | None) -> list[float]:
        return [since for (path, _), since in self._since.items() if paths is None or path in paths]
