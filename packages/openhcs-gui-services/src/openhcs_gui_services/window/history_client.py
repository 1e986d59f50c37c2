"""The history pane's own connection to the server of the window, made when the history is first looked at."""

import asyncio
from collections.abc import Sequence

from openhcs_gui_services.services.history import HistoryRow, ServerHistory
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.execution import AsyncExecutionClient

__all__ = ["OwnHistory"]


class OwnHistory:
    """A :class:`HistorySource` that connects by itself; :meth:`close` ends the connection."""

    def __init__(self, host: str | None, port: int) -> None:
        self._client = AsyncExecutionClient(
            port, host=host, config=OPENHCS_CONFIG, server=ZMQExecutionClient.server_target, persistent=True
        )
        self._connecting = asyncio.Lock()
        self._is_connected = False

    async def rows(self, limit: int, before: float | None = None) -> Sequence[HistoryRow]:
        """See :class:`HistorySource`."""
        return await (await self._connected()).rows(limit, before)

    async def run_again(self, execution_id: str) -> str:
        """See :class:`HistorySource`."""
        return await (await self._connected()).run_again(execution_id)

    async def close(self) -> None:
        """Let go of the server. May be called twice."""
        await self._client.disconnect()

    async def _connected(self) -> ServerHistory:
        async with self._connecting:
            if not self._is_connected:
                await self._client.connect()
                self._is_connected = True
        return ServerHistory(self._client)
