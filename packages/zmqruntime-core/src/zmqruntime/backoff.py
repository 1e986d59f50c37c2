"""Pauses between attempts that grow with each failure and become short again after a calm period."""

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence

__all__ = ["Backoff"]

_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0)


class Backoff:
    """A failure counter that determines how long to wait before the next attempt. Not thread-safe.

    Args:
        pauses: seconds to wait after the first failure, the second and so on; the last value applies to all further
            failures.
        calm_seconds: seconds after which a failure is forgotten [default: never, only by :meth:`reset`].
    """

    def __init__(self, pauses: Sequence[float] = _PAUSES, calm_seconds: float = math.inf) -> None:
        self._pauses = tuple(pauses)
        self._calm_seconds = calm_seconds
        self._failed_at: deque[float] = deque(maxlen=len(self._pauses))

    @property
    def count(self) -> int:
        """Number of failures that are not forgotten, at most the number of pauses."""
        now = time.monotonic()
        return sum(now - failed_at < self._calm_seconds for failed_at in self._failed_at)

    @property
    def pause(self) -> float:
        """Seconds to wait now."""
        return self._after(self.count)

    def note(self) -> None:
        """Record a failure."""
        self._failed_at.append(time.monotonic())

    def reset(self) -> None:
        """Forget all failures, after a success."""
        self._failed_at.clear()

    def attempts(self) -> Iterator[float]:
        """Yield the seconds to wait before each attempt to recover from the latest failure, without end."""
        count = max(1, self.count)
        while True:
            yield self._after(count)
            count += 1

    def _after(self, count: int) -> float:
        return self._pauses[min(max(count, 1), len(self._pauses)) - 1]
