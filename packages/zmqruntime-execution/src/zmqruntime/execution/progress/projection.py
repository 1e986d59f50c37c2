"""The state of axes, plates and batches from the events of executions, the same for every view.

:class:`PlateProjection` follows the events of one execution; :func:`project_plate` takes updates in any order. Whether
an execution has ended follows from its status only, never from its progress.
"""

from collections.abc import Iterable
from typing import Final

from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.progress.axes import (
    BROKEN,
    NEVER,
    AxisTable,
    AxisTracker,
    Order,
    order_of,
    project_axis,
)
from zmqruntime.execution.progress.channels import ProgressChannel, channel_of, is_newer
from zmqruntime.execution.progress.loops import CountedLoops
from zmqruntime.execution.progress.values import AxisProgress, AxisState, BatchProgress, PlateProgress, PlateState
from zmqruntime.messages import (
    Event,
    ExecutionSnapshot,
    ExecutionStatus,
    LogLine,
    ProgressStatus,
    ProgressUpdate,
    StateChange,
)

__all__ = ["PlateProjection", "project_batch", "project_plate"]

_OPEN: Final = (ProgressStatus.STARTED, ProgressStatus.RUNNING)
_BROKEN_PLATES: Final = {AxisState.FAILED: PlateState.FAILED, AxisState.CANCELLED: PlateState.CANCELLED}
_PREPARATIONS: Final = {
    ProgressChannel.INIT: PlateState.INIT_PENDING,
    ProgressChannel.COMPILE: PlateState.COMPILE_PENDING,
}
_AT_REST: Final = (
    PlateState.COMPLETE,
    PlateState.FAILED,
    PlateState.CANCELLED,
    PlateState.INTERRUPTED,
)


class PlateProjection:
    """Follows the events of one execution, in order; the cost depends only on what they change. For one thread."""

    def __init__(self) -> None:
        self._axes = AxisTable()
        self._tracker = AxisTracker()
        self._preparation = _Preparation()
        self._loops = CountedLoops()
        self._updates: dict[ProgressChannel, ProgressUpdate] = {}
        self._whole = AxisProgress("")
        self._ids = ("", "")
        self._has_reported = False
        self._ended_at: float | None = None

    def apply(self, event: Event) -> None:
        """Apply an event; log lines are ignored."""
        match event:
            case ProgressUpdate():
                self._on_progress(event)
            case StateChange(execution=execution, timestamp=timestamp):
                self.on_execution(execution, timestamp)
            case LogLine():
                pass

    def on_execution(self, execution: ExecutionSnapshot, timestamp: float | None = None) -> None:
        """Apply a snapshot, and the time of its event."""
        known = self._tracker.execution
        if known is not None and execution.status is ExecutionStatus.RUNNING is not known.status:
            self._preparation = _Preparation()
            self._loops = CountedLoops()
            self._has_reported = False
        self._tracker.on_execution(execution, timestamp)
        self._ids = execution.execution_id, execution.plate_id
        rests = PlateState(execution.status.value) in _AT_REST
        self._ended_at = (execution.ended_at or timestamp) if rests else None

    def progress(self) -> PlateProgress:
        """Return the present state."""
        axes, execution = self._axes, self._tracker.execution
        axes.put(self._tracker.take_changes())
        state, loops = self._state(execution), self._loops
        return PlateProgress(
            execution_id=self._ids[0],
            plate_id=self._ids[1],
            state=state,
            has_ended=execution is not None and has_ended(execution.status, execution.resumable),
            has_reported=self._has_reported,
            percent=100.0 if state is PlateState.COMPLETE else self._percent(),
            axes=axes.rows(),
            axes_total=len(axes),
            axes_running=axes.count(AxisState.RUNNING),
            axes_done=axes.count(AxisState.COMPLETE),
            axes_failed=axes.count(AxisState.FAILED),
            axes_cancelled=axes.count(AxisState.CANCELLED),
            error=(execution.error if execution else None) or self._whole.error,
            started_at=self._tracker.started_at,
            ended_at=self._ended_at,
            work=loops.work if loops.is_in_use else axes.work(self._tracker.working_since),
            text=loops.text if state.is_working else "",
        )

    def _percent(self) -> float:
        if self._loops.is_in_use:
            return self._loops.percent
        return self._axes.percent if self._axes else _percent_of_whole(self._whole)

    def _on_progress(self, update: ProgressUpdate) -> None:
        self._has_reported = True
        if self._tracker.execution is None:
            self._ids = update.execution_id, update.plate_id
        self._tracker.on_progress(update)
        self._preparation.on_progress(update)
        self._loops.on_progress(update)
        channel = channel_of(update.phase)
        if not update.axis_id and is_newer(update, self._updates.get(channel)):
            self._updates[channel] = update
            self._whole = project_axis("", self._updates)

    def _state(self, execution: ExecutionSnapshot | None) -> PlateState:
        if execution is not None and execution.status is not ExecutionStatus.RUNNING:
            return PlateState(execution.status.value)
        if execution is None and not self._has_reported:
            return PlateState.QUEUED
        broken = None if execution else self._preparation.broken
        return broken or self._preparation.under_way or PlateState.RUNNING


class _Preparation:
    """Updates about preparation and compilation since the last work on an axis."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, ProgressChannel], ProgressUpdate] = {}
        self._last_work: Order = NEVER

    def on_progress(self, update: ProgressUpdate) -> None:
        channel = channel_of(update.phase)
        key, order = (update.axis_id, channel), order_of(update)
        if channel not in _PREPARATIONS:
            self._last_work = max(self._last_work, order)
            if self._latest:
                self._latest = {key: known for key, known in self._latest.items() if order_of(known) > self._last_work}
        elif order > self._last_work and is_newer(update, self._latest.get(key)):
            self._latest[key] = update

    @property
    def under_way(self) -> PlateState | None:
        """The state of a plate that is being prepared or compiled, if any."""
        begun = (update for update in self._latest.values() if update.status in _OPEN)
        newest = max(begun, key=order_of, default=None)
        return None if newest is None else _PREPARATIONS[channel_of(newest.phase)]

    @property
    def broken(self) -> PlateState | None:
        """The state of a plate whose preparation failed or was cancelled, if any."""
        of_plate = (update for (axis_id, _), update in self._latest.items() if not axis_id)
        newest = max(of_plate, key=order_of, default=None)
        state = None if newest is None else BROKEN.get(newest.status)
        return None if state is None else _BROKEN_PLATES[state]


def project_plate(updates: Iterable[ProgressUpdate], execution: ExecutionSnapshot | None = None) -> PlateProgress:
    """Return the state of a plate.

    In the percentage of the plate a failed axis counts as done, and a cancelled one with the progress it made.

    Args:
        updates: the updates of one execution, in any order. The newest of each axis and channel are enough, except to
            count the starts of an axis.
        execution: the server's snapshot; without it, states that only the server can know do not occur.
    """
    projection = PlateProjection()
    for update in sorted(updates, key=order_of):
        projection.apply(update)
    if execution is not None:
        projection.on_execution(execution)
    return projection.progress()


def project_batch(plates: Iterable[PlateProgress]) -> BatchProgress:
    """Return the state of several plates; an ended plate counts as done, however it ended."""
    known = list(plates)
    states = [plate.state for plate in known]
    done = sum(100.0 if plate.has_ended else plate.percent for plate in known)
    return BatchProgress(
        total=len(known),
        queued=states.count(PlateState.QUEUED),
        pending=sum(state.is_preparing for state in states),
        running=sum(state.is_working for state in states),
        complete=states.count(PlateState.COMPLETE),
        failed=states.count(PlateState.FAILED),
        cancelled=states.count(PlateState.CANCELLED),
        interrupted=states.count(PlateState.INTERRUPTED),
        percent=min(100.0, done / len(known)) if known else 0.0,
    )


def _percent_of_whole(whole: AxisProgress) -> float:
    return 100.0 if whole.state is AxisState.FAILED else whole.percent
