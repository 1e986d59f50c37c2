"""Frozen values for the progress of axes, plates and batches, shared by all views."""

import enum

import msgspec

__all__ = ["AxisProgress", "AxisState", "BatchProgress", "PlateProgress", "PlateState", "Work"]

_LEAST_SHARE = 0.01
_LEAST_SECONDS = 3.0
_ALL = 100.0 - 1e-6


class AxisState(enum.StrEnum):
    """The state of an axis, or of one of its steps."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether it has ended; it can still be started again."""
        return self not in (AxisState.WAITING, AxisState.RUNNING)


class PlateState(enum.StrEnum):
    """The state of a plate: the statuses of its execution, and two states of preparation."""

    QUEUED = "queued"
    INIT_PENDING = "init_pending"
    """Its execution is running and being prepared."""
    COMPILE_PENDING = "compile_pending"
    """Its execution is running and its pipeline is being compiled."""
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_preparing(self) -> bool:
        """Whether its execution is running but has not started any axis."""
        return self in (PlateState.INIT_PENDING, PlateState.COMPILE_PENDING)

    @property
    def is_working(self) -> bool:
        """Whether axes may be running."""
        return self in (PlateState.RUNNING, PlateState.CANCELLING)


class AxisProgress(msgspec.Struct, frozen=True, gc=False):
    """One axis. ``percent`` covers all its steps, 0 to 100; the step is the current or last one, counted from 0.

    ``worker`` is the id of the process that reported it last. ``attempt`` counts how often the execution started it.
    """

    axis_id: str
    state: AxisState = AxisState.WAITING
    step_name: str = ""
    step_index: int = 0
    total_steps: int = 0
    percent: float = 0.0
    error: str = ""
    is_step_done: bool = False
    worker: int | None = None
    attempt: int = 0
    is_taken_over: bool = False
    """Whether an earlier run completed it, so that the current run has not worked on it."""
    message: str = ""
    """What it says of its current step, such as that it waits for something."""

    @property
    def fraction(self) -> float:
        """How much of it is done, 0 to 1."""
        return self.percent / 100

    def state_of_step(self, index: int) -> AxisState:
        """Return the state of the step with this index."""
        if self.state in (AxisState.COMPLETE, AxisState.WAITING):
            return self.state
        if index < self.step_index or (index == self.step_index and self.is_step_done):
            return AxisState.COMPLETE
        return self.state if index == self.step_index and self.step_name else AxisState.WAITING


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The work that the current run of a plate has done and has left, in axes.

    An axis that was taken over counts for neither; a failed one counts only with the work done.
    """

    done: float = 0.0
    left: float = 0.0
    since: float | None = None
    """When the run started its first axis, in seconds since the epoch; None before that."""

    def remaining_seconds(self, now: float) -> float | None:
        """Estimate the time left at the present pace; None while it is too early to say."""
        if self.since is None or now - self.since < _LEAST_SECONDS:
            return None
        if self.done < _LEAST_SHARE * (self.done + self.left) or not self.done:
            return None
        return (now - self.since) * self.left / self.done


class PlateProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One execution. ``percent`` covers all its axes, 0 to 100; ``axes`` are those known so far, in order.

    Of a task that only counts loops, as with ``track``, ``percent`` and ``work`` are about those that are not done.
    """

    execution_id: str
    plate_id: str
    state: PlateState
    has_ended: bool
    """Whether nothing is running or waiting to run."""
    has_reported: bool = False
    """Whether its task has reported anything since it left the queue."""
    percent: float
    axes: tuple[AxisProgress, ...]
    axes_total: int
    axes_running: int
    axes_done: int
    """Number of complete axes."""
    axes_failed: int
    axes_cancelled: int
    error: str
    started_at: float | None = None
    """When it last left the queue, in seconds since the epoch."""
    ended_at: float | None = None
    """When it ended or was interrupted; None otherwise."""
    work: Work = Work()
    text: str = ""
    """What it says of its work, such as ``epoch 3/10, batch 17/90``; only of a task that is running and counts loops,
    without axes that are started and ended."""

    @property
    def fraction(self) -> float:
        """How much of it is done, 0 to 1."""
        return self.percent / 100

    @property
    def axes_waiting(self) -> int:
        """The number of axes that have not been started."""
        return self.axes_total - self.axes_running - self.axes_done - self.axes_failed - self.axes_cancelled

    def elapsed_seconds(self, now: float) -> float:
        """Return the time since it last left the queue, up to its end."""
        until = now if self.ended_at is None else self.ended_at
        return 0.0 if self.started_at is None else max(0.0, until - self.started_at)

    def remaining_seconds(self, now: float) -> float | None:
        """Estimate the time left, see :class:`Work`; None unless it is running and has work left."""
        if self.state is not PlateState.RUNNING or self.percent >= _ALL:
            return None
        return self.work.remaining_seconds(now) or None


class BatchProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Several plates: counts by state, and ``percent`` over all, 0 to 100, with equal weight for each plate."""

    total: int
    queued: int
    pending: int
    """Being prepared or compiled."""
    running: int
    """Running or cancelling."""
    complete: int
    failed: int
    cancelled: int
    interrupted: int
    percent: float
