"""When executions with a rate limit were started, in memory and in the database, so that a restart forgets no start."""

import time
from collections import deque
from collections.abc import Callable, Iterable

from zmqruntime.execution.server.damage import crc_of
from zmqruntime.messages import Rate

__all__ = ["MOST_KEYS", "Rates", "StartRow"]

MOST_KEYS = 100_000
_MARGIN_SECONDS = 0.002  # the wall clock, by which starts are told to clients, may run a little faster than this one
_MOST_STARTS = 10_000  # as many as a rate can allow

StartRow = tuple[str, int, float, float]
"""Key, number, time, and the time after which it no longer counts; by the system clock."""

Write = Callable[[str, tuple[object, ...]], None]

_INSERT = "INSERT OR REPLACE INTO rate_starts (key, sequence, at, until, crc) VALUES (?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM rate_starts WHERE key = ? AND sequence <= ?"


class _Starts:
    """The starts of one key."""

    def __init__(self) -> None:
        self.times: deque[float] = deque()
        """By the monotonic clock, as many as may still count."""
        self.last = 0
        """Number of the last start."""
        self.window = 0.0
        """The longest period that was asked for."""


class Rates:
    """Counts starts by key.

    Within one run of the server the monotonic clock counts, so that a change of the system clock allows no start too
    early. The system clock only bridges the time between two runs; a start in its future counts as one of just now.

    Args:
        rows: The starts in the database, in order of their numbers.
        write: Adds a statement to the next commit.
    """

    def __init__(self, rows: Iterable[StartRow], write: Write) -> None:
        self._starts: dict[str, _Starts] = {}
        self._write = write
        now, here = time.time(), time.monotonic()
        for key, sequence, at, until in rows:
            starts = self._starts.setdefault(key, _Starts())
            starts.times.append(here - max(0.0, now - at))
            starts.last = max(starts.last, sequence)
            starts.window = max(starts.window, until - at)
        for starts in self._starts.values():
            starts.times = deque(sorted(starts.times))
        self.sweep()

    def seconds_until_start(self, rate: Rate) -> float:
        """Return how long to wait before the next start; 0 if it may be now."""
        starts = self._starts.get(rate.key)
        if starts is None or len(starts.times) < rate.count:
            return 0.0
        return max(0.0, starts.times[-rate.count] + rate.seconds + _MARGIN_SECONDS - time.monotonic())

    def note_start(self, rate: Rate) -> None:
        """Count a start; it is on disk with the next commit."""
        starts = self._starts.setdefault(rate.key, _Starts())
        starts.window = max(starts.window, rate.seconds)
        starts.times.append(time.monotonic())
        starts.last += 1
        self._forget_old(rate.key, starts)
        now = time.time()
        row = (rate.key, starts.last, now, now + starts.window)
        self._write(_INSERT, (*row, crc_of(*row)))

    def is_full(self, key: str) -> bool:
        """Whether there are too many keys to add this one."""
        return key not in self._starts and len(self._starts) >= MOST_KEYS

    def sweep(self) -> None:
        """Forget starts that no longer count."""
        for key, starts in list(self._starts.items()):
            self._forget_old(key, starts)
            if not starts.times:
                del self._starts[key]

    def _forget_old(self, key: str, starts: _Starts) -> None:
        oldest = time.monotonic() - starts.window - _MARGIN_SECONDS
        count = len(starts.times)
        while starts.times and (starts.times[0] < oldest or len(starts.times) > _MOST_STARTS):
            starts.times.popleft()
        if len(starts.times) < count:
            self._write(_DELETE, (key, starts.last - len(starts.times)))
