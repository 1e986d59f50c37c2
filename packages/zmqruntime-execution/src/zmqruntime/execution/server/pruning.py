"""Deletes old executions a few at a time, with a pause after each time in which requests find the server free."""

from collections.abc import Callable

from zmqruntime.loop import SocketLoop

__all__ = ["Pruning"]

AT_ONCE = 10
PAUSE_SECONDS = 0.005


class Pruning:
    """One deletion at a time, however often it is asked for; on the loop's thread only.

    Args:
        loop: The server's loop.
        prune: Deletes up to a number of executions beyond the limits, and returns how many there were.
    """

    def __init__(self, loop: SocketLoop, prune: Callable[[int], int]) -> None:
        self._loop = loop
        self._prune = prune
        self._is_running = False
        self._ended = 0

    def begin(self) -> None:
        """Delete what is too much or too old, beginning in the next turn."""
        if not self._is_running:
            self._is_running = True
            self._loop.call_soon(self._some)

    def note_end(self) -> None:
        """Note that an execution has ended: as many more are deleted, so that history does not outgrow its limit."""
        self._ended += self._is_running

    def _some(self) -> None:
        at_most, self._ended = AT_ONCE + self._ended, 0
        if self._prune(at_most):
            self._loop.call_later(PAUSE_SECONDS, self._some)
        else:
            self._is_running = False
