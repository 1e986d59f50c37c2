"""The connection of a window to a real server: made, lost, found again, let go."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import psutil
import pytest

from openhcs_gui_services.services.connection.client import ZMQClientService
from openhcs_gui_services.services.plates.values import ServerState
from zmqruntime.exceptions import ClosedError, ConnectionFailedError, ServerLostError

pytestmark = pytest.mark.usefixtures("isolated_home", "no_leaks")

PORT = 7861
SECONDS = 60.0


class Watch:
    """What a service has said, and when it said last that it was so."""

    def __init__(self) -> None:
        self.service = ZMQClientService(PORT, on_state=self._take, on_back=self._count)
        self.said: list[ServerState] = []
        self.heard_at: dict[ServerState, float] = {}
        self.backs = 0
        self._changed = asyncio.Event()

    def _take(self, state: ServerState, text: str) -> None:
        self.said.append(state)
        self.heard_at[state] = time.monotonic()
        self._changed.set()

    def _count(self) -> None:
        self.backs += 1

    async def until(self, state: ServerState) -> None:
        """Return once it is so."""
        while self.service.state is not state:
            self._changed.clear()
            await self._changed.wait()

    async def kill_server(self) -> None:
        """End its process the hard way; returns when it is gone."""
        process = psutil.Process(self.service.client.server.pid)
        process.kill()
        await asyncio.to_thread(process.wait, SECONDS)


def go(work: Callable[[Watch], Awaitable[None]]) -> None:
    """Do it within the time, and end the server that it has left running."""

    async def whole() -> None:
        watch = Watch()
        try:
            async with asyncio.timeout(SECONDS):
                await work(watch)
        finally:
            if watch.service.state is ServerState.CONNECTED:
                await watch.service.client.shutdown_server()
            await watch.service.close()
            await watch.service.close()
        assert watch.said[-1] is ServerState.DISCONNECTED
        with pytest.raises(ClosedError):
            await watch.service.connect()

    asyncio.run(whole())


def test_a_window_at_rest_is_told_of_a_loss_and_starts_no_other_server() -> None:
    async def work(watch: Watch) -> None:
        service = watch.service
        first, second = await asyncio.gather(service.connect(), service.connect())
        assert first == second == await service.connect()
        assert watch.said == [ServerState.CONNECTING, ServerState.CONNECTED]
        killed_at = time.monotonic()
        await watch.kill_server()
        await watch.until(ServerState.LOST)
        assert watch.heard_at[ServerState.LOST] - killed_at < 2.0
        assert service._recovery is None
        assert (await service.connect()).instance_id != first.instance_id
        assert watch.said[2:] == [ServerState.LOST, ServerState.CONNECTED]
        assert watch.backs == 1

    go(work)


def test_a_call_that_may_have_been_heard_ends_as_lost_and_not_as_never_made() -> None:
    patch = pytest.MonkeyPatch()

    async def work(watch: Watch) -> None:
        service, calls = watch.service, list[str]()

        async def twice_lost() -> str:
            calls.append("call")
            if len(calls) < 3:
                raise ServerLostError("away")
            return "done"

        assert await service.persist(twice_lost) == "done"
        calls.clear()

        async def always_lost() -> None:
            calls.append("call")
            raise ServerLostError("away again")

        with pytest.raises(ServerLostError, match="away again"):
            await service.persist(always_lost)
        assert len(calls) == 3

        async def kill() -> None:
            await watch.kill_server()
            await watch.until(ServerState.LOST)
            raise ServerLostError("killed")

        patch.setattr(service.client.client, "server_spec", lambda: None)
        with pytest.raises(ServerLostError, match="killed") as caught:
            await service.persist(kill)
        assert isinstance(caught.value.__cause__, ConnectionFailedError)
        with pytest.raises(ConnectionFailedError):
            await service.persist(always_lost)
        assert len(calls) == 3
        assert service.state is ServerState.LOST
        patch.undo()
        await service.connect()

    go(work)
