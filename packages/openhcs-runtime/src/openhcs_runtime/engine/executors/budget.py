"""How many wells may be in progress at the same time, by the memory that wells of the run have needed so far."""

import math
import time
from collections.abc import Callable, Sequence

import psutil

from openhcs_runtime.engine.memory import in_gigabytes
from openhcs_runtime.limits import available_bytes
from zmqruntime.execution import Task
from zmqruntime.execution.workers.usage import peak_memory

__all__ = ["LOOK_AGAIN_SECONDS", "MemoryBudget", "ThreadMemory", "memory_of"]

LOOK_AGAIN_SECONDS = 1.0
"""Pause before memory is looked at again if it keeps a well from beginning."""
_MARGIN = 1.1


class MemoryBudget:
    """Compares what wells have needed at their peak with what the machine has available now.

    What the largest of the running workers holds now counts as a peak too, so that a first batch of wells is limited
    before any has ended. If none is in progress, a well may always begin.

    Args:
        task: the run, in whose log it says once that memory is the limit.
        available: returns how much memory is available.

    Attributes:
        is_short: whether the last well that asked had to wait.
    """

    def __init__(self, task: Task, available: Callable[[], int] = available_bytes) -> None:
        self._task = task
        self._available = available
        self._peak = 0
        self._known, self._looked = 0, -math.inf
        self._has_told = False
        self.is_short = False

    def note(self, peak: int | None) -> None:
        """Note the peak memory of a worker during a well; None if it is not known."""
        self._peak = max(self._peak, peak or 0)

    def allows(self, running: Sequence[int], held: int = 0) -> bool:
        """Return whether another well can begin.

        Args:
            running: memory that each worker with a well in progress holds now.
            held: memory that the worker of the new well already holds.
        """
        needed = max([int(self._peak * _MARGIN), *running])
        more = sum(max(0, needed - now) for now in [*running, held])
        self.is_short = bool(needed and running) and not self._has_plenty(more) and more > self._look()
        if self.is_short and not self._has_told:
            self._has_told = True
            self._task.log.info(
                "memory limits how many wells are processed at the same time, %d now: a well needs %s at its peak, and "
                "%s of memory are available",
                len(running),
                in_gigabytes(max(self._peak, *running)),
                in_gigabytes(self._known),
            )
        return not self.is_short

    def _has_plenty(self, more: int) -> bool:
        """Return whether there was so much a moment ago that it need not be looked at again, which takes 1 ms."""
        return self._known > 2 * more and time.monotonic() - self._looked < LOOK_AGAIN_SECONDS

    def _look(self) -> int:
        self._known, self._looked = self._available(), time.monotonic()
        return self._known


class ThreadMemory:
    """Measures what wells in threads of this process need, of which only the sum is known."""

    def __init__(self) -> None:
        self._own = memory_of()
        self._peak_before = peak_memory() or 0
        self._most_running = 0

    def peak_of_each(self, running: int) -> int:
        """Return the peak of one well, on average, while up to that many were in progress."""
        self._most_running = max(self._most_running, running)
        peak = peak_memory() or 0
        whole = peak if peak > self._peak_before else memory_of()
        return max(0, whole - self._own) // max(1, self._most_running)

    def held_by_each(self, running: int) -> int:
        """Return what each of the wells in progress holds now, on average."""
        return max(0, memory_of() - self._own) // max(1, running)


def memory_of(pid: int | None = None) -> int:
    """Return the resident memory of a process, by default this one; 0 if it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
