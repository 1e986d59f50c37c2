"""Pauses between attempts: longer with each failure, and short again after a calm."""

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence

__all__ = ["Backoff"]

_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0)


class Backoff:
    """Counts failures and says how long to wait after them. For one thread at a time.

    Args:
        pauses: in seconds, after the first failure, the second and so on; the last one holds for all that follow.
        calm_seconds: a failure is forgotten after this time; by default never, only by :meth:`reset`.
    """

    def __init__(self, pauses: Sequence[float] = _PAUSES, calm_seconds: float = math.inf) -> None:
        self._pauses = tuple(pauses)
        self._calm_seconds = calm_seconds
        self._failed_at: deque[float] = deque(maxlen=len(self._pauses))

    @property
    def count(self) -> int:
        """How many failures are not forgotten; no more are counted than there are pauses."""
        now = time.monotonic()
        return sum(now - failed_at < self._calm_seconds for failed_at in self._failed_at)

    @property
    def pause(self) -> float:
        """How long to wait now, in seconds."""
        return self._after(self.count)

    def note(self) -> None:
        """Something has failed."""
        self._failed_at.append(time.monotonic())

    def reset(self) -> None:
        """It works: the next failure is the first one."""
        self._failed_at.clear()

    def attempts(self) -> Iterator[float]:
        """How long to wait before each attempt to recover from what failed last, without an end."""
        count = max(1, self.count)
        while True:
            yield self._after(count)
            count += 1

    def _after(self, count: int) -> float:
        return self._pauses[min(max(count, 1), len(self._pauses)) - 1]
