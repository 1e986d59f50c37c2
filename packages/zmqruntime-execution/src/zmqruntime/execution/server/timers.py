"""Timers that belong to executions: limits, graces and pauses, forgotten together when the execution moves on."""

from collections.abc import Callable

from zmqruntime.loop import SocketLoop, Timer

__all__ = ["ExecutionTimers"]


class ExecutionTimers:
    """On the loop's thread only."""

    def __init__(self, loop: SocketLoop) -> None:
        self._loop = loop
        self._timers: dict[str, list[Timer]] = {}

    def add(self, execution_id: str, delay: float, call: Callable[[], None]) -> None:
        """Run ``call`` after ``delay`` seconds, unless the execution's timers are cancelled before."""
        self._timers.setdefault(execution_id, []).append(self._loop.call_later(delay, call))

    def cancel(self, execution_id: str) -> None:
        """Drop all timers of the execution."""
        for timer in self._timers.pop(execution_id, []):
            timer.cancel()
