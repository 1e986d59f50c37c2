"""Text, detail, time and progress of a plate's row."""

import enum
from dataclasses import dataclass

from openhcs_gui_services.services.durations import timing_text
from openhcs_gui_services.services.plates.status import PlateStatus

__all__ = ["PlatePresentation", "PlateSnapshot", "Tone", "present_plate"]


class Tone(enum.Enum):
    """The tone of a row, from which the widget chooses a colour."""

    NEUTRAL = "neutral"
    PENDING = "pending"
    """Waiting, or working for a time that cannot be estimated."""
    ACTIVE = "active"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class PlateSnapshot:
    """A plate at one moment. Times are in seconds; ``percent`` is of the whole plate, 0 to 100."""

    state: PlateStatus
    queue_position: int | None = None
    """From 1, the next one."""
    percent: float = 0.0
    elapsed_seconds: float | None = None
    remaining_seconds: float | None = None
    """Estimated from the pace of this run; None while it is too early to say."""
    axis_id: str = ""
    step_name: str = ""
    step_index: int = 0
    """From 0."""
    total_steps: int = 0
    failed_wells: int = 0
    error: str = ""
    done_wells: int = 0
    """Complete wells of the run."""
    total_wells: int = 0
    """Wells of the run; 0 while they are not known."""
    taken_over: int = 0
    """Those of the complete wells that an earlier run has computed."""


@dataclass(frozen=True, slots=True)
class PlatePresentation:
    """The content of a row: state, a line of detail, time, and a bar of ``percent`` (None: indeterminate)."""

    text: str
    detail: str
    timing: str
    percent: int | None
    tone: Tone


_PLAIN_TEXTS = {
    PlateStatus.CREATED: "Created",
    PlateStatus.INIT_PENDING: "Init pending",
    PlateStatus.READY: "Ready",
    PlateStatus.COMPILE_PENDING: "Compile pending",
    PlateStatus.COMPILED: "Compiled",
    PlateStatus.CANCELLING: "Stopping",
    PlateStatus.COMPLETE: "Complete",
    PlateStatus.CANCELLED: "Cancelled",
    PlateStatus.INTERRUPTED: "Interrupted",
}

_TONES = {
    PlateStatus.CREATED: Tone.NEUTRAL,
    PlateStatus.INIT_PENDING: Tone.PENDING,
    PlateStatus.READY: Tone.NEUTRAL,
    PlateStatus.COMPILE_PENDING: Tone.PENDING,
    PlateStatus.COMPILED: Tone.NEUTRAL,
    PlateStatus.QUEUED: Tone.PENDING,
    PlateStatus.RUNNING: Tone.ACTIVE,
    PlateStatus.CANCELLING: Tone.ACTIVE,
    PlateStatus.COMPLETE: Tone.GOOD,
    PlateStatus.FAILED: Tone.BAD,
    PlateStatus.CANCELLED: Tone.NEUTRAL,
    PlateStatus.INTERRUPTED: Tone.BAD,
}


def present_plate(plate: PlateSnapshot) -> PlatePresentation:
    """Return the content of this plate's row."""
    return PlatePresentation(
        text=_text(plate),
        detail=_detail(plate),
        timing=_timing(plate),
        percent=None if plate.state.is_pending else _whole_percent(plate),
        tone=_TONES[plate.state],
    )


def _text(plate: PlateSnapshot) -> str:
    match plate.state:
        case PlateStatus.QUEUED:
            return "Queued" if plate.queue_position is None else f"Queued (q#{plate.queue_position})"
        case PlateStatus.RUNNING:
            return f"Running {_whole_percent(plate)} %"
        case PlateStatus.FAILED:
            return f"Failed ({_wells(plate.failed_wells)})" if plate.failed_wells else "Failed"
        case state:
            return _PLAIN_TEXTS[state]


def _detail(plate: PlateSnapshot) -> str:
    if plate.state.is_working:
        step = f"{plate.step_name} (step {plate.step_index + 1} of {plate.total_steps})" if plate.step_name else ""
        well = f"well {plate.axis_id}" if plate.axis_id else ""
        failed = f"{_wells(plate.failed_wells)} failed" if plate.failed_wells else ""
        return ", ".join(part for part in (step, well, failed) if part)
    if plate.state is PlateStatus.INTERRUPTED:
        return plate.error or "the server ended before the plate was done"
    return plate.error


def _timing(plate: PlateSnapshot) -> str:
    if plate.elapsed_seconds is None:
        return ""
    return timing_text(plate.elapsed_seconds, plate.remaining_seconds if plate.state is PlateStatus.RUNNING else None)


def _whole_percent(plate: PlateSnapshot) -> int:
    """Rounded down, so that 100 % means complete."""
    return 100 if plate.state is PlateStatus.COMPLETE else min(100, max(0, int(plate.percent)))


def _wells(count: int) -> str:
    return "1 well" if count == 1 else f"{count} wells"
