"""What proves that a server has ended: its process is gone, or its port's lock is free. Silence proves nothing."""

import os
import sys
from dataclasses import dataclass
from typing import Self

from zmqruntime.address import Address
from zmqruntime.base_messages import PongResponse
from zmqruntime.identity import ProcessIdentity

__all__ = ["Evidence", "ProcessEnd"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of a server on this machine while it answered, so that its absence later means something.

    A process that was not seen then, of another machine behind a tunnel or of a container, is not missed later.
    """

    address: Address
    process: ProcessIdentity | None
    has_lock: bool

    @classmethod
    def of(cls, pong: PongResponse, address: Address) -> Self:
        """Look for the server that has just said who it is."""
        process = ProcessIdentity(pong.pid, pong.process_start)
        is_here = address.is_local and process.is_running()
        return cls(address, process if is_here else None, address.is_local and address.is_claimed())

    @property
    def can_tell(self) -> bool:
        """Whether the end of the server can be seen from here."""
        return self.process is not None or self.has_lock

    def has_ended(self, *, is_cut: bool) -> bool:
        """Whether the server has ended; False where that cannot be seen.

        Args:
            is_cut: the connection to it is cut. Only then does the lock count: others hold it for a moment to look.
        """
        if self.process is not None and not self.process.is_running():
            return True
        return is_cut and self.has_lock and not self.address.is_claimed()


class ProcessEnd:
    """A file descriptor that can be read once a process has ended; only on Linux, None elsewhere."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def of(cls, process: ProcessIdentity | None) -> Self | None:
        """For a process that runs; None for one that does not."""
        if process is None or sys.platform != "linux":
            return None
        try:
            end = cls(os.pidfd_open(process.pid))
        except OSError:  # it is gone already, or descriptors have run out: then it is looked for from time to time
            return None
        if process.is_running():
            return end
        end.close()
        return None

    def fileno(self) -> int:
        """For a poller."""
        return self._descriptor

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)
