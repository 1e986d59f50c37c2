"""What a person may do with plates in the states they are in, and where Run, Stop and Force Kill stand. No Qt."""

import enum
import time
from collections.abc import Callable, Collection, Iterable

from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["BusyTime", "PlateAction", "RunPhase", "plates_for", "run_phase"]


class RunPhase(enum.Enum):
    """What the one button of a run offers, and so what has been asked for before."""

    IDLE = "idle"
    """Nothing runs: Run."""
    AT_WORK = "at_work"
    """Stop."""
    STOPPING = "stopping"
    """Stop was pressed: Force Kill."""
    KILLING = "killing"
    """Force Kill was pressed: nothing more can be asked for."""


class PlateAction(enum.Enum):
    """What can be done with plates."""

    REMOVE = "remove"
    INIT = "init"
    COMPILE = "compile"
    RUN = "run"
    RESUME = "resume"
    RESULTS = "results"


def run_phase(states: Iterable[PlateStatus], stop_asked: bool, kill_asked: bool) -> RunPhase:
    """Where the sequence stands, from the states of all plates and what has been pressed since they began."""
    stoppable = [state for state in states if state.is_stoppable]
    if not stoppable:
        return RunPhase.IDLE
    if kill_asked:
        return RunPhase.KILLING
    if stop_asked or all(state is PlateStatus.CANCELLING for state in stoppable):
        return RunPhase.STOPPING
    return RunPhase.AT_WORK


def plates_for(action: PlateAction, rows: Collection[PlateRow]) -> list[str]:
    """The paths of those plates with which this can be done now."""
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


class BusyTime:
    """How long the wells that run have been worked on, which a stop in the middle of them would lose.

    A well counts from when it was first seen running; so after a window was opened again it is less than it was.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[tuple[str, str], float] = {}

    def apply(self, path: str, wells: Iterable[AxisProgress]) -> None:
        """Wells of a plate are now so."""
        now = self._clock()
        for well in wells:
            key = path, well.axis_id
            if well.state is AxisState.RUNNING:
                self._since.setdefault(key, now)
            else:
                self._since.pop(key, None)

    def forget(self, path: str) -> None:
        """Nothing of this plate runs any more."""
        self._since = {key: since for key, since in self._since.items() if key[0] != path}

    @property
    def wells(self) -> int:
        """How many wells are being worked on."""
        return len(self._since)

    @property
    def seconds(self) -> float:
        """The time of all of them together."""
        now = self._clock()
        return sum(now - since for since in self._since.values())
