"""Results that arrive in another thread and are awaited on an event loop, which one wake-up brings many of."""

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
from typing import Any, TypeVar

__all__ = ["Arrivals"]

T = TypeVar("T")


class Arrivals:
    """Does what :func:`asyncio.wrap_future` does, but wakes the loop once for all that arrive before it has run.

    Args:
        loop: The event loop; :meth:`wrap` is called on it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._lock = threading.Lock()
        self._arrived: list[tuple[concurrent.futures.Future[Any], asyncio.Future[Any]]] = []

    def wrap(self, source: concurrent.futures.Future[T], *, cancels: bool) -> asyncio.Future[T]:
        """Return a future of the loop that is done when ``source`` is.

        Args:
            source: The future of another thread.
            cancels: Whether cancelling the returned future cancels ``source``.
        """
        target: asyncio.Future[T] = self.loop.create_future()
        if cancels:
            target.add_done_callback(functools.partial(_cancel_with, source))
        source.add_done_callback(lambda done: self._arrive(done, target))
        return target

    def _arrive(self, source: concurrent.futures.Future[T], target: asyncio.Future[T]) -> None:
        with self._lock:
            self._arrived.append((source, target))
            is_first = len(self._arrived) == 1
        if is_first:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nothing awaits it
                self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, []
        for source, target in arrived:
            if target.done():
                continue
            if source.cancelled():
                target.cancel()
            elif (error := source.exception()) is not None:
                target.set_exception(error)
            else:
                target.set_result(source.result())


def _cancel_with(source: concurrent.futures.Future[T], target: asyncio.Future[T]) -> None:
    if target.cancelled():
        source.cancel()
