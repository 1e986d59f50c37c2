"""The events of an execution on an event loop."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Callable

from zmqruntime.execution.client.followers import IteratorSink
from zmqruntime.messages import Event

__all__ = ["events_on_loop"]

_EVENTS_PER_TURN = 200


async def events_on_loop(sink: IteratorSink) -> AsyncGenerator[Event, None]:
    """Yield the events that a sink gets, until the last one, without blocking the loop that is running."""
    arrived = asyncio.Event()
    sink.on_change = functools.partial(_call_on, asyncio.get_running_loop(), arrived.set)
    while (events := sink.take(_EVENTS_PER_TURN)) is not None:
        for event in events:
            yield event
        if events:
            await asyncio.sleep(0)  # there may be more; let other tasks on the loop run first
        else:
            await arrived.wait()
            arrived.clear()


def _call_on(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop was closed without notice; nobody takes events any more
        loop.call_soon_threadsafe(call)
