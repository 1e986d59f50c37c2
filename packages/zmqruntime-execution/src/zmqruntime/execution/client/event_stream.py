"""The events of an execution as an asynchronous iterator that can be checked before its first event."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Self

from zmqruntime.messages import Event, ExecutionSnapshot

__all__ = ["EventStream"]


class EventStream:
    """The events of an execution, in order, until it has ended.

    Awaiting it asks the server for the execution, so that an unknown id is an error before the iteration begins:
    ``events = await client.events(execution_id)``. Without that, the iteration asks first.

    Args:
        ask: Asks the server for the execution.
        read: Returns the iterator over its events.

    Attributes:
        execution: State of the execution when the server was asked; None before that.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[ExecutionSnapshot]],
        read: Callable[[ExecutionSnapshot], AsyncGenerator[Event, None]],
    ) -> None:
        self.execution: ExecutionSnapshot | None = None
        self._ask = ask
        self._read = read
        self._events: AsyncGenerator[Event, None] | None = None

    def __await__(self) -> Generator[None, None, Self]:
        return self._opened().__await__()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        await self._opened()
        assert self._events is not None
        return await anext(self._events)

    async def aclose(self) -> None:
        """End the iteration and release what it uses. Idempotent."""
        if self._events is not None:
            await self._events.aclose()

    async def _opened(self) -> Self:
        if self._events is None:
            self.execution = await self._ask()
            self._events = self._read(self.execution)
        return self
