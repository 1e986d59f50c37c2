"""Transfer of values from another thread to a callback on an event loop, in order and with back-pressure."""

import asyncio
import functools
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from zmqruntime.execution.callbacks import call_guarded

__all__ = ["LoopCalls"]

T = TypeVar("T")

_ROOM = 256  # values per turn of the loop
_LOOK_SECONDS = 1.0


class LoopCalls(Generic[T]):
    """Calls ``callback`` on the loop with each value passed to :meth:`give`; exceptions it raises are logged."""

    def __init__(self, callback: Callable[[T], None]) -> None:
        self._callback = callback
        self._values: deque[T] = deque()
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the loop to make the calls on."""
        with self._changed:
            self._loop = loop

    def give(self, value: T) -> None:
        """Hand over a value, from the other thread; block while the loop is not keeping up."""
        with self._changed:
            while not self._changed.wait_for(lambda: self._has_room() or self._is_over(), _LOOK_SECONDS):
                pass  # check now and then whether the loop was closed, which it does not announce
            if self._loop is None or self._is_over():
                return
            self._values.append(value)
            if len(self._values) == 1:
                self._loop.call_soon_threadsafe(self._drain)

    def close(self) -> None:
        """Stop making calls, and release threads that are waiting in :meth:`give`. Idempotent."""
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
