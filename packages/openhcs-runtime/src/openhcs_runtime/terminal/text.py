"""Colours and estimates that all commands share."""

from zmqruntime.execution.text import duration
from zmqruntime.messages import ExecutionStatus

__all__ = ["STATUS_STYLES", "rough_duration"]

STATUS_STYLES = {
    ExecutionStatus.QUEUED: "yellow",
    ExecutionStatus.RUNNING: "cyan",
    ExecutionStatus.CANCELLING: "yellow",
    ExecutionStatus.COMPLETE: "green",
    ExecutionStatus.FAILED: "red",
    ExecutionStatus.CANCELLED: "yellow",
    ExecutionStatus.INTERRUPTED: "red",
}


def rough_duration(seconds: float) -> str:
    """An estimate: whole seconds below a minute, else whole minutes, rounded up so that it doesn't promise."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return duration(-(-seconds // 60) * 60).replace(" 00 s", "")
