"""The events of a future, for a loop in a thread or on an event loop."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Self

from zmqruntime.execution.client.followers import IteratorSink
from zmqruntime.messages import Event

__all__ = ["EventStream"]


class EventStream(Iterator[Event]):
    """The progress, log lines and changes of state of an execution, in order, until it has ended.

    Iterate over it once: with ``for`` in a thread, which waits for each event, or with ``async for`` on an event loop,
    which then does other things.

    Args:
        iterate: Returns an iterator that waits for each event.
        opened: Provides the events as they arrive.
    """

    def __init__(
        self, iterate: Callable[[], Iterator[Event]], opened: Callable[[], AbstractContextManager[IteratorSink]]
    ) -> None:
        self._iterate = iterate
        self._opened = opened
        self._events: Iterator[Event] | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        if self._events is None:
            self._events = self._iterate()
        return next(self._events)

    async def __aiter__(self) -> AsyncIterator[Event]:
        from zmqruntime.execution.client.loop_events import events_on_loop  # noqa: PLC0415  needs asyncio

        with self._opened() as sink:
            async for event in events_on_loop(sink):
                yield event
