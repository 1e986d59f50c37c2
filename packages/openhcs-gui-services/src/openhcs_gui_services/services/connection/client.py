"""One window's connection to its server: made when it is needed, watched, and made again when the server was lost."""

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final, TypeVar

from openhcs_gui_services.services.plates.values import ServerState
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.backoff import Backoff
from zmqruntime.client import ClientState, Standing
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ClosedError, RequestTimeoutError, ServerLostError, ZMQRuntimeError
from zmqruntime.execution import AsyncExecutionClient, ExecutionClient
from zmqruntime.execution.helpers.patience import patience_text
from zmqruntime.messages import ExecuteRequest, PongResponse

__all__ = ["ZMQClientService"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

SILENT_AFTER_SECONDS: Final = 0.9
"""Then it is asked within half of this, and called silent a third of this later: after 1.65 s at the latest."""
_CONNECT_SECONDS: Final = 15.0
"""Seconds before each attempt to find, or start, the successor of a lost server; the last one again and again."""
_CALM_SECONDS: Final = 60.0
"""After so long without a loss the pauses begin anew, so that a server which dies again and again is not hurried."""
_SENDS: Final = 3
_ATTACHED: Final = (ServerState.CONNECTED, ServerState.SILENT)
_HEARD: Final = (ClientState.CONNECTED, ClientState.SILENT)


class _WatchedClient(ExecutionClient):
    """Says when its server is lost and when it is back; the calls are made on the I/O thread.

    The service decides when a successor is started: it knows what the window wants.
    """

    restarts_server: ClassVar[bool] = False
    server_target: ClassVar[str | None] = "openhcs_runtime.service.server:OpenHCSExecutionServer"
    on_lost: Callable[[str], None] = staticmethod(lambda text: None)
    on_back: Callable[[], None] = staticmethod(lambda: None)

    def on_server_lost(self, error: ServerLostError) -> None:
        """The server has ended, or cannot be reached."""
        super().on_server_lost(error)
        self.on_lost(str(error))

    def on_server_back(self, is_new: bool) -> None:
        """It, or its successor, answers."""
        super().on_server_back(is_new)
        self.on_back()


class _WatchedAsyncClient(AsyncExecutionClient):
    client_type = _WatchedClient


class ZMQClientService:
    """Owns the one client of a window. All calls and callbacks are on the event loop's thread.

    A server that it starts is persistent: it outlives the window.

    Args:
        port, host, transport_mode, config: as for :class:`zmqruntime.ZMQClient`; a server is only started on this
            machine.
        on_state: called with each new state and what to say of it.
        on_back: called when a lost server, or its successor, answers again, after ``on_state``.
        wants_server: asked when the server was lost: whether to find or start its successor at once. Without, the
            service waits until somebody else has started it, or :meth:`connect` is called.
    """

    def __init__(
        self,
        port: int = 7777,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig = OPENHCS_CONFIG,
        on_state: Callable[[ServerState, str], None] = lambda state, text: None,
        on_back: Callable[[], None] = lambda: None,
        wants_server: Callable[[], bool] = lambda: False,
    ) -> None:
        self.port = port
        self.host = host
        self._transport_mode = transport_mode
        window = min(config.heartbeat_window, SILENT_AFTER_SECONDS)
        self._config = dataclasses.replace(config, heartbeat_window=window)
        self._on_state = on_state
        self._on_back = on_back
        self._wants_server = wants_server
        self._client: _WatchedAsyncClient | None = None
        self._state = ServerState.DISCONNECTED
        self._is_closed = False
        self._connecting: asyncio.Task[PongResponse] | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._is_connected = asyncio.Event()
        self._persisting = 0
        self._backoff = Backoff(calm_seconds=_CALM_SECONDS)

    @property
    def state(self) -> ServerState:
        """How the window stands with the server."""
        return self._state

    @property
    def client(self) -> AsyncExecutionClient:
        """The client, connected or not; :meth:`connect` first."""
        return self._made()

    @property
    def attached(self) -> AsyncExecutionClient | None:
        """The client while there is a server, silent or not; None otherwise."""
        client = self._client
        is_attached = client is not None and self._state in _ATTACHED and client.state in _HEARD
        return client if is_attached else None

    async def connect(self) -> PongResponse:
        """Attach to the server, or start it; at once if that is so already. Says who it is.

        Raises:
            ConnectionFailedError: no server answers and none could be started, or the port is taken.
            ClosedError: after :meth:`close`.
        """
        client = self._made()
        if self._state in _ATTACHED and client.state in _HEARD:
            return client.server
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(client))
        return await asyncio.shield(self._connecting)

    async def submit(self, request: ExecuteRequest) -> None:
        """Hand a submission to the server, also if that is lost meanwhile: sent again, it is the same execution.

        Raises:
            RequestRefusedError: the server does not take it.
            ServerLostError, RequestTimeoutError: whether it has been handed over is not known.
            ZMQRuntimeError: it could not be handed over.
        """
        await self.persist(functools.partial(self._submit_once, request))

    async def persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call that does no harm when it is made twice; make it again if the server is lost under it, and for as
        long as the server is silent.

        Raises:
            ServerLostError, RequestTimeoutError: it was made, and whether it was heard is not known.
            ZMQRuntimeError: it could not be made, or was answered with an error.
        """
        self._persisting += 1
        try:
            return await self._persist(call)
        finally:
            self._persisting -= 1

    async def _persist(self, call: Callable[[], Awaitable[T]]) -> T:
        lost: ZMQRuntimeError | None = None
        sends = 0
        while True:
            try:
                await self.connect()
            except ZMQRuntimeError as error:
                if lost is None:
                    raise
                raise lost from error
            try:
                return await call()
            except (ServerLostError, RequestTimeoutError) as error:
                lost = error
            sends += self._made().state is not ClientState.SILENT
            if sends >= _SENDS:
                raise lost

    async def close(self) -> None:
        """Let go of the server; what was submitted goes on. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        for task in (self._recovery, self._connecting):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ZMQRuntimeError):
                    await task
        if self._client is not None:
            await self._client.disconnect()
        self._enter(ServerState.DISCONNECTED, "")

    async def _submit_once(self, request: ExecuteRequest) -> None:
        await self._made().submit_batch([request])

    def _made(self) -> _WatchedAsyncClient:
        if self._is_closed:
            raise ClosedError("the window has let go of its server; open a new one")
        if self._client is None:
            self._client = _WatchedAsyncClient(
                self.port,
                host=self.host,
                transport_mode=self._transport_mode,
                config=self._config,
                persistent=True,
            )
        return self._client

    async def _connect(self, client: _WatchedAsyncClient) -> PongResponse:
        if self._state is ServerState.DISCONNECTED:
            self._enter(ServerState.CONNECTING, f"connecting to {self._where}")
            self._watch(client)
        try:
            pong = await client.connect(_CONNECT_SECONDS)
        except ZMQRuntimeError as error:
            if self._state is ServerState.CONNECTING:
                self._enter(ServerState.DISCONNECTED, str(error))
            raise
        finally:
            self._connecting = None
        self._note_back()
        return pong

    def _watch(self, client: _WatchedAsyncClient) -> None:
        watched = client.client
        assert isinstance(watched, _WatchedClient)
        loop = asyncio.get_running_loop()

        def call(function: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed without a word
                loop.call_soon_threadsafe(function)

        watched.on_lost = lambda text: call(functools.partial(self._note_lost, text))
        watched.on_back = lambda: call(self._note_back)
        watched.add_listener(lambda standing: call(functools.partial(self._note_standing, standing)))

    def _note_standing(self, standing: Standing) -> None:
        """Show for how long the server has not answered; it is waited for."""
        if self._is_closed or self._made().state is not standing.state:
            return
        if standing.state is ClientState.SILENT and self._state in _ATTACHED:
            self._enter(ServerState.SILENT, patience_text(standing))

    def _note_lost(self, text: str) -> None:
        if self._is_closed or self._made().state is not ClientState.LOST:
            return
        self._enter(ServerState.LOST, text)
        self._backoff.note()
        if self._needs_server() and (self._recovery is None or self._recovery.done()):
            self._recovery = asyncio.create_task(self._recover())

    def _note_back(self) -> None:
        if self._is_closed or self._made().state is not ClientState.CONNECTED:
            return
        was_lost = self._state is ServerState.LOST
        if self._state is not ServerState.CONNECTED:
            self._enter(ServerState.CONNECTED, f"connected to {self._where}")
        if was_lost:
            self._on_back()

    async def _recover(self) -> None:
        """Until the server or its successor answers, or nobody needs it any more."""
        for pause in self._backoff.attempts():
            if self._state is not ServerState.LOST or not self._needs_server():
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_connected.wait(), pause)
            if self._state is not ServerState.LOST:
                return
            try:
                await self.connect()
            except ZMQRuntimeError as error:
                _log.warning("the server is not back yet: %s", error)
                self._enter(ServerState.LOST, str(error))

    def _needs_server(self) -> bool:
        """Whether its executions, or a call that is being made, need the next server at once."""
        was_stopped = self._made().client.was_stopped
        return (self._wants_server() and not was_stopped) or self._persisting > 0

    @property
    def _where(self) -> str:
        return f"the server on port {self.port}" + (f" of {self.host}" if self.host else "")

    def _enter(self, state: ServerState, text: str) -> None:
        self._state = state
        if state is ServerState.CONNECTED:
            self._is_connected.set()
        else:
            self._is_connected.clear()
        self._on_state(state, text)
