"""The execution client for asyncio, and for Qt programs that run an asyncio loop.

An :class:`ExecutionClient` with its single I/O thread does the work; its futures are awaited instead of blocked on, so
a thousand waits need no more threads than one. Only connecting and disconnecting use a thread of the loop's default
executor.
"""

import asyncio
import concurrent.futures
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, Unpack

from zmqruntime.client import ClientState, checked
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ServerLostError
from zmqruntime.execution.client.arrivals import Arrivals
from zmqruntime.execution.client.cancels import cancel_requests, summed
from zmqruntime.execution.client.client import CALLBACK_SECONDS, ExecutionClient, SubmitOptions, not_ended
from zmqruntime.execution.client.control_aio import request_on_loop
from zmqruntime.execution.client.event_stream import EventStream
from zmqruntime.execution.client.followers import EndSink
from zmqruntime.execution.client.history_pages import HistoryPages
from zmqruntime.execution.client.loop_calls import LoopCalls
from zmqruntime.execution.client.loop_events import events_on_loop
from zmqruntime.execution.client.schedule_calls import AsyncScheduleCalls
from zmqruntime.execution.events.result_files import ResultPieces, lacks_result
from zmqruntime.execution.exceptions import InvalidProgressError
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.progress.rules import log_invalid_progress
from zmqruntime.execution.tracing import traced_submission
from zmqruntime.messages import (
    AcceptedResponse,
    BatchRequest,
    BatchResponse,
    CancelManyResponse,
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


class AsyncExecutionClient(AsyncScheduleCalls):
    """:class:`ExecutionClient` for one event loop: awaitable methods with the same names and meaning.

    Every call can be cancelled and cleans up after itself. A cancelled submission may still have been accepted.

    Args:
        port: Data port of the server; None for the default port of the server class.
        host: Host of a TCP server; naming one selects TCP.
        transport_mode: IPC or TCP; see :class:`zmqruntime.ZMQClient`.
        config: Settings shared by the server and its clients.
        persistent: Whether a server that this client starts outlives the client.
        server: Server class to start when no server answers, as a class or as ``module:Class``.
        server_options: Keyword arguments for that class; see :class:`ExecutionClient`.
        progress_callback: Called on the event loop with every progress update of the executions that this client
            submits, in order. It must return quickly; while the loop cannot keep up, superseded updates are skipped.
        on_error: Called in another thread with the error when an event violates the schema; see
            :class:`ExecutionClient`, whose ``bad_updates`` counts them.
    """

    client_type: ClassVar[type[ExecutionClient]] = ExecutionClient
    """Class of the client that does the work; subclasses can set their own."""

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        persistent: bool = True,
        server: "str | type[ExecutionServer] | None" = None,
        server_options: Mapping[str, Any] | None = None,
        progress_callback: Callable[[ProgressUpdate], None] | None = None,
        on_error: Callable[[InvalidProgressError], None] = log_invalid_progress,
    ) -> None:
        self._calls = None if progress_callback is None else LoopCalls(progress_callback)
        self._arrivals: Arrivals | None = None
        self._client = self.client_type(
            port,
            host=host,
            transport_mode=transport_mode,
            config=config,
            persistent=persistent,
            server=server,
            progress_callback=None if self._calls is None else self._calls.give,
            on_error=on_error,
            **({} if server_options is None else {"server_options": server_options}),
        )

    # --- life ----------------------------------------------------------------------------------------------------

    async def connect(self, timeout: float = 15.0) -> PongResponse:
        """Connect to the server, or start it; see :meth:`zmqruntime.ZMQClient.connect`."""
        if self._calls is not None:
            self._calls.attach(asyncio.get_running_loop())
        return await asyncio.to_thread(self._client.connect, timeout)

    async def disconnect(self) -> None:
        """Release all resources. Submitted tasks keep running unless this client owns the server. Idempotent."""
        if self._calls is not None:
            self._calls.close()
        await asyncio.to_thread(self._client.disconnect)

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.disconnect()  # a cancelled connect continues in its thread; this waits for it
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.disconnect()

    async def shutdown_server(self, timeout: float = 10.0) -> None:
        """Shut down the server process and wait for its end; see :meth:`zmqruntime.ZMQClient.shutdown_server`."""
        await asyncio.to_thread(self._client.shutdown_server, timeout)

    @property
    def client(self) -> ExecutionClient:
        """The underlying client, for use in other threads; on the event loop its calls would block."""
        return self._client

    @property
    def state(self) -> ClientState:
        """State of the connection."""
        return self._client.state

    @property
    def server(self) -> PongResponse:
        """Identity of the server.

        Raises:
            ClosedError: ``connect()`` has not been called.
        """
        return self._client.server

    # --- executions ----------------------------------------------------------------------------------------------

    def request_for(self, task: Any, config: Any = None, **options: Unpack[SubmitOptions]) -> ExecuteRequest:
        """Return a submission for :meth:`submit_batch`; see :meth:`ExecutionClient.request_for`."""
        return self._client.request_for(task, config, **options)

    async def submit(
        self, task: Any, config: Any = None, *, timeout: float | None = None, **options: Unpack[SubmitOptions]
    ) -> str:
        """Submit a task and return its execution id; see :meth:`ExecutionClient.submit`."""
        request = self.request_for(task, config, **options)
        await self._send_submission([request], request, AcceptedResponse, timeout)
        return request.submission_id

    async def submit_batch(self, requests: list[ExecuteRequest], timeout: float | None = None) -> list[str]:
        """Submit all of these tasks or none; see :meth:`ExecutionClient.submit_batch`."""
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
        """Return the current state of an execution; see :meth:`ExecutionClient.poll_status`."""
        return await self._with_result(await self.snapshot_of(execution_id))

    async def snapshot_of(self, execution_id: str) -> ExecutionSnapshot:
        """Return the current state without a large result; see :meth:`ExecutionClient.snapshot_of`."""
        return (await self.request(StatusRequest(execution_id=execution_id), StatusResponse)).executions[0]

    async def status(self, limit: int = 20) -> StatusResponse:
        """Return the running executions, up to 200 queued ones, and the latest ``limit`` that have ended.

        The fields ``queued`` and ``running`` of the response count all of them.
        """
        return await self.request(StatusRequest(limit=limit), StatusResponse)

    async def history(
        self, limit: int = 100, before: float | None = None, older_than: str | None = None
    ) -> list[ExecutionSnapshot]:
        """Return ended executions, newest first; see :meth:`ExecutionClient.history`."""
        pages = HistoryPages(limit, before, older_than)
        while (request := pages.request) is not None:
            pages.add(await self.request(request, StatusResponse))
        return pages.found

    async def find(self, prefix: str) -> FindResponse:
        """Return execution ids that start with ``prefix``; see :meth:`ExecutionClient.find`."""
        return await self.request(FindRequest(prefix=prefix), FindResponse)

    async def submission_of(self, execution_id: str) -> ExecuteRequest:
        """Return the original submission of an execution; see :meth:`ExecutionClient.submission_of`."""
        return (await self.request(SubmissionRequest(execution_id=execution_id), SubmissionResponse)).request

    async def cancel(
        self, execution_id: str, axis_id: str | None = None, grace_seconds: float | None = None
    ) -> CancelResponse:
        """Ask an execution, or one of its axes, to stop; see :meth:`ExecutionClient.cancel`."""
        request = CancelRequest(execution_id=execution_id, axis_id=axis_id, grace_seconds=grace_seconds)
        return await self.request(request, CancelResponse)

    async def cancel_many(
        self, execution_ids: Sequence[str], grace_seconds: float | None = None, *, queued_only: bool = False
    ) -> CancelManyResponse:
        """Cancel many executions together; see :meth:`ExecutionClient.cancel_many`."""
        requests = cancel_requests(execution_ids, grace_seconds, queued_only)
        return summed([await self.request(each, CancelManyResponse) for each in requests])

    async def change_queue(
        self,
        action: QueueAction,
        execution_id: str | None = None,
        position: int = 0,
        *,
        queue: str | None = None,
        limit: int | None = None,
    ) -> QueueResponse:
        """Pause, resume, drain or limit a queue, or move, hold or release; see :meth:`ExecutionClient.change_queue`."""
        request = QueueRequest(action=action, execution_id=execution_id, position=position, queue=queue, limit=limit)
        return await self.request(request, QueueResponse)

    def events(self, execution_id: str, after: int = 0) -> EventStream:
        """Iterate over all events of an execution, in order, until it has ended; see :meth:`ExecutionClient.events`.

        ``events = await client.events(id)`` raises an error for an unknown id at once, before a response is begun for
        example; see :class:`EventStream`. Events that are not consumed yet stay on the server. To leave the loop early
        and release the iterator without waiting for the garbage collector, use
        ``async with contextlib.aclosing(client.events(id)) as events``.
        """

        async def ask() -> ExecutionSnapshot:
            return (await self.insist(StatusRequest(execution_id=execution_id), StatusResponse)).executions[0]

        return EventStream(ask, lambda snapshot: self._read_events(snapshot, after))

    async def _read_events(self, snapshot: ExecutionSnapshot, after: int) -> AsyncGenerator[Event, None]:
        is_over = has_ended(snapshot.status, snapshot.resumable)
        with self._client.opened(snapshot.execution_id, after, is_over) as sink:
            async for event in events_on_loop(sink):
                yield event

    async def request(self, message: Message, expect: type[ResponseT], timeout: float | None = None) -> ResponseT:
        """Send a request and wait for its reply; see :meth:`zmqruntime.ZMQClient.request`."""
        return await request_on_loop(self._client, message, expect, timeout)

    async def insist(self, message: Message, expect: type[ResponseT]) -> ResponseT:
        """Send a repeatable request until it is answered; see :meth:`ExecutionClient.insist`."""
        while True:
            reply = self._on_loop(self._client.send_request(message), cancels=True)
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
            return await self._on_loop(known.ended, cancels=False)
        request = StatusRequest(execution_id=execution_id)
        snapshot = (await self.insist(request, StatusResponse)).executions[0]
        if has_ended(snapshot.status, snapshot.resumable):
            return snapshot
        sink = EndSink()
        with self._client.following(execution_id, snapshot.event_count, sink):
            return await self._on_loop(sink.ended, cancels=True)

    def _on_loop(self, future: "concurrent.futures.Future[T]", *, cancels: bool) -> "asyncio.Future[T]":
        loop = asyncio.get_running_loop()
        if self._arrivals is None or self._arrivals.loop is not loop:
            self._arrivals = Arrivals(loop)
        return self._arrivals.wrap(future, cancels=cancels)

    async def _send_submission(
        self,
        requests: list[ExecuteRequest],
        message: ExecuteRequest | BatchRequest,
        expect: type[AcceptedResponse] | type[BatchResponse],
        timeout: float | None,
    ) -> None:
        self._client.check_code()
        with self._client.submitting(requests), traced_submission(message) as traced:
            try:
                async with asyncio.timeout(timeout):
                    await _through_losses(lambda: self.insist(traced, expect), timeout)
            except (TimeoutError, ServerLostError) as error:
                raise self._client.submission_error(requests, error, timeout) from error


async def _through_losses(make: Callable[[], Coroutine[Any, Any, T]], timeout: float | None) -> T:
    """Await again after a lost server if the caller set a time limit, which then ends the wait; otherwise raise."""
    while True:
        try:
            return await make()
        except ServerLostError:
            if timeout is None:
                raise
