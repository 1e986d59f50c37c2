"""A response that goes on until its reader leaves; one that does not read is cut off, and comes back for the rest."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["SEND_SECONDS", "EventResponse"]

SEND_SECONDS = 20.0
"""How long a message may take to leave; the buffer of a connection holds little more than one."""
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventResponse(Response):
    """Server-sent events.

    Args:
        first: the first message.
        messages: the others; closed at the end.
        counted: entered while the response goes on.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        first: bytes,
        messages: AsyncIterator[bytes],
        counted: Callable[[], contextlib.AbstractContextManager[None]],
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._first = first
        self._messages = messages
        self._counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the reader leaves or there is nothing more."""
        with self._counted():
            tasks = {asyncio.create_task(self._send(scope, send)), asyncio.create_task(_until_left(receive))}
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                if isinstance(self._messages, AsyncGenerator):
                    await self._messages.aclose()
            for task in done:
                task.result()

    async def _send(self, scope: Scope, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            await _within(send, self._first)
            async for message in self._messages:
                await _within(send, message)
        except TimeoutError:
            cut = scope.get("state", {}).get("cut")
            if cut is not None:
                cut()
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _within(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
