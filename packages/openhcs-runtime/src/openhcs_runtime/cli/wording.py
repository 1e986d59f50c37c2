"""Words, times and colours that all commands share."""

from zmqruntime.messages import ExecutionStatus

__all__ = ["STATUS_STYLES", "duration", "plural", "rough_duration"]

STATUS_STYLES = {
    ExecutionStatus.QUEUED: "yellow",
    ExecutionStatus.RUNNING: "cyan",
    ExecutionStatus.CANCELLING: "yellow",
    ExecutionStatus.COMPLETE: "green",
    ExecutionStatus.FAILED: "red",
    ExecutionStatus.CANCELLED: "yellow",
    ExecutionStatus.INTERRUPTED: "red",
}


def plural(number: int, noun: str) -> str:
    """``1 well``, ``2 wells``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """``0.8 s``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def rough_duration(seconds: float) -> str:
    """An estimate: whole seconds below a minute, else whole minutes, rounded up so that it doesn't promise."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return duration(-(-seconds // 60) * 60).replace(" 00 s", "")
