"""The status of a plate in a window, from the moment it is added to the end of its execution."""

import enum

from zmqruntime.messages import ExecutionStatus

__all__ = ["PlateStatus", "plate_status_of"]


class PlateStatus(enum.Enum):
    """What a window shows of a plate; the members from ``QUEUED`` on are the statuses of its execution."""

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

    @property
    def is_pending(self) -> bool:
        """Whether it is being read or checked; how long that takes is unknown."""
        return self in (PlateStatus.INIT_PENDING, PlateStatus.COMPILE_PENDING)

    @property
    def is_working(self) -> bool:
        """Whether its wells may be running."""
        return self in (PlateStatus.RUNNING, PlateStatus.CANCELLING)

    @property
    def is_stoppable(self) -> bool:
        """Whether it is waiting or running at the server, so that it can be stopped."""
        return self.is_working or self in (PlateStatus.COMPILE_PENDING, PlateStatus.QUEUED)

    @property
    def is_busy(self) -> bool:
        """Whether it is waiting or running, here or at the server, so that nothing else can be done with it."""
        return self.is_stoppable or self.is_pending

    @property
    def has_ended(self) -> bool:
        """Whether its execution has ended, in whatever way."""
        return self is PlateStatus.COMPLETE or self.is_unfinished

    @property
    def is_unfinished(self) -> bool:
        """Whether its execution has ended without completing it."""
        return self in (PlateStatus.FAILED, PlateStatus.CANCELLED, PlateStatus.INTERRUPTED)


def plate_status_of(status: ExecutionStatus) -> PlateStatus:
    """The status of a plate whose execution has this one."""
    return PlateStatus(status.value)
