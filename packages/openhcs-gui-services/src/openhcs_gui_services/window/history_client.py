"""History source for the history pane, using the connection of the window."""

from collections.abc import Sequence

from openhcs_gui_services.services.connection.client import ZMQClientService
from openhcs_gui_services.services.history import HistoryRow, ServerHistory

__all__ = ["WindowHistory"]


class WindowHistory:
    """A :class:`HistorySource` that connects the window to its server on first use, if necessary."""

    def __init__(self, connection: ZMQClientService) -> None:
        self._connection = connection

    async def rows(self, limit: int, before: float | None = None) -> Sequence[HistoryRow]:
        """See :class:`HistorySource`."""
        return await (await self._connected()).rows(limit, before)

    async def run_again(self, execution_id: str) -> str:
        """See :class:`HistorySource`."""
        return await (await self._connected()).run_again(execution_id)

    async def _connected(self) -> ServerHistory:
        await self._connection.connect()
        return ServerHistory(self._connection.client)
