"""Colours that all commands share."""

from zmqruntime.messages import ExecutionStatus

__all__ = ["STATUS_STYLES"]

STATUS_STYLES = {
    ExecutionStatus.QUEUED: "yellow",
    ExecutionStatus.RUNNING: "cyan",
    ExecutionStatus.CANCELLING: "yellow",
    ExecutionStatus.COMPLETE: "green",
    ExecutionStatus.FAILED: "red",
    ExecutionStatus.CANCELLED: "yellow",
    ExecutionStatus.INTERRUPTED: "red",
}
