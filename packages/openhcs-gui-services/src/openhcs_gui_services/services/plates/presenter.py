"""Text, detail, time and progress of a plate's row."""

import enum
from dataclasses import dataclass

from openhcs_gui_services.services.durations import timing_text
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.wording import waiting_text
from zmqruntime.execution.text import plural

__all__ = ["PlatePresentation", "PlateSnapshot", "Tone", "Trouble", "present_plate"]


class Tone(enum.Enum):
    """The tone of a row, from which the widget chooses a colour."""

    NEUTRAL = "neutral"
    PENDING = "pending"
    """Waiting, or working for a time that cannot be estimated."""
    ACTIVE = "active"
    GOOD = "good"
    BAD = "bad"


class Trouble(enum.Enum):
    """What has failed, of a plate that has failed."""

    RUN = "run"
    READ = "read"
    """Its folder could not be read."""
    CHECK = "check"
    """Its pipeline was refused; nothing was run, and what is on disk is unchanged."""


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
    trouble: Trouble = Trouble.RUN
    missing_images: int = 0
    left_out_files: int = 0
    """Image files in its folder that are not images of the plate."""


@dataclass(frozen=True, slots=True)
class PlatePresentation:
    """The content of a row: state, a line of detail, time, and a bar of ``percent`` (None: indeterminate).

    ``failed_percent`` of the bar, at the end of what is filled, are failed wells. ``bar_text`` is the text in it.
    """

    text: str
    detail: str
    timing: str
    percent: int | None
    tone: Tone
    failed_percent: int = 0
    bar_text: str = ""


_PLAIN_TEXTS = {
    PlateStatus.CREATED: "Not read yet",
    PlateStatus.INIT_PENDING: "Reading",
    PlateStatus.READY: "Ready",
    PlateStatus.COMPILE_PENDING: "Checking",
    PlateStatus.COMPILED: "Checked",
    PlateStatus.CANCELLING: "Stopping",
    PlateStatus.COMPLETE: "Complete",
    PlateStatus.CANCELLED: "Stopped",
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


_TROUBLES = {Trouble.READ: "Not found", Trouble.CHECK: "Check failed"}


def present_plate(plate: PlateSnapshot) -> PlatePresentation:
    """Return the content of this plate's row."""
    failed = 0 if plate.state.is_pending or not plate.total_wells else 100 * plate.failed_wells / plate.total_wells
    return PlatePresentation(
        text=_text(plate),
        detail=_detail(plate),
        timing=_timing(plate),
        percent=None if plate.state.is_pending else _whole_percent(plate),
        tone=_TONES[plate.state],
        failed_percent=0 if not failed else max(1, round(failed)),
        bar_text=_bar_text(plate),
    )


def _text(plate: PlateSnapshot) -> str:
    match plate.state:
        case PlateStatus.QUEUED:
            return waiting_text(plate.queue_position)
        case PlateStatus.RUNNING if _is_finishing(plate):
            return "Finishing"
        case PlateStatus.RUNNING:
            return f"Running {_whole_percent(plate)} %"
        case PlateStatus.FAILED if plate.trouble in _TROUBLES:
            return _TROUBLES[plate.trouble]
        case PlateStatus.FAILED:
            return f"Failed ({_wells(plate.failed_wells)})" if plate.failed_wells else "Failed"
        case state:
            return _PLAIN_TEXTS[state]


def _detail(plate: PlateSnapshot) -> str:
    if plate.state.is_working:
        return ", ".join(filter(None, [*_work_parts(plate), _taken_over(plate)]))
    if plate.state is PlateStatus.INTERRUPTED:
        return plate.error or "the server ended before the plate was done"
    if plate.state is PlateStatus.COMPLETE:
        return ", ".join(filter(None, [plate.error, _taken_over(plate)]))
    return plate.error or _plate_problems(plate)


def _work_parts(plate: PlateSnapshot) -> list[str]:
    if _is_finishing(plate):
        return ["writing the tables"]
    step = f"{plate.step_name} (step {plate.step_index + 1} of {plate.total_steps})" if plate.step_name else ""
    well = f"well {plate.axis_id}" if plate.axis_id else ""
    failed = f"{_wells(plate.failed_wells)} failed" if plate.failed_wells else ""
    return [step, well, failed]


def _taken_over(plate: PlateSnapshot) -> str:
    if not plate.taken_over:
        return ""
    return f"{plate.taken_over} of {_wells(plate.total_wells)} taken over from an earlier run"


def _plate_problems(plate: PlateSnapshot) -> str:
    missing = f"{plural(plate.missing_images, 'image')} missing" if plate.missing_images else ""
    left_out = f"{plural(plate.left_out_files, 'file')} not read" if plate.left_out_files else ""
    return ", ".join(filter(None, [missing, left_out]))


def _timing(plate: PlateSnapshot) -> str:
    if plate.elapsed_seconds is None:
        return ""
    is_estimated = plate.state is PlateStatus.RUNNING and not _is_finishing(plate)
    return timing_text(plate.elapsed_seconds, plate.remaining_seconds if is_estimated else None)


def _is_finishing(plate: PlateSnapshot) -> bool:
    """Whether all wells have ended, and the tables of the plate are being written."""
    has_all = bool(plate.total_wells) and plate.done_wells + plate.failed_wells >= plate.total_wells
    return plate.state is PlateStatus.RUNNING and (plate.percent >= 100 or has_all)


def _whole_percent(plate: PlateSnapshot) -> int:
    """Rounded down, so that 100 % means that all wells have ended; wells that have failed count as ended."""
    if plate.state is PlateStatus.COMPLETE:
        return 100
    return min(100, max(0, int(plate.percent)))


def _bar_text(plate: PlateSnapshot) -> str:
    """Counts once they are known, with a sign besides the colours; else nothing but the share."""
    if plate.state.is_pending or plate.state is PlateStatus.QUEUED or not plate.total_wells:
        return ""
    failed = f", \u2715 {plate.failed_wells} failed" if plate.failed_wells else ""
    return f"{plate.done_wells} of {plate.total_wells} done{failed}"


def _wells(count: int) -> str:
    return "1 well" if count == 1 else f"{count} wells"
