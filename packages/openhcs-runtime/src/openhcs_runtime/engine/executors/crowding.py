"""How many wells may still run at the same time after the system has killed workers because memory ran out."""

from collections.abc import Callable

from zmqruntime.execution import Task

__all__ = ["Crowding", "WellAttempt"]

_KILLED = -9
"""Exit code of a process that ended by SIGKILL, a name that not all platforms have."""


class WellAttempt:
    """One attempt at a well.

    Attributes:
        limit: how many wells could run at the same time when it began.
        was_alone: whether no other well has been in progress during the attempt.
    """

    def __init__(self, limit: int = 1) -> None:
        self.limit = limit
        self.was_alone = True


class Crowding:
    """Halves the number of wells at the same time when the system kills a worker for its memory.

    Each attempt at a well begins with a lower limit than the one before, and one that begins with a limit of 1 is
    alone; so a well is repeated at most as often as the number of workers can be halved.

    Args:
        task: the run, in whose log it says which well is repeated.
        limit: how many wells can run at the same time at the beginning.
        kills: returns how many processes the system has killed because memory ran out.

    Attributes:
        limit: how many wells can run at the same time now.
    """

    def __init__(self, task: Task, limit: int, kills: Callable[[], int]) -> None:
        self._task = task
        self._kills = kills
        self._before = kills()
        self.limit = limit

    def begin(self, running: list[WellAttempt]) -> WellAttempt:
        """Return a new attempt, while these others are in progress."""
        attempt = WellAttempt(self.limit)
        if running:
            for one in [attempt, *running]:
                one.was_alone = False
        return attempt

    def is_to_blame(self, code: int | None) -> bool:
        """Return whether a worker that ended with this exit code was killed because memory ran out."""
        return code == _KILLED and self._kills() > self._before

    def lower(self, well: str, attempt: WellAttempt, running: int) -> None:
        """Lower the limit after a well that was not alone was killed, unless it is lower already since it began.

        Args:
            well: title of the well.
            attempt: the attempt that was killed.
            running: how many wells were in progress, this one included.
        """
        if attempt.limit <= self.limit:
            self.limit = max(1, min(running, self.limit) // 2)
        self._task.log.warning(
            "the system killed the worker process of %s because memory ran out: the well is repeated later, and from "
            "now on at most %d %s processed at the same time",
            well,
            self.limit,
            "well is" if self.limit == 1 else "wells are",
        )
