"""Connection of a server browser to one server: its identity, executions and progress."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from openhcs_gui_services.services.servers.nodes import (
    ExecutionNode,
    Reach,
    ServerAddress,
    ServerKind,
    ServerNode,
)
from openhcs_gui_services.services.servers.processes import ProcessMeter
from zmqruntime.exceptions import ConnectionFailedError, RequestRefusedError, RequestTimeoutError, ZMQRuntimeError
from zmqruntime.execution import AxisState, PlateProjection
from zmqruntime.execution.client.control_aio import AsyncExecutionControlClient
from zmqruntime.execution.events.event_batches import Gap, Reader
from zmqruntime.messages import (
    EventsRequest,
    EventsResponse,
    ExecutionSnapshot,
    Message,
    PingRequest,
    PongResponse,
    StatusRequest,
    StatusResponse,
)

__all__ = ["Connection", "ServerLink"]

ResponseT = TypeVar("ResponseT", bound=Message)

_REPLY_SECONDS = 1.5
_PAGES_A_LOOK = 20


class Connection(Protocol):
    """A connected client that only makes requests; :class:`AsyncExecutionClient` is one, too."""

    async def request(self, message: Message, expect: type[ResponseT], timeout: float | None = None) -> ResponseT:
        """See :meth:`zmqruntime.ControlClient.request`."""

    async def shutdown_server(self, timeout: float = 10.0) -> None:
        """See :meth:`zmqruntime.ControlClient.shutdown_server`."""


class ServerLink:
    """Polls the server at one address; never starts one. Belongs to one event loop.

    Args:
        address: address of the server.
        shared: returns a connection that the host already has to this server, or None. It is used but never closed.
    """

    def __init__(self, address: ServerAddress, shared: Callable[[], Connection | None] = lambda: None) -> None:
        self.address = address
        self._shared = shared
        self._client: AsyncExecutionControlClient | None = None
        self._pong: PongResponse | None = None
        self._kind = ServerKind.UNKNOWN
        self._meter = ProcessMeter()
        self._readers: dict[str, Reader] = {}
        self._progress: dict[str, PlateProjection] = {}

    async def look(self) -> ServerNode:
        """Return the current state of the server; problems are part of the result and never raised."""
        try:
            if not await asyncio.to_thread(self.address.place.is_listening):
                await self._let_go()
                return self._node(Reach.ENDED if self.address.host is None else Reach.UNREACHABLE)
            client = await self._connected()
            pong = await client.request(PingRequest(), PongResponse, _REPLY_SECONDS)
            if self._pong is None or pong.instance_id != self._pong.instance_id:
                self._forget_progress()
            self._pong = pong
            return await self._answering(client)
        except (RequestTimeoutError, ConnectionFailedError) as error:
            reach = Reach.SILENT if self.address.is_local else Reach.UNREACHABLE
            return self._node(reach, problem=str(error).partition("\n")[0])
        except ZMQRuntimeError as error:
            return self._node(Reach.UNREACHABLE, problem=str(error).partition("\n")[0])

    async def quit(self, timeout: float) -> None:
        """Shut the server down and wait until it has ended.

        Args:
            timeout: how long to wait, in seconds.

        Raises:
            ZMQRuntimeError: as for ``AsyncExecutionClient.shutdown_server``.
        """
        client = await self._connected()
        await client.shutdown_server(timeout)

    async def close(self) -> None:
        """Close the connection; the server is not affected. Can be called more than once."""
        await self._let_go()

    # --- parts ---------------------------------------------------------------------------------------------------

    async def _connected(self) -> Connection:
        shared = self._shared()
        if shared is not None:
            await self._let_go()
            return shared
        if self._client is None:
            address = self.address
            client = AsyncExecutionControlClient(address.port, host=address.host, config=address.config)
            try:
                await client.connect(_REPLY_SECONDS)
            except BaseException:
                await client.disconnect()
                raise
            self._client = client
        return self._client

    async def _let_go(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.disconnect()

    async def _answering(self, client: Connection) -> ServerNode:
        try:
            status = await client.request(StatusRequest(limit=0), StatusResponse, _REPLY_SECONDS)
        except RequestRefusedError:
            self._kind = ServerKind.VIEWER
            return await self._measured(self._node(Reach.RUNNING))
        self._kind = ServerKind.EXECUTIONS
        running = [entry for entry in status.executions if entry.status.is_working]
        self._forget_all_but({entry.execution_id for entry in running})
        for entry in running:
            await self._read_progress(client, entry.execution_id)
        executions = await asyncio.to_thread(lambda: tuple(map(self._execution, status.executions)))
        node = self._node(
            Reach.RUNNING,
            executions=executions,
            running=status.running,
            queued=status.queued,
            paused=status.paused,
        )
        return await self._measured(node)

    async def _measured(self, node: ServerNode) -> ServerNode:
        if self._pong is None or not self.address.is_local:
            return node
        figures, workers = await asyncio.to_thread(self._meter.look, self._pong)
        return replace(node, figures=figures, workers=workers)

    def _node(
        self,
        reach: Reach,
        *,
        executions: tuple[ExecutionNode, ...] = (),
        running: int = 0,
        queued: int = 0,
        paused: bool = False,
        problem: str = "",
    ) -> ServerNode:
        return ServerNode(
            address=self.address,
            reach=reach,
            kind=self._kind,
            pong=self._pong,
            executions=executions,
            running=running,
            queued=queued,
            paused=paused,
            problem=problem,
        )

    async def _read_progress(self, client: Connection, execution_id: str) -> None:
        """Read new events since the last poll; if there are very many, the rest is left for the next poll."""
        reader = self._readers.setdefault(execution_id, Reader())
        projection = self._progress.setdefault(execution_id, PlateProjection())
        for _ in range(_PAGES_A_LOOK):
            request = EventsRequest(execution_id=execution_id, after=reader.position)
            try:
                response = await client.request(request, EventsResponse, _REPLY_SECONDS)
            except RequestRefusedError:
                return  # it has ended in the meantime and was pruned
            with contextlib.suppress(Gap):
                for batch in response.batches:
                    for event in reader.read(batch):
                        projection.apply(event)
            reader.note(response.upto)
            if not response.batches or not reader.is_behind:
                return

    def _execution(self, entry: ExecutionSnapshot) -> ExecutionNode:
        progress = self._progress.get(entry.execution_id, PlateProjection()).progress()
        return ExecutionNode(
            execution_id=entry.execution_id,
            plate_id=entry.plate_id,
            status=entry.status,
            queue_position=entry.queue_position,
            started_at=entry.started_at,
            percent=progress.percent,
            wells=tuple(axis for axis in progress.axes if axis.state is AxisState.RUNNING),
            wells_done=progress.axes_done,
            wells_failed=progress.axes_failed,
            wells_known=progress.axes_total,
        )

    def _forget_all_but(self, execution_ids: set[str]) -> None:
        for execution_id in self._readers.keys() - execution_ids:
            del self._readers[execution_id]
            del self._progress[execution_id]

    def _forget_progress(self) -> None:
        self._forget_all_but(set())
