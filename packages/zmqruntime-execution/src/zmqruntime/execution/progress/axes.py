"""The axes of one execution: the state of each, from its progress updates, and their sums."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from zmqruntime.execution.progress.channels import ProgressChannel, channel_of, is_newer
from zmqruntime.execution.progress.values import AxisProgress, AxisState, Work
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = [
    "BROKEN",
    "NEVER",
    "AxisStarts",
    "AxisTable",
    "AxisTracker",
    "AxisUpdates",
    "Order",
    "order_of",
    "percent_of",
    "project_axis",
    "settle_axis",
]

AxisUpdates = Mapping[ProgressChannel, ProgressUpdate]
"""The newest update of each channel of one axis."""

Order = tuple[int, float]
"""The update with the higher order is the later one."""

NEVER: Final[Order] = (-1, 0.0)
BROKEN: Final = {ProgressStatus.ERROR: AxisState.FAILED, ProgressStatus.CANCELLED: AxisState.CANCELLED}


class AxisStarts(NamedTuple):
    """How often an axis was started, and the order of its latest start."""

    times: int = 0
    latest: Order = NEVER


NOT_STARTED: Final = AxisStarts()


def order_of(update: ProgressUpdate) -> Order:
    """Return the place of an update among all: by sequence, or by time between updates without one."""
    return update.sequence, update.timestamp


def project_axis(
    axis_id: str, latest: AxisUpdates, *, since: Order = NEVER, starts: AxisStarts = NOT_STARTED
) -> AxisProgress:
    """Return the state of an axis.

    An ended axis stays ended until it is started again. When a later attempt of its execution announces it, it starts
    at 0 without its old error, unless it is complete.

    Args:
        axis_id: the axis.
        latest: the newest update of each of its channels.
        since: the last update before the current attempt of the execution.
        starts: its starts, if all updates were seen.
    """
    prepared = _preparation_of(latest)
    begun = NEVER if prepared is None else order_of(prepared)
    pipeline = _made_after(latest.get(ProgressChannel.PIPELINE), since, begun)
    step = _made_after(latest.get(ProgressChannel.STEP), since, begun)
    ended = None if pipeline is None else _end_of(pipeline)
    if pipeline is not None and step is not None and ended is None and order_of(step) < order_of(pipeline):
        step = None  # from an earlier start
    source = pipeline if step is None or ended is not None else step
    if source is None:
        return _idle_axis(axis_id, latest, prepared, starts)
    state = ended or BROKEN.get(source.status, AxisState.RUNNING)
    is_worked_on = step is not None or (starts.latest > since and starts.latest >= begun)
    if state is AxisState.COMPLETE:
        step = latest.get(ProgressChannel.STEP)  # an earlier attempt may have done it
    return _axis(axis_id, state, step, source, starts.times or int(is_worked_on), not is_worked_on)


def settle_axis(axis: AxisProgress, status: ExecutionStatus, error: str = "") -> AxisProgress:
    """Return the state of an axis whose execution has this status: only a running execution has running axes.

    If the execution was interrupted or went back to the queue, a running axis is waiting to be started again. If it has
    ended, so has the axis.
    """
    if axis.state.has_ended or status.is_working:
        return axis
    match status:
        case ExecutionStatus.COMPLETE:
            return _ended(axis, AxisState.COMPLETE)
        case ExecutionStatus.CANCELLED:
            return _ended(axis, AxisState.CANCELLED)
        case ExecutionStatus.FAILED if axis.state is AxisState.RUNNING:
            return _ended(axis, AxisState.FAILED, error)
        case _ if axis.state is AxisState.RUNNING:
            return AxisProgress(axis.axis_id, total_steps=axis.total_steps, attempt=axis.attempt)
        case _:
            return axis


class AxisTracker:
    """Follows the events of one execution, in order, and returns the axes that they change.

    The cost of an event does not depend on the number of axes; only a change of the execution's status affects all.
    """

    def __init__(self) -> None:
        self.execution: ExecutionSnapshot | None = None
        """The latest snapshot of the execution, if there is one."""
        self.started_at: float | None = None
        """When it last left the queue, in seconds since the epoch."""
        self._updates: dict[str, dict[ProgressChannel, ProgressUpdate]] = {}
        self._starts: dict[str, AxisStarts] = {}
        self._touched: dict[str, None] = {}
        self._newest = self._since = NEVER
        self._worked_since: float | None = None

    @property
    def working_since(self) -> float | None:
        """When the current attempt started its first axis, in seconds since the epoch; None before that."""
        if self._worked_since is None or self.started_at is None:
            return self._worked_since
        return max(self._worked_since, self.started_at)  # the clock of a remote worker may differ

    def on_progress(self, update: ProgressUpdate) -> None:
        """Apply an update; an outdated one is ignored."""
        order, axis_id = order_of(update), update.axis_id
        if order > self._newest:
            self._newest = order
        if not axis_id:
            return
        latest = self._updates.setdefault(axis_id, {})
        channel = channel_of(update.phase)
        if not is_newer(update, latest.get(channel)):
            return
        latest[channel] = update
        self._touched[axis_id] = None
        has_started = update.phase is ProgressPhase.AXIS_STARTED
        if has_started:
            self._on_started(axis_id, latest, order)
        if self._worked_since is None and (has_started or channel is ProgressChannel.STEP):
            self._worked_since = update.timestamp

    def on_execution(self, execution: ExecutionSnapshot, timestamp: float | None = None) -> None:
        """Apply a snapshot, and the time of its event.

        When the execution is running again, all earlier updates belong to previous attempts.
        """
        known = None if self.execution is None else self.execution.status
        self.execution = execution
        if execution.started_at is not None:
            self.started_at = execution.started_at
        elif execution.status is ExecutionStatus.RUNNING:
            self.started_at = timestamp
        if execution.status is known:
            return
        if execution.status is ExecutionStatus.RUNNING and known is not None:
            self._since, self._worked_since = self._newest, None
        if known is not None or execution.status is not ExecutionStatus.RUNNING:
            self._touched.update(dict.fromkeys(self._updates))

    def take_changes(self) -> list[AxisProgress]:
        """Return the axes that may have changed since the last call."""
        touched, self._touched = self._touched, {}
        return [self._project(axis_id) for axis_id in touched]

    def _on_started(self, axis_id: str, latest: dict[ProgressChannel, ProgressUpdate], order: Order) -> None:
        self._starts[axis_id] = AxisStarts(self._starts.get(axis_id, NOT_STARTED).times + 1, order)
        step = latest.get(ProgressChannel.STEP)
        if step is not None and order_of(step) < order:
            del latest[ProgressChannel.STEP]

    def _project(self, axis_id: str) -> AxisProgress:
        starts = self._starts.get(axis_id, NOT_STARTED)
        axis = project_axis(axis_id, self._updates[axis_id], since=self._since, starts=starts)
        execution = self.execution
        return axis if execution is None else settle_axis(axis, execution.status, execution.error or "")


class AxisTable:
    """The axes of a plate in the order in which they became known, and their sums, updated with each change."""

    def __init__(self) -> None:
        self._axes: dict[str, AxisProgress] = {}
        self._counts: Counter[AxisState] = Counter()
        self._percents = self._done = self._left = 0.0

    def __len__(self) -> int:
        return len(self._axes)

    def __iter__(self) -> Iterator[AxisProgress]:
        return iter(self._axes.values())

    def rows(self) -> tuple[AxisProgress, ...]:
        """Return all axes."""
        return (*self._axes.values(),)

    def get(self, axis_id: str) -> AxisProgress | None:
        """Return the axis with this id, if it is known."""
        return self._axes.get(axis_id)

    def put(self, axes: Iterable[AxisProgress]) -> tuple[AxisProgress, ...]:
        """Store these axes and return those that changed.

        A complete axis stays complete until it is started again, even if another execution announces it.
        """
        changed = []
        for axis in axes:
            known = self._axes.get(axis.axis_id)
            if axis == known:
                continue
            if known is None:
                self._count(axis, 1)
            elif known.state is AxisState.RUNNING is axis.state:  # nearly always
                self._move(axis.percent - known.percent)
            elif known.state is AxisState.COMPLETE and axis.state is AxisState.WAITING and not axis.attempt:
                continue
            else:
                self._count(known, -1)
                self._count(axis, 1)
            self._axes[axis.axis_id] = axis
            changed.append(axis)
        return tuple(changed)

    def clear(self) -> None:
        """Remove all axes."""
        self._axes.clear()
        self._counts.clear()
        self._percents = self._done = self._left = 0.0

    def begin_again(self) -> tuple[AxisProgress, ...]:
        """Start over for a resumed run: complete axes are taken over, the others are waiting."""
        return self.put([_left_over(axis) for axis in self])

    def count(self, state: AxisState) -> int:
        """Return how many axes are in this state."""
        return self._counts[state]

    @property
    def percent(self) -> float:
        """The progress of the whole plate, 0 to 100; a failed axis counts as done."""
        # The sum of many small changes is inexact, but 100 must be exact.
        return min(100.0, max(0.0, round(self._percents / len(self._axes), 6))) if self._axes else 0.0

    def work(self, since: float | None) -> Work:
        """Return the work of a run that started its first axis at ``since``."""
        return Work(done=max(0.0, round(self._done, 6)) / 100, left=max(0.0, round(self._left, 6)) / 100, since=since)

    def _move(self, percent: float) -> None:
        """Apply the advance of a running axis."""
        self._percents += percent
        self._done += percent
        self._left -= percent

    def _count(self, axis: AxisProgress, sign: int) -> None:
        self._counts[axis.state] += sign
        self._percents += sign * (100.0 if axis.state is AxisState.FAILED else axis.percent)
        if not axis.is_taken_over:
            self._done += sign * axis.percent
        if not axis.state.has_ended:
            self._left += sign * (100.0 - axis.percent)


def _made_after(update: ProgressUpdate | None, since: Order, begun: Order) -> ProgressUpdate | None:
    """Return the update if it belongs to the current attempt."""
    if update is None:
        return None
    order = update.sequence, update.timestamp
    return update if order > since and order >= begun else None


def _preparation_of(latest: AxisUpdates) -> ProgressUpdate | None:
    """Return the newest update of the preparation of the axis."""
    init, checked = latest.get(ProgressChannel.INIT), latest.get(ProgressChannel.COMPILE)
    if init is None or (checked is not None and is_newer(checked, init)):
        return checked
    return init


def _idle_axis(axis_id: str, latest: AxisUpdates, prepared: ProgressUpdate | None, starts: AxisStarts) -> AxisProgress:
    """Return an axis that the current attempt has not started."""
    pipeline = latest.get(ProgressChannel.PIPELINE)
    if pipeline is not None and _end_of(pipeline) is AxisState.COMPLETE:
        step = latest.get(ProgressChannel.STEP)
        return _axis(axis_id, AxisState.COMPLETE, step, pipeline, starts.times, True)
    if prepared is not None and prepared.status in BROKEN:
        return _axis(axis_id, BROKEN[prepared.status], None, prepared, starts.times, False)
    total = max((update.total_steps for update in latest.values()), default=0)
    return AxisProgress(axis_id, total_steps=total, attempt=starts.times)


def _axis(
    axis_id: str,
    state: AxisState,
    step: ProgressUpdate | None,
    source: ProgressUpdate,
    attempt: int,
    is_idle: bool,
) -> AxisProgress:
    """Return an axis and its current step, if any; error and total come from ``source``."""
    is_complete = state is AxisState.COMPLETE
    return AxisProgress(
        axis_id,
        state,
        "" if step is None else step.step_name,
        0 if step is None else step.step_index,
        source.total_steps if step is None else step.total_steps,
        100.0 if is_complete else 0.0 if step is None else percent_of(step),
        (source.error or "") if source.status in BROKEN else "",
        step is not None and _is_done(step),
        source.worker if step is None else step.worker,
        attempt,
        is_complete and is_idle,
        (step.message or "") if step is not None and state is AxisState.RUNNING and not _is_done(step) else "",
    )


def _left_over(axis: AxisProgress) -> AxisProgress:
    if axis.state is AxisState.COMPLETE:
        return msgspec.structs.replace(axis, is_taken_over=True)
    return AxisProgress(axis.axis_id)


def _ended(axis: AxisProgress, state: AxisState, error: str = "") -> AxisProgress:
    is_complete = state is AxisState.COMPLETE
    return msgspec.structs.replace(
        axis,
        state=state,
        percent=100.0 if is_complete else axis.percent,
        error=error,
    )


def _end_of(pipeline: ProgressUpdate) -> AxisState | None:
    if pipeline.phase is ProgressPhase.AXIS_COMPLETED:
        return BROKEN.get(pipeline.status, AxisState.COMPLETE)
    return BROKEN.get(pipeline.status)


def percent_of(step: ProgressUpdate) -> float:
    """Return how much of its axis is done according to the update of a step, 0 to 100."""
    total = max(1, step.total_steps)
    done = min(step.step_index, total - 1) * 100.0 + (100.0 if _is_done(step) else step.percent)
    return min(100.0, done / total)


def _is_done(step: ProgressUpdate) -> bool:
    return step.phase is ProgressPhase.STEP_COMPLETED and step.status not in BROKEN
