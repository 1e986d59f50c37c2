"""Progress updates as text for a status bar."""

from zmqruntime.execution.text import first_line
from zmqruntime.messages import ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = ["progress_text"]

_PLATE_PHASES = {ProgressPhase.INIT: "Init", ProgressPhase.COMPILE: "Compile"}
_ENDINGS = {ProgressStatus.ERROR: "failed", ProgressStatus.CANCELLED: "cancelled"}


def progress_text(update: ProgressUpdate) -> str:
    """Return an update as one line, such as ``B06: SegmentNuclei (step 3 of 7), 28 %``; an error with its reason."""
    subject = _subject(update)
    if ending := _ENDINGS.get(update.status):
        reason = update.error or update.message
        return f"{subject} {ending}: {first_line(reason)}" if reason else f"{subject} {ending}"
    if update.phase is ProgressPhase.AXIS_STARTED:
        return f"{subject} started"
    if update.phase is ProgressPhase.AXIS_COMPLETED:
        return f"{subject} complete"
    return f"{subject}, {int(update.percent)} %"


def _subject(update: ProgressUpdate) -> str:
    if phase := _PLATE_PHASES.get(update.phase):
        return f"{phase} {update.axis_id}".rstrip()
    if update.phase in (ProgressPhase.AXIS_STARTED, ProgressPhase.AXIS_COMPLETED) or not update.step_name:
        return update.axis_id
    return f"{update.axis_id}: {update.step_name} (step {update.step_index + 1} of {update.total_steps})"
