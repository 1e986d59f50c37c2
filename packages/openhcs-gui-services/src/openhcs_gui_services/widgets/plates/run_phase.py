"""Which actions apply to plates in their present states, and the phase of Run, Stop and Force Kill. Without Qt."""

import enum
import time
from collections.abc import Callable, Collection, Iterable

from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["BusyTime", "PlateAction", "RunPhase", "plates_for", "run_phase"]


class RunPhase(enum.Enum):
    """The phase of a run, which decides what the run button offers."""

    IDLE = "idle"
    """Nothing is running: Run."""
    AT_WORK = "at_work"
    """Something is running: Stop."""
    STOPPING = "stopping"
    """Stop was pressed: Force Kill."""
    KILLING = "killing"
    """Force Kill was pressed: nothing further is offered."""


class PlateAction(enum.Enum):
    """Actions on plates."""

    REMOVE = "remove"
    INIT = "init"
    COMPILE = "compile"
    RUN = "run"
    RESUME = "resume"
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
            return state.is_unfinished and row.execution_id is not None
        case PlateAction.RESULTS:
            return row.output is not None
        case PlateAction.REPORT:
            return not state.is_busy and row.results is not None


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

    @property
    def wells(self) -> int:
        """The number of wells being worked on."""
        return len(self._since)

    @property
    def seconds(self) -> float:
        """The total time of all running wells."""
        now = self._clock()
        return sum(now - since for since in self._since.values())
