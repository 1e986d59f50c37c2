"""Carries values from another thread to a callback on an event loop's thread, in order and without a pile-up."""

import asyncio
import functools
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from zmqruntime.execution.callbacks import call_guarded

__all__ = ["LoopCalls"]

T = TypeVar("T")

_ROOM = 256  # what the loop is given in one turn
_LOOK_SECONDS = 1.0


class LoopCalls(Generic[T]):
    """Calls ``callback`` on the loop with each value that :meth:`give` gets; what it raises is logged."""

    def __init__(self, callback: Callable[[T], None]) -> None:
        self._callback = callback
        self._values: deque[T] = deque()
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make the calls on this loop."""
        with self._changed:
            self._loop = loop

    def give(self, value: T) -> None:
        """From the other thread: hand over a value; waits while the loop does not keep up."""
        with self._changed:
            while not self._changed.wait_for(lambda: self._has_room() or self._is_over(), _LOOK_SECONDS):
                pass  # looks again whether the loop, which does not say goodbye, is closed
            if self._loop is None or self._is_over():
                return
            self._values.append(value)
            if len(self._values) == 1:
                self._loop.call_soon_threadsafe(self._drain)

    def close(self) -> None:
        """Make no further calls, and let go of who waits in :meth:`give`. May be called twice."""
        with self._changed:
            self._is_closed = True
            self._values.clear()
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return len(self._values) < _ROOM

    def _is_over(self) -> bool:
        return self._is_closed or (self._loop is not None and self._loop.is_closed())

    def _drain(self) -> None:
        with self._changed:
            values = list(self._values)
            self._values.clear()
            self._changed.notify_all()
        for value in values:
            call_guarded(functools.partial(self._callback, value))
