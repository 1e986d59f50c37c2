"""Proof that a server has ended: its process is gone, or the lock of its port is free. Silence proves nothing."""

import os
import sys
from dataclasses import dataclass
from typing import Self

from zmqruntime.address import Address
from zmqruntime.base_messages import PongResponse
from zmqruntime.identity import ProcessIdentity

__all__ = ["Evidence", "ProcessEnd"]

_EXIT_SECONDS = 0.2  # a process that is ending has already released the lock


@dataclass(frozen=True, slots=True)
class Evidence:
    """Observations of a server on this machine while it was answering, so that their absence later is conclusive.

    If the process was not visible then, for example on a machine behind a tunnel or in a container, its absence means
    nothing.
    """

    address: Address
    process: ProcessIdentity | None
    has_lock: bool

    @classmethod
    def of(cls, pong: PongResponse, address: Address) -> Self:
        """Look for the process and lock of a server that has just identified itself."""
        process = ProcessIdentity(pong.pid, pong.process_start)
        is_here = address.is_local and process.is_running()
        return cls(address, process if is_here else None, address.is_local and address.is_claimed())

    @property
    def can_tell(self) -> bool:
        """Whether the end of the server can be observed from this process."""
        return self.process is not None or self.has_lock

    @property
    def is_process_gone(self) -> bool:
        """Whether its process is known to have ended, or is about to; False if it goes on with other work."""
        return self.process is None or self.process.wait(_EXIT_SECONDS)

    def has_ended(self, *, is_cut: bool) -> bool:
        """Return whether the server has ended; False if that cannot be observed.

        Args:
            is_cut: whether the connection to it is lost. Only then does the lock count, because other processes take
                it briefly to check.
        """
        if self.process is not None and not self.process.is_running():
            return True
        try:
            return is_cut and self.has_lock and self.address.is_released()
        except OSError:  # the lock file cannot be opened now, for example because no descriptors are left
            return False


class ProcessEnd:
    """A file descriptor that becomes readable once a process has ended; only available on Linux."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def of(cls, process: ProcessIdentity | None) -> Self | None:
        """Create one for a running process; return None if it is not running, and on other systems."""
        if process is None or sys.platform != "linux":
            return None
        try:
            end = cls(os.pidfd_open(process.pid))
        except OSError:  # it is already gone, or there are no descriptors left; the vigil then polls for its end
            return None
        if process.is_running():
            return end
        end.close()
        return None

    def fileno(self) -> int:
        """Return the descriptor, for a poller."""
        return self._descriptor

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)
