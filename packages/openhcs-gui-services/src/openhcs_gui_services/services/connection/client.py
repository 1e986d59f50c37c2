"""The connection of a window to its server: opened on demand, monitored, and reopened after the server was lost."""

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
"""Without a sign of life for this long the server is pinged within half of it, and reported as silent a third of it
later: after 1.65 s at the latest."""
_CONNECT_SECONDS: Final = 15.0
"""Time for one attempt to connect to the server, or to start it."""
_CALM_SECONDS: Final = 60.0
"""Reset the back-off after this many seconds without a loss, so that a server that keeps dying is restarted slowly."""
_SENDS: Final = 3
_ATTACHED: Final = (ServerState.CONNECTED, ServerState.SILENT)
_HEARD: Final = (ClientState.CONNECTED, ClientState.SILENT)


class _WatchedClient(ExecutionClient):
    """Client that reports, on the I/O thread, when its server is lost and when it is back.

    The service decides when another server is started: it knows whether the window needs one.
    """

    restarts_server: ClassVar[bool] = False
    server_target: ClassVar[str | None] = "openhcs_runtime.service.server:OpenHCSExecutionServer"
    on_lost: Callable[[str], None] = staticmethod(lambda text: None)
    on_back: Callable[[], None] = staticmethod(lambda: None)

    def on_server_lost(self, error: ServerLostError) -> None:
        """Report that the server has ended or can't be reached."""
        super().on_server_lost(error)
        self.on_lost(str(error))

    def on_server_back(self, is_new: bool) -> None:
        """Report that the server, or its successor, responds."""
        super().on_server_back(is_new)
        self.on_back()


class _WatchedAsyncClient(AsyncExecutionClient):
    client_type = _WatchedClient


class ZMQClientService:
    """Owns the only client of a window. All calls and callbacks happen on the event loop's thread.

    Servers that it starts are persistent: they outlive the window.

    Args:
        port: data port of the server.
        host: host name of the server; None for this machine. Servers are only started on this machine.
        transport_mode: as for :class:`zmqruntime.ZMQClient`.
        config: as for :class:`zmqruntime.ZMQClient`.
        on_state: called with each new state and a text that describes it.
        on_back: called after ``on_state`` when a lost server, or its successor, responds again.
        wants_server: called when the server was lost; returns whether to find or start its successor immediately
            [default: wait until another program has started one, or :meth:`connect` is called].
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
        """State of the connection to the server."""
        return self._state

    @property
    def client(self) -> AsyncExecutionClient:
        """The client; call :meth:`connect` before using it."""
        return self._made()

    @property
    def attached(self) -> AsyncExecutionClient | None:
        """The client while it is connected to a server, even a silent one; None otherwise."""
        client = self._client
        is_attached = client is not None and self._state in _ATTACHED and client.state in _HEARD
        return client if is_attached else None

    async def connect(self) -> PongResponse:
        """Connect to the server, or start it; returns immediately if already connected.

        Returns:
            The server's identity.

        Raises:
            ConnectionFailedError: no server responds and none could be started, or the port is in use.
            ClosedError: the service has been closed.
        """
        client = self._made()
        if self._state in _ATTACHED and client.state in _HEARD:
            return client.server
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(client))
        return await asyncio.shield(self._connecting)

    async def connect_to_running(self) -> bool:
        """Connect to a server on this machine if one is running, without starting one; return whether it is connected.

        Raises:
            ZMQRuntimeError: it is running, but can't be connected to.
        """
        if self.attached is not None:
            return True
        is_wanted = self._state is ServerState.DISCONNECTED and self.host is None and not self._is_closed
        if not is_wanted or not await asyncio.to_thread(self._made().client.address.is_listening):
            return False
        await self.connect()
        return True

    async def submit(self, request: ExecuteRequest) -> None:
        """Submit a request, even if the server is lost in the meantime; sending it again doesn't run it twice.

        Raises:
            RequestRefusedError: the server refused the submission.
            ServerLostError: the server was lost; it is unknown whether the submission was accepted.
            RequestTimeoutError: the server did not respond; it is unknown whether the submission was accepted.
            ZMQRuntimeError: the submission failed.
        """
        await self.persist(functools.partial(self._submit_once, request))

    async def persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make an idempotent call; repeat it if the server is lost during the call, and while the server is silent.

        Args:
            call: makes the request.

        Returns:
            The result of the call.

        Raises:
            ServerLostError: the server was lost; it is unknown whether the request was received.
            RequestTimeoutError: the server did not respond; it is unknown whether the request was received.
            ZMQRuntimeError: the request could not be sent, or the server replied with an error.
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
        """Disconnect from the server; submitted executions continue. Can be called more than once."""
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
            raise ClosedError("the window has disconnected from its server; open a new window")
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
            with contextlib.suppress(RuntimeError):  # the loop was closed without closing this service
                loop.call_soon_threadsafe(function)

        watched.on_lost = lambda text: call(functools.partial(self._note_lost, text))
        watched.on_back = lambda: call(self._note_back)
        watched.add_listener(lambda standing: call(functools.partial(self._note_standing, standing)))

    def _note_standing(self, standing: Standing) -> None:
        """Report for how long the server has not responded; the connection is kept."""
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
        """Try to connect until the server or its successor responds, or is no longer needed."""
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
        """Return whether the window's executions, or a call in progress, need the next server immediately."""
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
