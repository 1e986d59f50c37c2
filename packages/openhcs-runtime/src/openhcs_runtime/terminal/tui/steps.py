"""The steps of each well: states from the well, image groups and times from its progress updates."""

from dataclasses import dataclass, field

from zmqruntime.execution import AxisProgress, AxisState
from zmqruntime.messages import ProgressPhase, ProgressUpdate

__all__ = ["StepRecord", "StepView"]


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of one well: ``completed`` of ``total`` image groups; ``seconds`` is None until it has ended."""

    name: str
    state: AxisState = AxisState.WAITING
    completed: int = 0
    total: int = 0
    seconds: float | None = None


@dataclass(slots=True)
class _Well:
    latest: dict[int, ProgressUpdate] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    traceback: str = ""


class StepRecord:
    """Follows the progress updates of one execution, in order. For one thread."""

    def __init__(self) -> None:
        self._wells: dict[str, _Well] = {}
        self._names: dict[int, str] = {}

    def apply(self, update: ProgressUpdate) -> None:
        """Apply one update."""
        if not update.axis_id:
            return
        well = self._wells.setdefault(update.axis_id, _Well())
        match update.phase:
            case ProgressPhase.AXIS_STARTED:
                self._wells[update.axis_id] = _Well()
            case ProgressPhase.STEP_STARTED | ProgressPhase.PATTERN_GROUP | ProgressPhase.STEP_COMPLETED:
                self._names[update.step_index] = update.step_name
                well.latest[update.step_index] = update
                if update.phase is ProgressPhase.STEP_STARTED:
                    well.began[update.step_index] = update.timestamp
            case ProgressPhase.AXIS_COMPLETED:
                well.traceback = update.traceback or ""

    def steps_of(self, well: AxisProgress) -> tuple[StepView, ...]:
        """Return all steps of a well, in order; a step that no well has started yet is named by its number."""
        known = self._wells.get(well.axis_id, _Well())
        return tuple(self._step(well.state_of_step(index), index, known) for index in range(well.total_steps))

    def traceback_of(self, well: AxisProgress) -> str:
        """Return the traceback of a failed well; empty for other wells."""
        known = self._wells.get(well.axis_id)
        return known.traceback if known and well.state is AxisState.FAILED else ""

    def _step(self, state: AxisState, index: int, well: _Well) -> StepView:
        name = self._names.get(index, f"step {index + 1}")
        update = well.latest.get(index)
        if update is None or state is AxisState.WAITING:
            return StepView(name, state)
        seconds = None
        if update.phase is ProgressPhase.STEP_COMPLETED and index in well.began:
            seconds = max(0.0, update.timestamp - well.began[index])
        return StepView(name, state, update.completed, update.total, seconds)
