"""Events of made-up executions, for tests of views of their progress; nothing at run time imports this module."""

from collections.abc import Sequence
from typing import Any

from zmqruntime.messages import (
    ExecutionSnapshot,
    ExecutionStatus,
    ProgressPhase,
    ProgressStatus,
    ProgressUpdate,
    StateChange,
)

__all__ = ["EventScript"]


class EventScript:
    """Makes the events that a server would send for one execution.

    Each method appends to ``events`` and returns the script, so that calls can be chained. Time passes only in
    :meth:`wait`.

    Args:
        steps: names of the steps of each axis.
        groups: how many pattern groups each step has.
        execution_id: of the execution.
        plate_id: what it is about.
    """

    def __init__(
        self,
        steps: Sequence[str] = ("Denoise", "Segment", "Measure"),
        groups: int = 4,
        *,
        execution_id: str = "e",
        plate_id: str = "/plate",
    ) -> None:
        self.events: list[ProgressUpdate | StateChange] = []
        self.now = 1000.0
        self.snapshot: ExecutionSnapshot | None = None
        self._steps = tuple(steps)
        self._groups = groups
        self._ids = execution_id, plate_id
        self._updates = self._changes = 0
        self._place: dict[str, int] = {}
        self._started_at: float | None = None
        self._attempts = 0

    @property
    def updates(self) -> list[ProgressUpdate]:
        """The progress updates among the events."""
        return [event for event in self.events if isinstance(event, ProgressUpdate)]

    # --- the execution -------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> "EventScript":
        """Let time pass."""
        self.now += seconds
        return self

    def status(self, status: ExecutionStatus, **fields: Any) -> "EventScript":
        """The execution goes to another status; ``fields`` are of its snapshot."""
        if status is ExecutionStatus.QUEUED:
            self._started_at = None
        if status is ExecutionStatus.RUNNING:
            self._started_at = self.now
            self._attempts += 1
        execution_id, plate_id = self._ids
        times = {"submitted_at": 1000.0, "started_at": self._started_at, "attempts": self._attempts}
        snapshot = ExecutionSnapshot(execution_id=execution_id, plate_id=plate_id, status=status, **{**times, **fields})
        self._changes += 1
        self.snapshot = snapshot
        self.events.append(StateChange(sequence=self._changes, timestamp=self.now, execution=snapshot))
        return self

    def run(self) -> "EventScript":
        """It leaves the queue."""
        return self.status(ExecutionStatus.QUEUED).status(ExecutionStatus.RUNNING)

    def prepare(self, *axes: str) -> "EventScript":
        """The plate is read and checked, and its axes are announced."""
        for phase in (ProgressPhase.INIT, ProgressPhase.COMPILE):
            for status in (ProgressStatus.STARTED, ProgressStatus.COMPLETED):
                self.report("", phase, status, completed=int(status is ProgressStatus.COMPLETED), total=1)
        for axis_id in axes:
            self.report(axis_id, ProgressPhase.COMPILE, ProgressStatus.COMPLETED, completed=1, total=1)
        return self

    # --- its axes ------------------------------------------------------------------------------------------------

    def start(self, *axes: str) -> "EventScript":
        """These axes are started."""
        for axis_id in axes:
            self._place[axis_id] = 0
            self.report(axis_id, ProgressPhase.AXIS_STARTED, ProgressStatus.STARTED)
        return self

    def work(self, axis_id: str, groups: int, *, step: int | None = None) -> "EventScript":
        """Do this many groups of a step, by default of the one that the axis is in."""
        place = self._place.get(axis_id, 0) if step is None else step
        self._place[axis_id] = place
        self.report(axis_id, ProgressPhase.STEP_STARTED, ProgressStatus.STARTED, step=place)
        for done in range(1, groups + 1):
            self.report(axis_id, ProgressPhase.PATTERN_GROUP, ProgressStatus.RUNNING, step=place, completed=done)
        return self

    def finish_step(self, axis_id: str) -> "EventScript":
        """Do all groups of the step that the axis is in."""
        place = self._place.get(axis_id, 0)
        self.work(axis_id, self._groups)
        self.report(axis_id, ProgressPhase.STEP_COMPLETED, ProgressStatus.COMPLETED, step=place, completed=self._groups)
        self._place[axis_id] = place + 1
        return self

    def finish(self, *axes: str) -> "EventScript":
        """Do the remaining steps of these axes."""
        for axis_id in axes:
            while self._place.get(axis_id, 0) < len(self._steps):
                self.finish_step(axis_id)
            self.end(axis_id, ProgressStatus.COMPLETED)
        return self

    def take_over(self, *axes: str) -> "EventScript":
        """These axes were done by an earlier run."""
        for axis_id in axes:
            self.end(axis_id, ProgressStatus.COMPLETED)
        return self

    def fail(self, axis_id: str, error: str, traceback: str | None = None) -> "EventScript":
        """The axis fails."""
        return self.end(axis_id, ProgressStatus.ERROR, error, traceback)

    def cancel(self, *axes: str) -> "EventScript":
        """These axes are cancelled."""
        for axis_id in axes:
            self.end(axis_id, ProgressStatus.CANCELLED)
        return self

    def end(
        self, axis_id: str, status: ProgressStatus, error: str | None = None, traceback: str | None = None
    ) -> "EventScript":
        """The axis ends with this status."""
        step = min(self._place.get(axis_id, 0), len(self._steps) - 1)
        return self.report(axis_id, ProgressPhase.AXIS_COMPLETED, status, step=step, error=error, traceback=traceback)

    def report(
        self,
        axis_id: str,
        phase: ProgressPhase,
        status: ProgressStatus,
        *,
        step: int = 0,
        completed: int = 0,
        total: int | None = None,
        error: str | None = None,
        traceback: str | None = None,
    ) -> "EventScript":
        """Any update; ``total`` is the number of groups of a step by default."""
        of = self._groups if total is None else total
        self._updates += 1
        self.events.append(
            ProgressUpdate(
                execution_id=self._ids[0],
                plate_id=self._ids[1],
                axis_id=axis_id,
                step_name=self._steps[min(step, len(self._steps) - 1)],
                step_index=step,
                total_steps=len(self._steps),
                phase=phase,
                status=status,
                completed=completed,
                total=of,
                percent=100.0 * completed / of if of else 0.0,
                timestamp=self.now,
                sequence=self._updates,
                error=error,
                traceback=traceback,
            )
        )
        return self
