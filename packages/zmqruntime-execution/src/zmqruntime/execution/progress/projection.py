"""From progress updates to the state of axes, plates and batches: pure functions of what was reported, in any order.

Whether an execution has ended is for its status to say, never for its progress: pass its ``ExecutionSnapshot`` where
there is one.
"""

import enum
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.progress.channels import ProgressChannel, ProgressKey, channel_of, latest_updates
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = [
    "AxisProgress",
    "AxisState",
    "BatchProgress",
    "PlateProgress",
    "PlateState",
    "project_axis",
    "project_batch",
    "project_plate",
]


class AxisState(enum.StrEnum):
    """Where an axis is."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PlateState(enum.StrEnum):
    """Where a plate is, from its submission to its end; the values of an execution's status, and two between them."""

    QUEUED = "queued"
    INIT_PENDING = "init_pending"
    """Its execution runs and is getting ready."""
    COMPILE_PENDING = "compile_pending"
    """Its execution runs and checks what is to be done."""
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class AxisProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One axis. ``percent`` is of all its steps, 0 to 100; the step is the one it is in or ended in, counted from 0.

    ``worker`` is the id of the process that reported it last.
    """

    axis_id: str
    state: AxisState = AxisState.WAITING
    percent: float = 0.0
    step_name: str = ""
    step_index: int = 0
    total_steps: int = 0
    error: str = ""
    worker: int | None = None


class PlateProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One execution. ``percent`` is of all its axes, 0 to 100; ``axes`` are those known so far, by id."""

    execution_id: str
    plate_id: str
    state: PlateState
    has_ended: bool
    """Whether nothing runs or waits to run any more."""
    percent: float
    axes: tuple[AxisProgress, ...]
    axes_total: int
    axes_running: int
    axes_done: int
    """Complete ones."""
    axes_failed: int
    axes_cancelled: int
    error: str


class BatchProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Several plates: how many are in which state, and ``percent`` over all, 0 to 100, each plate counting the same."""

    total: int
    queued: int
    pending: int
    """Getting ready or being checked."""
    running: int
    """Cancelling ones too."""
    complete: int
    failed: int
    cancelled: int
    interrupted: int
    percent: float


AxisUpdates = Mapping[ProgressChannel, ProgressUpdate]

_OPEN = (ProgressStatus.STARTED, ProgressStatus.RUNNING)
_BROKEN: Final = {ProgressStatus.ERROR: AxisState.FAILED, ProgressStatus.CANCELLED: AxisState.CANCELLED}
_BROKEN_PLATES: Final = {ProgressStatus.ERROR: PlateState.FAILED, ProgressStatus.CANCELLED: PlateState.CANCELLED}
_PREPARATIONS: Final = {
    ProgressChannel.INIT: PlateState.INIT_PENDING,
    ProgressChannel.COMPILE: PlateState.COMPILE_PENDING,
}


def project_axis(axis_id: str, latest: AxisUpdates) -> AxisProgress:
    """How an axis stands, from the newest update of each of its channels.

    An axis that has ended stays ended until it is started again.
    """
    pipeline, step = latest.get(ProgressChannel.PIPELINE), latest.get(ProgressChannel.STEP)
    ended = None if pipeline is None else _end_of(pipeline)
    if ended is None and pipeline is not None and step is not None and step.sequence < pipeline.sequence:
        step = None  # of the run before this one
    speaker = pipeline if ended is not None else step or pipeline or _newest(latest.values())
    if speaker is None:
        return AxisProgress(axis_id=axis_id)
    waiting_or_running = AxisState.WAITING if step is None and pipeline is None else AxisState.RUNNING
    place = step or speaker
    return AxisProgress(
        axis_id=axis_id,
        state=ended or _BROKEN.get(speaker.status, waiting_or_running),
        percent=100.0 if ended is AxisState.COMPLETE else 0.0 if step is None else _percent_of_axis(step),
        step_name="" if step is None else step.step_name,
        step_index=0 if step is None else step.step_index,
        total_steps=place.total_steps,
        error=(speaker.error or "") if speaker.status in _BROKEN else "",
        worker=place.worker,
    )


def project_plate(updates: Iterable[ProgressUpdate], execution: ExecutionSnapshot | None = None) -> PlateProgress:
    """How a plate stands.

    Args:
        updates: of one execution, in any order; the newest of each axis and channel suffice.
        execution: what the server says of it; without, the state never is an end that only the server can know.

    A failed axis needs no more work, so it counts as done in the plate's percent; a cancelled one counts as far as it
    got.
    """
    latest = latest_updates(updates)
    by_axis: dict[str, dict[ProgressChannel, ProgressUpdate]] = {}
    for key, update in latest.items():
        by_axis.setdefault(key.axis_id, {})[key.channel] = update
    whole = project_axis("", by_axis.pop("", {}))
    axes = tuple(project_axis(axis_id, by_axis[axis_id]) for axis_id in sorted(by_axis))
    states = [axis.state for axis in axes]
    state = _state_of_plate(latest, execution)
    newest = _newest(latest.values())
    return PlateProgress(
        execution_id=execution.execution_id if execution else newest.execution_id if newest else "",
        plate_id=execution.plate_id if execution else newest.plate_id if newest else "",
        state=state,
        has_ended=execution is not None and has_ended(execution.status, execution.resumable),
        percent=100.0 if state is PlateState.COMPLETE else _percent_of_plate(axes or (whole,)),
        axes=axes,
        axes_total=len(axes),
        axes_running=states.count(AxisState.RUNNING),
        axes_done=states.count(AxisState.COMPLETE),
        axes_failed=states.count(AxisState.FAILED),
        axes_cancelled=states.count(AxisState.CANCELLED),
        error=(execution.error if execution else None) or whole.error,
    )


def project_batch(plates: Iterable[PlateProgress]) -> BatchProgress:
    """How several plates stand together; one that has ended counts as done, whichever way it ended."""
    known = list(plates)
    states = [plate.state for plate in known]
    done = sum(100.0 if plate.has_ended else plate.percent for plate in known)
    return BatchProgress(
        total=len(known),
        queued=states.count(PlateState.QUEUED),
        pending=states.count(PlateState.INIT_PENDING) + states.count(PlateState.COMPILE_PENDING),
        running=states.count(PlateState.RUNNING) + states.count(PlateState.CANCELLING),
        complete=states.count(PlateState.COMPLETE),
        failed=states.count(PlateState.FAILED),
        cancelled=states.count(PlateState.CANCELLED),
        interrupted=states.count(PlateState.INTERRUPTED),
        percent=min(100.0, done / len(known)) if known else 0.0,
    )


def _end_of(pipeline: ProgressUpdate) -> AxisState | None:
    if pipeline.phase is ProgressPhase.AXIS_COMPLETED:
        return _BROKEN.get(pipeline.status, AxisState.COMPLETE)
    return _BROKEN.get(pipeline.status)


def _newest(updates: Iterable[ProgressUpdate]) -> ProgressUpdate | None:
    return max(updates, key=lambda update: (update.sequence, update.timestamp), default=None)


def _percent_of_axis(step: ProgressUpdate) -> float:
    is_done = step.phase is ProgressPhase.STEP_COMPLETED and step.status not in _BROKEN
    total = max(1, step.total_steps)
    done = min(step.step_index, total - 1) * 100.0 + (100.0 if is_done else step.percent)
    return min(100.0, done / total)


def _percent_of_plate(axes: tuple[AxisProgress, ...]) -> float:
    done = sum(100.0 if axis.state is AxisState.FAILED else axis.percent for axis in axes)
    return min(100.0, done / len(axes))


def _state_of_plate(latest: Mapping[ProgressKey, ProgressUpdate], execution: ExecutionSnapshot | None) -> PlateState:
    if execution is not None and execution.status is not ExecutionStatus.RUNNING:
        return PlateState(execution.status.value)
    if execution is None and not latest:
        return PlateState.QUEUED
    broken = None if execution else _broken_preparation(latest)
    return broken or _preparation_under_way(latest) or PlateState.RUNNING


def _broken_preparation(latest: Mapping[ProgressKey, ProgressUpdate]) -> PlateState | None:
    of_plate = [update for key, update in _preparations(latest).items() if not key.axis_id]
    newest = _newest(of_plate)
    return None if newest is None else _BROKEN_PLATES.get(newest.status)


def _preparation_under_way(latest: Mapping[ProgressKey, ProgressUpdate]) -> PlateState | None:
    newest = _newest(update for update in _preparations(latest).values() if update.status in _OPEN)
    return None if newest is None else _PREPARATIONS[channel_of(newest.phase)]


def _preparations(latest: Mapping[ProgressKey, ProgressUpdate]) -> dict[ProgressKey, ProgressUpdate]:
    """What was reported of getting ready and checking after any work was."""
    work = (update.sequence for key, update in latest.items() if key.channel not in _PREPARATIONS)
    last_work = max(work, default=-1)
    return {
        key: update for key, update in latest.items() if key.channel in _PREPARATIONS and update.sequence > last_work
    }
