"""Results of other threads that are awaited on an event loop."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable

import pytest

from zmqruntime.execution.client.arrivals import Arrivals

Future = concurrent.futures.Future[int]


def run(body: Callable[[Arrivals], Awaitable[None]]) -> None:
    async def main() -> None:
        await body(Arrivals(asyncio.get_running_loop()))

    asyncio.run(main())


def test_many_that_arrive_together_wake_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(arrivals: Arrivals) -> None:
        wakes: list[object] = []
        wake = arrivals.loop.call_soon_threadsafe

        def counted(call: Callable[[], None]) -> asyncio.Handle:
            wakes.append(call)
            return wake(call)

        monkeypatch.setattr(arrivals.loop, "call_soon_threadsafe", counted)
        sources = [Future() for _ in range(100)]
        targets = [arrivals.wrap(each, cancels=True) for each in sources]

        def set_all() -> None:
            for number, source in enumerate(sources):
                source.set_result(number)

        thread = threading.Thread(target=set_all)
        thread.start()
        thread.join()  # while the loop is busy
        assert await asyncio.gather(*targets) == list(range(100))
        assert len(wakes) == 1
        later = Future()
        target = arrivals.wrap(later, cancels=True)
        later.set_result(7)
        assert await target == 7

    run(body)


def test_errors_and_cancelled_ones_arrive_as_such() -> None:
    async def body(arrivals: Arrivals) -> None:
        failed, stopped = Future(), Future()
        targets = [arrivals.wrap(each, cancels=True) for each in (failed, stopped)]
        failed.set_exception(ValueError("it says why"))
        stopped.cancel()
        with pytest.raises(ValueError, match="it says why"):
            await targets[0]
        with pytest.raises(asyncio.CancelledError):
            await targets[1]

    run(body)


def test_only_what_is_asked_for_is_cancelled_with_the_awaiting_task() -> None:
    async def body(arrivals: Arrivals) -> None:
        own, shared = Future(), Future()
        for source, cancels in ((own, True), (shared, False)):
            target = arrivals.wrap(source, cancels=cancels)
            target.cancel()
            await asyncio.wait({target})
        assert (own.cancelled(), shared.cancelled()) == (True, False)
        shared.set_result(1)
        await asyncio.sleep(0)

    run(body)
