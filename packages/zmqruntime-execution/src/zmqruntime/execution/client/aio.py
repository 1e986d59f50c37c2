"""The execution client for asyncio, and for Qt programs whose loop is an asyncio loop: the same client, awaited.

Everything is done by an :class:`ExecutionClient` and its one I/O thread; here its futures are awaited instead of waited
for, so a thousand waits take no thread more than one. Only starting and ending a connection use a thread of the loop's
default executor.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, Unpack

from zmqruntime.client import ClientState, checked
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ServerLostError
from zmqruntime.execution.client.client import CALLBACK_SECONDS, ExecutionClient, SubmitOptions, not_ended
from zmqruntime.execution.client.control import request_on_loop
from zmqruntime.execution.client.followers import EndSink
from zmqruntime.execution.client.history_pages import HistoryPages
from zmqruntime.execution.client.loop_calls import LoopCalls
from zmqruntime.execution.events.result_files import ResultPieces, lacks_result
from zmqruntime.execution.exceptions import InvalidProgressError
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.progress.rules import log_invalid_progress
from zmqruntime.messages import (
    AcceptedResponse,
    BatchRequest,
    BatchResponse,
    CancelRequest,
    CancelResponse,
    Event,
    ExecuteRequest,
    ExecutionSnapshot,
    FindRequest,
    FindResponse,
    Message,
    PongResponse,
    ProgressUpdate,
    QueueAction,
    QueueRequest,
    QueueResponse,
    ResultResponse,
    StatusRequest,
    StatusResponse,
    SubmissionRequest,
    SubmissionResponse,
)

if TYPE_CHECKING:
    from zmqruntime.execution.server.server import ExecutionServer

__all__ = ["AsyncExecutionClient"]

T = TypeVar("T")
ResponseT = TypeVar("ResponseT", bound=Message)

_EVENTS_PER_TURN = 200


class AsyncExecutionClient:
    """:class:`ExecutionClient` for one event loop: the same methods with the same meaning, to be awaited.

    Every call can be cancelled, and then leaves nothing behind; a submission that was cancelled may have been accepted.

    Args:
        port, host, transport_mode, config, persistent, server: as for :class:`ExecutionClient`.
        progress_callback: called on the event loop with every progress update of the executions that this client
            submits, in order. It must be quick; while the loop does not keep up, superseded updates are left out.
        on_error: called in another thread with what is wrong with an event that breaks the schema; see
            :class:`ExecutionClient`, whose ``bad_updates`` counts them.
    """

    client_type: ClassVar[type[ExecutionClient]] = ExecutionClient
    """The client that does the work; a subclass names its own here."""

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        persistent: bool = True,
        server: "str | type[ExecutionServer] | None" = None,
        progress_callback: Callable[[ProgressUpdate], None] | None = None,
        on_error: Callable[[InvalidProgressError], None] = log_invalid_progress,
    ) -> None:
        self._calls = None if progress_callback is None else LoopCalls(progress_callback)
        self._client = self.client_type(
            port,
            host=host,
            transport_mode=transport_mode,
            config=config,
            persistent=persistent,
            server=server,
            progress_callback=None if self._calls is None else self._calls.give,
            on_error=on_error,
        )

    # --- life ----------------------------------------------------------------------------------------------------

    async def connect(self, timeout: float = 15.0) -> PongResponse:
        """Attach to the server, or start it; see :meth:`zmqruntime.ZMQClient.connect`."""
        if self._calls is not None:
            self._calls.attach(asyncio.get_running_loop())
        return await asyncio.to_thread(self._client.connect, timeout)

    async def disconnect(self) -> None:
        """Release everything; what was submitted goes on, unless this client owns the server. May be called twice."""
        if self._calls is not None:
            self._calls.close()
        await asyncio.to_thread(self._client.disconnect)

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.disconnect()  # a connect that was cancelled goes on in its thread; this waits for it
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.disconnect()

    async def shutdown_server(self, timeout: float = 10.0) -> None:
        """End the server process and wait until it has ended; see :meth:`zmqruntime.ZMQClient.shutdown_server`."""
        await asyncio.to_thread(self._client.shutdown_server, timeout)

    @property
    def client(self) -> ExecutionClient:
        """The same client for other threads; on the event loop its calls would block."""
        return self._client

    @property
    def state(self) -> ClientState:
        """What the client can do now."""
        return self._client.state

    @property
    def server(self) -> PongResponse:
        """Who the server is. Raises ClosedError before ``connect()``."""
        return self._client.server

    # --- executions ----------------------------------------------------------------------------------------------

    def request_for(self, task: Any, config: Any = None, **options: Unpack[SubmitOptions]) -> ExecuteRequest:
        """A submission for :meth:`submit_batch`; see :meth:`ExecutionClient.request_for`."""
        return self._client.request_for(task, config, **options)

    async def submit(
        self, task: Any, config: Any = None, *, timeout: float | None = None, **options: Unpack[SubmitOptions]
    ) -> str:
        """Hand a task to the server and return its execution id; see :meth:`ExecutionClient.submit`."""
        request = self.request_for(task, config, **options)
        await self._send_submission([request], request, AcceptedResponse, timeout)
        return request.submission_id

    async def submit_batch(self, requests: list[ExecuteRequest], timeout: float | None = None) -> list[str]:
        """Hand over all of these tasks or none; see :meth:`ExecutionClient.submit_batch`."""
        await self._send_submission(requests, BatchRequest(requests=requests), BatchResponse, timeout)
        return [request.submission_id for request in requests]

    async def wait(self, execution_id: str, timeout: float | None = None) -> ExecutionSnapshot:
        """Wait until an execution has ended; see :meth:`ExecutionClient.wait`."""
        delivery = self._client.delivery_of(execution_id)
        try:
            async with asyncio.timeout(timeout) as limit:
                snapshot = await _through_losses(lambda: self._end_of(execution_id), timeout)
        except TimeoutError as error:
            if limit.expired():
                raise not_ended(execution_id, timeout, self._client.standing) from error
            raise
        if delivery is not None:
            await asyncio.wait({asyncio.wrap_future(delivery)}, timeout=CALLBACK_SECONDS)
        return await self._with_result(snapshot)

    async def poll_status(self, execution_id: str) -> ExecutionSnapshot:
        """What the execution is now; see :meth:`ExecutionClient.poll_status`."""
        return await self._with_result(await self.snapshot_of(execution_id))

    async def snapshot_of(self, execution_id: str) -> ExecutionSnapshot:
        """The same, without a long result; see :meth:`ExecutionClient.snapshot_of`."""
        return (await self.request(StatusRequest(execution_id=execution_id), StatusResponse)).executions[0]

    async def status(self, limit: int = 20) -> StatusResponse:
        """All executions that have not ended, queued ones up to 200, and the latest ``limit`` that have.

        How many are queued and running in all, its fields ``queued`` and ``running`` say.
        """
        return await self.request(StatusRequest(limit=limit), StatusResponse)

    async def history(
        self, limit: int = 100, before: float | None = None, older_than: str | None = None
    ) -> list[ExecutionSnapshot]:
        """Ended executions, newest first; see :meth:`ExecutionClient.history`."""
        pages = HistoryPages(limit, before, older_than)
        while (request := pages.request) is not None:
            pages.add(await self.request(request, StatusResponse))
        return pages.found

    async def find(self, prefix: str) -> FindResponse:
        """The ids of executions that begin with ``prefix``; see :meth:`ExecutionClient.find`."""
        return await self.request(FindRequest(prefix=prefix), FindResponse)

    async def submission_of(self, execution_id: str) -> ExecuteRequest:
        """What was submitted for an execution; see :meth:`ExecutionClient.submission_of`."""
        return (await self.request(SubmissionRequest(execution_id=execution_id), SubmissionResponse)).request

    async def cancel(
        self, execution_id: str, axis_id: str | None = None, grace_seconds: float | None = None
    ) -> CancelResponse:
        """Ask an execution, or one axis of it, to stop; see :meth:`ExecutionClient.cancel`."""
        request = CancelRequest(execution_id=execution_id, axis_id=axis_id, grace_seconds=grace_seconds)
        return await self.request(request, CancelResponse)

    async def change_queue(
        self, action: QueueAction, execution_id: str | None = None, position: int = 0
    ) -> QueueResponse:
        """Pause, resume, drain, move, hold or release; see :meth:`ExecutionClient.change_queue`."""
        request = QueueRequest(action=action, execution_id=execution_id, position=position)
        return await self.request(request, QueueResponse)

    async def events(self, execution_id: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """All events of an execution, in order, until it has ended; see :meth:`ExecutionClient.events`.

        Events that are not taken wait at the server. Who leaves the loop early and does not want to wait for the
        garbage collector closes the iterator: ``async with contextlib.aclosing(client.events(id)) as events``.
        """
        snapshot = (await self.insist(StatusRequest(execution_id=execution_id), StatusResponse)).executions[0]
        arrived = asyncio.Event()
        wake = functools.partial(_call_on, asyncio.get_running_loop(), arrived.set)
        is_over = has_ended(snapshot.status, snapshot.resumable)
        with self._client.opened(execution_id, after, is_over) as sink:
            sink.on_change = wake
            while (events := sink.take(_EVENTS_PER_TURN)) is not None:
                for event in events:
                    yield event
                if events:
                    await asyncio.sleep(0)  # there may be more; first the others on the loop get their turn
                else:
                    await arrived.wait()
                    arrived.clear()

    async def request(self, message: Message, expect: type[ResponseT], timeout: float | None = None) -> ResponseT:
        """Send a request and wait for its reply; see :meth:`zmqruntime.ZMQClient.request`."""
        return await request_on_loop(self._client, message, expect, timeout)

    async def insist(self, message: Message, expect: type[ResponseT]) -> ResponseT:
        """Until it is answered, however long the server is away; see :meth:`ExecutionClient.insist`."""
        while True:
            reply = asyncio.wrap_future(self._client.send_request(message))
            try:
                while not reply.done():
                    await asyncio.wait({reply}, timeout=self._client.config.request_timeout)
                    if self._client.state is ClientState.CONNECTED:
                        break
                if reply.done():
                    return checked(reply.result(), expect)
            finally:
                reply.cancel()

    async def _with_result(self, snapshot: ExecutionSnapshot) -> ExecutionSnapshot:
        pieces = ResultPieces(snapshot)
        while (request := pieces.request) is not None:
            pieces.add(await self.insist(request, ResultResponse))
        return await asyncio.to_thread(pieces.complete) if lacks_result(snapshot) else snapshot

    async def _end_of(self, execution_id: str) -> ExecutionSnapshot:
        known = self._client.known_end(execution_id)
        if known is not None:
            return await asyncio.shield(asyncio.wrap_future(known.ended))
        request = StatusRequest(execution_id=execution_id)
        snapshot = (await self.insist(request, StatusResponse)).executions[0]
        if has_ended(snapshot.status, snapshot.resumable):
            return snapshot
        sink = EndSink()
        with self._client.following(execution_id, snapshot.event_count, sink):
            return await asyncio.wrap_future(sink.ended)

    async def _send_submission(
        self,
        requests: list[ExecuteRequest],
        message: ExecuteRequest | BatchRequest,
        expect: type[AcceptedResponse] | type[BatchResponse],
        timeout: float | None,
    ) -> None:
        self._client.check_code()
        with self._client.submitting(requests):
            try:
                async with asyncio.timeout(timeout):
                    await _through_losses(lambda: self.insist(message, expect), timeout)
            except (TimeoutError, ServerLostError) as error:
                raise self._client.submission_error(requests, error, timeout) from error


async def _through_losses(make: Callable[[], Coroutine[Any, Any, T]], timeout: float | None) -> T:
    """Where the caller has set a time limit, only that ends a wait; without one, that no successor of a server came."""
    while True:
        try:
            return await make()
        except ServerLostError:
            if timeout is None:
                raise


def _call_on(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop was closed without a word; nobody takes events any more
        loop.call_soon_threadsafe(call)
