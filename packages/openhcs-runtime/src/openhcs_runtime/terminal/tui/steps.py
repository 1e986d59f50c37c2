"""What each well has done step by step: progress goes in, a frozen view of one well's steps comes out."""

import enum
from dataclasses import dataclass, field, replace

from zmqruntime.messages import ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = ["StepRecord", "StepState", "StepView"]


class StepState(enum.Enum):
    """How far a step of a well is."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_ENDINGS = {
    ProgressStatus.COMPLETED: StepState.COMPLETE,
    ProgressStatus.CANCELLED: StepState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of one well: ``completed`` of ``total`` image groups; ``seconds`` is None until it has ended."""

    name: str
    state: StepState = StepState.WAITING
    completed: int = 0
    total: int = 0
    seconds: float | None = None


@dataclass(slots=True)
class _Well:
    steps: dict[int, StepView] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    total: int = 0
    traceback: str = ""


class StepRecord:
    """Takes the progress of one execution in its order; for one thread."""

    def __init__(self) -> None:
        self._wells: dict[str, _Well] = {}
        self._names: dict[int, str] = {}

    def take(self, update: ProgressUpdate) -> None:
        """Take in one report."""
        if not update.axis_id:
            return
        well = self._wells.setdefault(update.axis_id, _Well())
        well.total = max(well.total, update.total_steps)
        match update.phase:
            case ProgressPhase.AXIS_STARTED:
                self._wells[update.axis_id] = _Well(total=update.total_steps)
            case ProgressPhase.STEP_STARTED | ProgressPhase.PATTERN_GROUP | ProgressPhase.STEP_COMPLETED:
                self._take_step(well, update)
            case ProgressPhase.AXIS_COMPLETED:
                well.traceback = update.traceback or ""

    def steps_of(self, well: str) -> tuple[StepView, ...]:
        """All steps of a well in their order; what no well has begun yet is called by its number."""
        known = self._wells.get(well, _Well())
        return tuple(known.steps.get(index) or StepView(self._name(index)) for index in range(known.total))

    def traceback_of(self, well: str) -> str:
        """Where in the user's function a well failed; empty if it did not."""
        known = self._wells.get(well)
        return known.traceback if known else ""

    def _name(self, index: int) -> str:
        return self._names.get(index, f"step {index + 1}")

    def _take_step(self, well: _Well, update: ProgressUpdate) -> None:
        index = update.step_index
        self._names[index] = update.step_name
        step = StepView(update.step_name, StepState.RUNNING, update.completed, update.total)
        if update.phase is ProgressPhase.STEP_STARTED:
            well.began[index] = update.timestamp
        elif update.phase is ProgressPhase.STEP_COMPLETED:
            began = well.began.get(index)
            step = replace(
                step,
                state=_ENDINGS.get(update.status, StepState.FAILED),
                seconds=None if began is None else max(0.0, update.timestamp - began),
            )
        well.steps[index] = step
