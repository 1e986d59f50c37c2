"""The status of a plate in a window, from when it is added to the end of its execution."""

import enum

from zmqruntime.messages import ExecutionStatus

__all__ = ["PlateStatus", "plate_status_of"]


class PlateStatus(enum.Enum):
    """The status of a plate; the members from ``QUEUED`` on are the statuses of its execution."""

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
    """Its server ended; it was not cancelled."""

    @property
    def is_pending(self) -> bool:
        """Whether it is being read or compiled, for a time that cannot be estimated."""
        return self in (PlateStatus.INIT_PENDING, PlateStatus.COMPILE_PENDING)

    @property
    def is_working(self) -> bool:
        """Whether its wells may be running."""
        return self in (PlateStatus.RUNNING, PlateStatus.CANCELLING)

    @property
    def is_stoppable(self) -> bool:
        """Whether it is waiting or running at the server and can be stopped."""
        return self.is_working or self in (PlateStatus.COMPILE_PENDING, PlateStatus.QUEUED)

    @property
    def is_busy(self) -> bool:
        """Whether it is waiting or running, here or at the server, and not available for other actions."""
        return self.is_stoppable or self.is_pending

    @property
    def has_ended(self) -> bool:
        """Whether its execution has ended, successfully or not."""
        return self is PlateStatus.COMPLETE or self.is_unfinished

    @property
    def is_unfinished(self) -> bool:
        """Whether its execution has ended without completing it."""
        return self in (PlateStatus.FAILED, PlateStatus.CANCELLED, PlateStatus.INTERRUPTED)


def plate_status_of(status: ExecutionStatus) -> PlateStatus:
    """Return the plate status for an execution status."""
    return PlateStatus(status.value)
