"""Requests to an execution server on an asyncio loop, without a subscription."""

import asyncio
import time
from typing import TypeVar

from zmqruntime.config import ZMQConfig
from zmqruntime.control_client import ControlClient, checked
from zmqruntime.deadlines import LISTEN_SECONDS, was_stopped
from zmqruntime.execution.client.control import ExecutionControlClient
from zmqruntime.messages import Message, PongResponse

__all__ = ["AsyncExecutionControlClient", "request_on_loop"]

ResponseT = TypeVar("ResponseT", bound=Message)


class AsyncExecutionControlClient:
    """An :class:`ExecutionControlClient` for one event loop.

    Args:
        port: Data port of the server.
        host: Host of a TCP server; giving one selects TCP.
        config: Settings shared by the server and its clients.
    """

    def __init__(self, port: int, *, host: str | None = None, config: ZMQConfig | None = None) -> None:
        self._client = ExecutionControlClient(port, host=host, config=config)

    async def connect(self, timeout: float = 15.0) -> PongResponse:
        """Attach to the server; see :meth:`zmqruntime.ControlClient.connect`."""
        return await asyncio.to_thread(self._client.connect, timeout)

    async def disconnect(self) -> None:
        """Release the connection. May be called twice."""
        await asyncio.to_thread(self._client.disconnect)

    async def request(self, message: Message, expect: type[ResponseT], timeout: float | None = None) -> ResponseT:
        """Send a request and wait for its reply; see :meth:`zmqruntime.ControlClient.request`."""
        return await request_on_loop(self._client, message, expect, timeout)

    async def shutdown_server(self, timeout: float = 10.0) -> None:
        """End the server process; see :meth:`zmqruntime.ControlClient.shutdown_server`."""
        await asyncio.to_thread(self._client.shutdown_server, timeout)


async def request_on_loop(
    client: ControlClient, message: Message, expect: type[ResponseT], timeout: float | None
) -> ResponseT:
    """Send a request and wait for its reply on an event loop; raises as :meth:`zmqruntime.ControlClient.request`."""
    seconds = client.config.request_timeout if timeout is None else timeout
    deadline = time.monotonic() + seconds
    reply = asyncio.wrap_future(client.send_request(message))
    try:
        await asyncio.wait({reply}, timeout=seconds)
        if not reply.done() and was_stopped(deadline):
            await asyncio.wait({reply}, timeout=LISTEN_SECONDS)
        if not reply.done():
            raise client.timeout_error(message, seconds)
        return checked(await reply, expect)
    finally:
        reply.cancel()
