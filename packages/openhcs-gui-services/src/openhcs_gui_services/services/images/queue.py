"""Calls in threads, the newest request first; requests that nobody waits for any more are dropped."""

import asyncio
import functools
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar, cast

__all__ = ["NewestFirst"]

Value = TypeVar("Value")


@dataclass(eq=False)
class _Request:
    key: Hashable
    call: Callable[[], object]
    future: "asyncio.Future[object]"
    waiters: int = 0


@dataclass(frozen=True)
class _Ahead:
    call: Callable[[], object]
    take: Callable[[object], object]


class NewestFirst:
    """Runs calls in a few threads. Used from one event loop; only the calls themselves are in threads.

    Whoever looks through wells wants the well that was chosen last, so the newest request is served first. Requests
    with the same key share one call. What is requested ahead is served when nothing else waits, and leaves one thread
    free for what comes next.

    Args:
        threads: number of threads.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="images")
        self._waiting: dict[Hashable, _Request] = {}
        self._later: dict[Hashable, _Request] = {}
        self._ahead: dict[Hashable, _Ahead] = {}
        self._running: dict[Hashable, _Request] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """The number of requests that have not been started."""
        return len(self._waiting) + len(self._later) + len(self._ahead)

    async def run(self, key: Hashable, call: Callable[[], Value], *, later: bool = False) -> Value:
        """Return the result of ``call``, made in a thread; when the last caller is cancelled before, it is not made.

        Args:
            key: identifies the request; equal keys share one call.
            call: the call.
            later: serve all other requests first, and this one in its turn.
        """
        if self._is_closed:
            raise asyncio.CancelledError
        request = self._running.get(key) or self._waiting.get(key) or self._later.pop(key, None) or self._new(key, call)
        if key not in self._running and not (later and key in self._waiting):
            self._waiting.pop(key, None)
            (self._later if later else self._waiting)[key] = request
        self._ahead.pop(key, None)
        request.waiters += 1
        self._fill()
        try:
            return cast(Value, await asyncio.shield(request.future))
        finally:
            request.waiters -= 1
            if request.waiters == 0:
                self._drop(request)

    def ahead(self, key: Hashable, call: Callable[[], Value], take: Callable[[Value], object]) -> None:
        """Make ``call`` when nothing else waits, and pass its result to ``take``; an error is ignored.

        Whoever wants the result later gets the same error then.
        """
        if not self._is_closed and not any(key in each for each in (self._running, self._waiting, self._later)):
            self._ahead.setdefault(key, _Ahead(call, cast("Callable[[object], object]", take)))
            self._fill()

    def forget_ahead(self) -> None:
        """Drop what was requested ahead and has not been started."""
        self._ahead.clear()

    async def close(self) -> None:
        """Drop what waits, and wait for the calls that are being made. May be called twice."""
        self._is_closed = True
        self._ahead.clear()
        for request in (*self._waiting.values(), *self._later.values()):
            request.future.cancel()
        self._waiting.clear()
        self._later.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(wait=True)

    def _new(self, key: Hashable, call: Callable[[], object]) -> _Request:
        return _Request(key, call, asyncio.get_running_loop().create_future())

    def _drop(self, request: _Request) -> None:
        """Forget a request that has not been started."""
        for each in (self._waiting, self._later):
            if each.get(request.key) is request:
                del each[request.key]
                request.future.cancel()

    def _fill(self) -> None:
        """Start calls in the free threads; what is not urgent leaves one thread free."""
        while self._waiting and len(self._running) < self._threads:
            _, request = self._waiting.popitem()
            self._start(request)
        while self._later and len(self._running) < max(1, self._threads - 1):
            self._start(self._later.pop(next(iter(self._later))))
        while self._ahead and len(self._running) < max(1, self._threads - 1):
            key = next(iter(self._ahead))
            ahead = self._ahead.pop(key)
            request = self._new(key, ahead.call)
            request.future.add_done_callback(functools.partial(_take, ahead.take))
            self._start(request)

    def _start(self, request: _Request) -> None:
        self._running[request.key] = request
        task = asyncio.get_running_loop().create_task(self._call(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, request: _Request) -> None:
        try:
            value = await asyncio.get_running_loop().run_in_executor(self._pool, request.call)
        except Exception as error:  # noqa: BLE001  raised again by those who wait for it
            if not request.future.done():
                request.future.set_exception(error)
                request.future.exception()  # nobody waits for what was requested ahead
        else:
            if not request.future.done():
                request.future.set_result(value)
        finally:
            del self._running[request.key]
            if not self._is_closed:
                self._fill()


def _take(take: Callable[[object], object], future: "asyncio.Future[object]") -> None:
    if not future.cancelled() and future.exception() is None:
        take(future.result())
