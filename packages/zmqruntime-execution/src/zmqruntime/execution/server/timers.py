"""Timers of executions for limits, graces and pauses, cancelled together when an execution changes state."""

from collections.abc import Callable

from zmqruntime.loop import SocketLoop, Timer

__all__ = ["ExecutionTimers"]


class ExecutionTimers:
    """Timers grouped by execution; on the loop's thread only."""

    def __init__(self, loop: SocketLoop) -> None:
        self._loop = loop
        self._timers: dict[str, list[Timer]] = {}

    def add(self, execution_id: str, delay: float, call: Callable[[], None]) -> None:
        """Run ``call`` after ``delay`` seconds, unless the execution's timers are cancelled first."""
        self._timers.setdefault(execution_id, []).append(self._loop.call_later(delay, call))

    def cancel(self, execution_id: str) -> None:
        """Cancel all timers of the execution."""
        for timer in self._timers.pop(execution_id, []):
            timer.cancel()
