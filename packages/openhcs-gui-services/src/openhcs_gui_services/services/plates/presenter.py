"""A plate's row in words: from what is known of the plate to what the row shows."""

import enum
from dataclasses import dataclass

from openhcs_gui_services.services.durations import remaining_seconds, timing_text
from zmqruntime.messages import ExecutionStatus

__all__ = ["PlatePresentation", "PlateSnapshot", "PlateState", "Tone", "plate_state_of", "present_plate"]


class PlateState(enum.Enum):
    """Where a plate is, from the moment it was added to the end of its execution."""

    CREATED = "created"
    INIT_PENDING = "init_pending"
    """Its folder is being read."""
    READY = "ready"
    COMPILE_PENDING = "compile_pending"
    """Its pipeline is being checked."""
    COMPILED = "compiled"
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """The server ended under it; nobody cancelled it."""


class Tone(enum.Enum):
    """How a row should look, for the widget to choose a colour."""

    NEUTRAL = "neutral"
    PENDING = "pending"
    """Something goes on whose end cannot be estimated, or it waits its turn."""
    ACTIVE = "active"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class PlateSnapshot:
    """What is known of a plate at one moment. Times are in seconds; ``percent`` is of the whole plate, 0 to 100."""

    state: PlateState
    queue_position: int | None = None
    """1 for the next one."""
    percent: float = 0.0
    elapsed_seconds: float | None = None
    axis_id: str = ""
    step_name: str = ""
    step_index: int = 0
    """From 0."""
    total_steps: int = 0
    failed_wells: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class PlatePresentation:
    """What a row shows: the state, a line of detail, the time, and a bar of ``percent`` or without an end (None)."""

    text: str
    detail: str
    timing: str
    percent: int | None
    tone: Tone


_PLAIN_TEXTS = {
    PlateState.CREATED: "Created",
    PlateState.INIT_PENDING: "Init pending",
    PlateState.READY: "Ready",
    PlateState.COMPILE_PENDING: "Compile pending",
    PlateState.COMPILED: "Compiled",
    PlateState.CANCELLING: "Stopping",
    PlateState.COMPLETE: "Complete",
    PlateState.CANCELLED: "Cancelled",
    PlateState.INTERRUPTED: "Interrupted",
}

_TONES = {
    PlateState.CREATED: Tone.NEUTRAL,
    PlateState.INIT_PENDING: Tone.PENDING,
    PlateState.READY: Tone.NEUTRAL,
    PlateState.COMPILE_PENDING: Tone.PENDING,
    PlateState.COMPILED: Tone.NEUTRAL,
    PlateState.QUEUED: Tone.PENDING,
    PlateState.RUNNING: Tone.ACTIVE,
    PlateState.CANCELLING: Tone.ACTIVE,
    PlateState.COMPLETE: Tone.GOOD,
    PlateState.FAILED: Tone.BAD,
    PlateState.CANCELLED: Tone.NEUTRAL,
    PlateState.INTERRUPTED: Tone.BAD,
}

_AT_WORK = (PlateState.RUNNING, PlateState.CANCELLING)
_WITHOUT_END = (PlateState.INIT_PENDING, PlateState.COMPILE_PENDING)


def plate_state_of(status: ExecutionStatus) -> PlateState:
    """The state of a plate whose execution has this status."""
    return PlateState(status.value)


def present_plate(plate: PlateSnapshot) -> PlatePresentation:
    """What the row of this plate shows."""
    return PlatePresentation(
        text=_text(plate),
        detail=_detail(plate),
        timing=_timing(plate),
        percent=None if plate.state in _WITHOUT_END else _whole_percent(plate),
        tone=_TONES[plate.state],
    )


def _text(plate: PlateSnapshot) -> str:
    match plate.state:
        case PlateState.QUEUED:
            return "Queued" if plate.queue_position is None else f"Queued (q#{plate.queue_position})"
        case PlateState.RUNNING:
            return f"Running {_whole_percent(plate)} %"
        case PlateState.FAILED:
            return f"Failed ({_wells(plate.failed_wells)})" if plate.failed_wells else "Failed"
        case state:
            return _PLAIN_TEXTS[state]


def _detail(plate: PlateSnapshot) -> str:
    if plate.state in _AT_WORK:
        step = f"{plate.step_name} (step {plate.step_index + 1} of {plate.total_steps})" if plate.step_name else ""
        well = f"well {plate.axis_id}" if plate.axis_id else ""
        failed = f"{_wells(plate.failed_wells)} failed" if plate.failed_wells else ""
        return ", ".join(part for part in (step, well, failed) if part)
    if plate.state is PlateState.INTERRUPTED:
        return plate.error or "the server ended before the plate was done"
    return plate.error


def _timing(plate: PlateSnapshot) -> str:
    if plate.elapsed_seconds is None:
        return ""
    running = plate.state is PlateState.RUNNING
    return timing_text(
        plate.elapsed_seconds, remaining_seconds(plate.elapsed_seconds, plate.percent) if running else None
    )


def _whole_percent(plate: PlateSnapshot) -> int:
    """Rounded down, so that 100 % means the end."""
    return 100 if plate.state is PlateState.COMPLETE else min(100, max(0, int(plate.percent)))


def _wells(count: int) -> str:
    return "1 well" if count == 1 else f"{count} wells"
