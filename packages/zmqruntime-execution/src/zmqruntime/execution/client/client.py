"""A client of an execution server: submit, wait, follow and cancel, without polling and without missing an event."""

import concurrent.futures
import contextlib
import functools
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import msgspec

from zmqruntime.client import ClientState, Standing, ZMQClient, checked
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ClosedError, ConnectionFailedError, RequestRefusedError, ServerLostError
from zmqruntime.execution.callbacks import CallbackThread
from zmqruntime.execution.client.cancels import cancel_requests, summed
from zmqruntime.execution.client.followers import CallbackSink, EndSink, Follower, IteratorSink, Sink
from zmqruntime.execution.client.history_pages import collect_history
from zmqruntime.execution.client.options import SubmitOptions
from zmqruntime.execution.client.schedule_calls import ScheduleCalls
from zmqruntime.execution.client.tolerant_decoder import InvalidEvents, TolerantDecoder
from zmqruntime.execution.compat import EarlierClientCalls
from zmqruntime.execution.events.event_batches import Reader
from zmqruntime.execution.events.result_files import with_result
from zmqruntime.execution.exceptions import (
    InvalidProgressError,
    SubmissionLostError,
    SubmissionTimeoutError,
    WaitTimeoutError,
)
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.progress.rules import log_invalid_progress
from zmqruntime.execution.tracing import traced_submission
from zmqruntime.launch import Lifetime, ServerSpec
from zmqruntime.loop import Timer
from zmqruntime.messages import (
    EXECUTIONS,
    MANY_TOPICS,
    AcceptedResponse,
    BatchRequest,
    BatchResponse,
    CancelManyResponse,
    CancelRequest,
    CancelResponse,
    ErrorCode,
    ErrorResponse,
    Event,
    EventBatch,
    EventBatches,
    EventsRequest,
    EventsResponse,
    ExecuteRequest,
    ExecutionSnapshot,
    FindRequest,
    FindResponse,
    Heartbeat,
    LogLine,
    Message,
    PongResponse,
    PositionsRequest,
    PositionsResponse,
    ProgressUpdate,
    QueueAction,
    QueueRequest,
    QueueResponse,
    StatusRequest,
    StatusResponse,
    SubmissionRequest,
    SubmissionResponse,
)
from zmqruntime.server_code import default_port_of

if TYPE_CHECKING:
    from zmqruntime.execution.server.server import ExecutionServer

__all__ = ["CALLBACK_SECONDS", "ExecutionClient", "SubmitOptions", "TaskEnvironment", "not_ended"]

ResponseT = TypeVar("ResponseT", bound=Message)

CALLBACK_SECONDS = 1.0
_RECENT_ENDS = 4096
_POSITIONS_AT_ONCE = 1000
_ID_BYTES = 10


class ExecutionClient(EarlierClientCalls, ZMQClient, ScheduleCalls):
    """Submits tasks to an :class:`ExecutionServer` and follows them.

    Args:
        port: Data port of the server; None for the default port of the server class.
        host: Host of a TCP server; naming one selects TCP.
        transport_mode: IPC or TCP; see :class:`zmqruntime.ZMQClient`.
        config: Settings shared by the server and its clients.
        persistent: Whether a server that this client starts outlives the client.
        server: Server class to start when no server answers, as a class or as ``module:Class``; overrides
            ``server_target``.
        server_options: Keyword arguments for that class if this client starts the server, such as
            ``{"max_concurrent": 4}``. A server that is running already keeps its own.
        progress_callback: Called with every progress update of the executions that this client submits, in order and
            in a separate thread. A slow callback only misses updates that newer ones have superseded, and does not
            delay anything else.
        on_error: Called in that thread with the error when an event violates the schema; logs it by default.
    """

    vocabulary = EXECUTIONS

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
        self._target = ServerSpec.target_of(server) if isinstance(server, type) else server or self.server_target
        self._server_options = dict(server_options or {})
        super().__init__(port, host=host, transport_mode=transport_mode, config=config, persistent=persistent)
        self._progress_callback = progress_callback
        self._callbacks = CallbackThread(f"callbacks-{self.port}", self._on_callback_room)
        self._invalid = InvalidEvents(self._callbacks, on_error)
        # All our ids share a prefix, so one subscription, made before the first submission, covers all their events.
        self._id_prefix = uuid.uuid4().hex[:12]
        self._followers: dict[str, list[Follower]] = {}
        self._ends: dict[str, EndSink] = {}
        self._recent_ends: dict[str, EndSink] = {}
        self._delivered: dict[str, concurrent.futures.Future[None]] = {}
        self._unsure: set[str] = set()

    def make_reply_decoder(self) -> Callable[[bytes], Message]:
        """One that leaves out events which break the schema, and tells ``on_error`` of them."""
        return TolerantDecoder(self._speaks.replies, self._invalid.note)

    def make_event_decoder(self) -> Callable[[bytes], Message]:
        """The same for what is published."""
        return TolerantDecoder(self._speaks.events, self._invalid.note)

    def server_spec(self) -> ServerSpec | None:
        """Return the server to start when none answers, or None to never start one."""
        if self._target is None:
            return None
        return msgspec.structs.replace(self.spec_for(self._target), options=self._server_options)

    def default_port(self) -> int:
        """Return the data port to use when none is given: the default port of the server class."""
        return default_port_of(self._target, self.config)

    def connect(self, timeout: float = 15.0) -> PongResponse:
        """Connect to the server, or start it; see :meth:`zmqruntime.ZMQClient.connect`.

        A server that was started by a client and whose code has changed since then is restarted if it is idle. While
        it is busy, its executions can be followed, but nothing can be submitted to it.

        Args:
            timeout: Seconds the server has to answer.
        """
        pong = super().connect(timeout)
        if self.outdated is not None and self._may_replace(pong):
            self.shutdown_server()
            pong = super().connect(timeout)
        self.subscribe(self._id_prefix.encode())
        self.subscribe(MANY_TOPICS + self._id_prefix.encode())
        return pong

    def _may_replace(self, pong: PongResponse) -> bool:
        """Whether a client started it and it is idle; a submission that arrives just now waits on disk for the next."""
        if pong.lifetime != Lifetime.PERSISTENT and not self.owns_server:
            return False
        report = self.status(limit=0)
        return not report.running + report.queued

    def disconnect(self) -> None:
        """Release all resources. Submitted tasks keep running unless this client owns the server. Idempotent."""
        super().disconnect()
        self._callbacks.close()

    @property
    def bad_updates(self) -> int:
        """Number of events that violated the schema, each counted once per reader that received it.

        Such events are dropped; all others are delivered.
        """
        return self._invalid.count

    # --- executions ----------------------------------------------------------------------------------------------

    def serialize_task(self, task: Any, config: Any) -> Any:
        """Return the payload for ``task`` and ``config``. Override it to submit objects that msgpack cannot encode."""
        return task if config is None else {"task": task, "config": config}

    def request_for(self, task: Any, config: Any = None, **options: Unpack[SubmitOptions]) -> ExecuteRequest:
        """Return a submission for :meth:`submit_batch`, with a new id if none is given; see :class:`SubmitOptions`."""
        if "submission_id" not in options:
            (options["submission_id"],) = self.new_ids(1)
        return ExecuteRequest(payload=self.serialize_task(task, config), **options)

    def new_ids(self, count: int) -> list[str]:
        """Return the ids of ``count`` executions that are going to be submitted."""
        digits = os.urandom(_ID_BYTES * count).hex()
        length = 2 * _ID_BYTES
        return [self._id_prefix + digits[begin : begin + length] for begin in range(0, len(digits), length)]

    def submit(
        self, task: Any, config: Any = None, *, timeout: float | None = None, **options: Unpack[SubmitOptions]
    ) -> str:
        """Submit a task and return its execution id once the submission is on the server's disk.

        Args:
            task: The value that ``execute_task`` receives as ``request.payload``.
            config: See :meth:`serialize_task`.
            timeout: Seconds to wait for the reply; None to keep waiting while the server is silent, and for its
                successor, like :meth:`wait`.
            options: See :class:`SubmitOptions`.

        Raises:
            RequestRefusedError: The queue is full or draining, or the server could not write to its disk.
            SubmissionTimeoutError: No reply arrived within ``timeout``, so the submission may or may not have been
                accepted. The error has its ``execution_id``; check it with :meth:`poll_status`.
            SubmissionLostError: ``timeout`` is None, the server has ended and no successor appeared; as above, the
                submission may have been accepted.
            OutdatedServerError: The server is running an older version of the code that this client names.
        """
        request = self.request_for(task, config, **options)
        self._send_submission([request], request, AcceptedResponse, timeout)
        return request.submission_id

    def submit_batch(self, requests: list[ExecuteRequest], timeout: float | None = None) -> list[str]:
        """Submit several tasks at once and return their ids. Either all of them are accepted or none.

        Args:
            requests: Submissions made by :meth:`request_for`.
            timeout: As for :meth:`submit`.

        Raises:
            RequestRefusedError: None of them was accepted; the error says why.
            SubmissionTimeoutError: They may or may not have been accepted; the same requests can be submitted again.
            SubmissionLostError: The same, because the server has ended.
            OutdatedServerError: As for :meth:`submit`.
        """
        self._send_submission(requests, BatchRequest(requests=requests), BatchResponse, timeout)
        return [request.submission_id for request in requests]

    def wait(self, execution_id: str, timeout: float | None = None) -> ExecutionSnapshot:
        """Wait until an execution has ended and return its final state, with status, result and error.

        The wait continues while the server is silent, and with its successor after the server has ended. If this
        client names a server class, it starts that successor itself, unless the server was asked to stop.

        Args:
            execution_id: Id from :meth:`submit`, of this client or another one.
            timeout: Seconds to wait; None to wait without a limit.

        Raises:
            WaitTimeoutError: The execution did not end in time; it is still running or queued.
            ServerLostError: ``timeout`` is None, the server has ended and no successor appeared within the
                configuration's ``successor_window``. No accepted execution is lost: call ``connect()`` and wait again.
            RequestRefusedError: The server has no such execution.
        """
        delivery = self.delivery_of(execution_id)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                snapshot = self._end_within(execution_id, deadline)
                break
            except (TimeoutError, ServerLostError) as error:
                if deadline is None:
                    raise
                if time.monotonic() >= deadline:
                    raise not_ended(execution_id, timeout, self.standing) from error
        if delivery is not None:
            concurrent.futures.wait([delivery], CALLBACK_SECONDS)
        return with_result(snapshot, lambda message, expect: self.insist(message, expect, deadline))

    def _end_within(self, execution_id: str, deadline: float | None) -> ExecutionSnapshot:
        """Return the final state.

        Raises:
            TimeoutError: The execution has not ended by ``deadline``.
            ServerLostError: The server has ended and no successor appeared.
        """
        sink = self.known_end(execution_id)
        if sink is not None:
            return sink.result(seconds_until(deadline))
        request = StatusRequest(execution_id=execution_id)
        snapshot = self.insist(request, StatusResponse, deadline).executions[0]
        if has_ended(snapshot.status, snapshot.resumable):
            return snapshot
        with self.following(execution_id, snapshot.event_count, sink := EndSink()):
            return sink.result(seconds_until(deadline))

    def insist(self, message: Message, expect: type[ResponseT], deadline: float | None) -> ResponseT:
        """Send a repeatable request until it is answered, no matter how long the server is away.

        Args:
            message: The request.
            expect: Type of the reply.
            deadline: Latest time of ``time.monotonic()``; None for no limit.

        Raises:
            TimeoutError: No reply arrived before the deadline.
            ServerLostError: There is no deadline, the server has ended and no successor appeared.
            RequestRefusedError: The server replied with an error.
        """
        left = seconds_until(deadline)
        try:  # mostly the reply comes at once, and the calling thread reads it
            return self.request(message, expect, None if left is None else min(self.config.request_timeout, left))
        except (TimeoutError, ServerLostError) as error:
            if deadline is None and isinstance(error, ServerLostError):
                raise
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError from error
        future = self.send_request(message)
        try:
            while True:
                try:
                    patience = self.config.request_timeout
                    left = seconds_until(deadline)
                    return checked(future.result(patience if left is None else min(patience, left)), expect)
                except (TimeoutError, ServerLostError) as error:
                    if deadline is None and isinstance(error, ServerLostError):
                        raise
                    if deadline is not None and time.monotonic() >= deadline:
                        raise TimeoutError from error
                if future.done() or self.state is ClientState.CONNECTED:  # it answers, so this reply was lost
                    future.cancel()
                    future = self.send_request(message)
        finally:
            future.cancel()

    def poll_status(self, execution_id: str) -> ExecutionSnapshot:
        """Return the current state of an execution.

        Raises:
            RequestRefusedError: The server has no such execution.
        """
        return with_result(self.snapshot_of(execution_id), self.request)

    def snapshot_of(self, execution_id: str) -> ExecutionSnapshot:
        """Return the current state of an execution, without a result larger than 64 KiB.

        Raises:
            RequestRefusedError: The server has no such execution.
        """
        return self.request(StatusRequest(execution_id=execution_id), StatusResponse).executions[0]

    def status(self, limit: int = 20) -> StatusResponse:
        """Return the running executions, up to 200 queued ones, and the latest ``limit`` that have ended.

        The fields ``queued`` and ``running`` of the response count all of them.
        """
        return self.request(StatusRequest(limit=limit), StatusResponse)

    def history(
        self, limit: int = 100, before: float | None = None, older_than: str | None = None
    ) -> list[ExecutionSnapshot]:
        """Return ended executions, newest first, without results and tracebacks; ``poll_status`` includes those.

        Args:
            limit: Maximum number of executions.
            before: Only executions that ended before this time (s since the epoch).
            older_than: Only executions that ended before the one with this id, such as the last of a previous list.
        """
        return collect_history(limit, before, older_than, self.request)

    def find(self, prefix: str) -> FindResponse:
        """Find up to 20 execution ids that start with ``prefix``."""
        return self.request(FindRequest(prefix=prefix), FindResponse)

    def submission_of(self, execution_id: str) -> ExecuteRequest:
        """Return the submission of an execution, from any client, for example to run it again.

        Raises:
            RequestRefusedError: The server has no such execution.
        """
        return self.request(SubmissionRequest(execution_id=execution_id), SubmissionResponse).request

    def cancel(
        self, execution_id: str, axis_id: str | None = None, grace_seconds: float | None = None
    ) -> CancelResponse:
        """Ask an execution, or one of its axes, to stop.

        The reply says what is going to happen; the events of the execution say what did.

        Args:
            execution_id: Execution to stop.
            axis_id: Axis to stop; None for the whole execution.
            grace_seconds: Seconds until its processes are killed if they have not stopped, 0 to kill them at once;
                None to never kill them.
        """
        request = CancelRequest(execution_id=execution_id, axis_id=axis_id, grace_seconds=grace_seconds)
        return self.request(request, CancelResponse)

    def cancel_many(
        self, execution_ids: Sequence[str], grace_seconds: float | None = None, *, queued_only: bool = False
    ) -> CancelManyResponse:
        """Cancel many executions together, so that no queued one of them starts in the meantime.

        Up to 10,000 are one request. Of more, those at the end are cancelled first.

        Args:
            execution_ids: Executions to stop; those that have ended or are not known are counted in the reply.
            grace_seconds: Seconds until running ones are killed if they have not stopped, 0 to kill them at once;
                None to never kill them.
            queued_only: Whether running ones go on.

        Raises:
            RequestRefusedError: Some run in threads, which cannot be killed.
        """
        requests = cancel_requests(execution_ids, grace_seconds, queued_only)
        return summed([self.request(each, CancelManyResponse) for each in requests])

    def change_queue(
        self,
        action: QueueAction,
        execution_id: str | None = None,
        position: int = 0,
        *,
        queue: str | None = None,
        limit: int | None = None,
    ) -> QueueResponse:
        """Pause, resume or drain the queue; move, hold or release one execution in it; or limit a named queue.

        Args:
            action: What to do.
            execution_id: The execution to move, hold or release.
            position: Where to move it, among those of its priority.
            queue: Name of the queue to pause, resume or limit; None to pause or resume the server as a whole.
            limit: How many executions of ``queue`` may run at once; None for no limit of its own.

        Raises:
            RequestRefusedError: The execution is not in the queue.
        """
        request = QueueRequest(action=action, execution_id=execution_id, position=position, queue=queue, limit=limit)
        return self.request(request, QueueResponse)

    def events(self, execution_id: str, after: int = 0) -> Iterator[Event]:
        """Iterate over all events of an execution after number ``after``, past and live, until it has ended.

        The events are in order. Each has its number as ``event.number``: ``events(execution_id, event.number)``
        continues exactly after it, also in another program. Iteration continues without a gap while the server is
        silent and with its successor; see :meth:`wait`.

        Yields:
            Progress updates, log lines and state changes.

        Raises:
            ServerLostError: The server has ended and no successor appeared; call again for the remaining events.
            RequestRefusedError: By this call, not by the iteration: the server has no such execution.
        """
        snapshot = self.insist(StatusRequest(execution_id=execution_id), StatusResponse, None).executions[0]
        return self._read_events(snapshot, after)

    def _read_events(self, snapshot: ExecutionSnapshot, after: int) -> Iterator[Event]:
        is_over = has_ended(snapshot.status, snapshot.resumable)
        with self.opened(snapshot.execution_id, after, is_over) as sink:
            yield from sink

    def logs(self, execution_id: str) -> list[LogLine]:
        """Return the log lines of an execution so far; use ``events`` to receive new ones.

        The server keeps the latest 2,000 lines of a long log, and more of them in a file.

        Raises:
            RequestRefusedError: The server has no such execution.
        """
        reader, lines = Reader(), []
        while True:
            request = EventsRequest(execution_id=execution_id, after=reader.position)
            response = self.request(request, EventsResponse)
            for batch in response.batches:
                lines += [event for event in reader.read(batch) if isinstance(event, LogLine)]
            reader.note(response.upto)
            if not response.batches or not reader.is_behind:
                return lines

    # --- building blocks for other ways to wait, from any thread --------------------------------------------------

    @contextlib.contextmanager
    def following(self, execution_id: str, after: int, sink: Sink, is_over: bool = False) -> Iterator[Follower]:
        """Put the events after number ``after`` into ``sink`` while the block is running, then clean up.

        Args:
            execution_id: Execution to follow.
            after: Number of the last event that is already known.
            sink: Receives the events after it.
            is_over: Whether the execution has ended, so that the sink is notified once it has all events.

        Yields:
            The follower that fills the sink.
        """
        follower = self._follow(execution_id, after, sink, is_over)
        try:
            yield follower
        finally:
            sink.is_done = True
            self._io.call_soon(lambda: self._drop_done(execution_id))

    @contextlib.contextmanager
    def opened(self, execution_id: str, after: int, is_over: bool = False) -> Iterator[IteratorSink]:
        """Provide the events after number ``after`` as they arrive, within the block; see :meth:`following`."""
        sink = IteratorSink(self._invalid.sift)
        with self.following(execution_id, after, sink, is_over) as follower:
            sink.on_room = lambda: self._io.call_soon(follower.catch_up)
            sink.position = lambda: follower.position
            yield sink

    @contextlib.contextmanager
    def submitting(self, requests: list[ExecuteRequest]) -> Iterator[None]:
        """Follow the executions submitted in the block from their first event; forget them if the block fails."""
        ids = {request.submission_id for request in requests}
        self._unsure |= ids
        followers = [self._make_followers(request.submission_id) for request in requests]
        self.call_soon(lambda: self._add_all(followers))
        try:
            yield
            self._unsure -= ids
            chosen = [execution_id for execution_id in ids if not execution_id.startswith(self._id_prefix)]
            if chosen:  # such an execution may be known already, and even have ended
                self._io.call_soon(functools.partial(self._ask_for, chosen))
        except BaseException:
            self._unsure -= ids
            for request in requests:
                self._delivered.pop(request.submission_id, None)
                self._ends.pop(request.submission_id, None)  # at once: the next caller must not wait on this one
            self._io.call_soon(lambda: self._forget_all(ids))
            raise

    def _ask_for(self, execution_ids: list[str]) -> None:
        for execution_id in execution_ids:
            for follower in list(self._followers.get(execution_id, [])):
                follower.ask_now()

    def known_end(self, execution_id: str) -> EndSink | None:
        """Return the sink for the end of an execution that this client submitted, unless that was long ago."""
        sink = self._ends.get(execution_id) or self._recent_ends.get(execution_id)
        return None if sink is None or sink.has_failed else sink

    def unended(self) -> list[str]:
        """Return the ids of the executions this client submitted and has not seen end, in order of submission."""
        return [execution_id for execution_id, sink in list(self._ends.items()) if not sink.is_done]

    def delivery_of(self, execution_id: str) -> "concurrent.futures.Future[None] | None":
        """Return a future that is done when the last progress callback of an execution has returned.

        Waiting for an execution also waits for this, for at most ``CALLBACK_SECONDS``, so that output of the callback
        appears before output of the caller.

        Returns:
            The future; None if the callback has already returned, or there is none.
        """
        return self._delivered.get(execution_id)

    # --- following, on the I/O thread unless noted otherwise -----------------------------------------------------

    def _make_followers(self, execution_id: str) -> list[Follower]:
        """Return what follows an execution that is about to be submitted, from event number 1; from any thread."""
        end = self._ends[execution_id] = self.make_end(execution_id)
        sinks: list[Sink] = [end]
        if self._progress_callback is not None:
            sink = CallbackSink(self._callbacks, self._progress_callback, self._invalid.sift)
            self._delivered[execution_id] = sink.delivered
            sink.on_delivered = lambda: self._forget_delivered(execution_id)
            sinks.append(sink)
        return [Follower(execution_id, 0, sink, self._ask) for sink in sinks]

    def _add_all(self, followers: list[list[Follower]]) -> None:
        for each in followers:
            self._add_followers(each[0].execution_id, each)

    def _add_followers(self, execution_id: str, followers: list[Follower]) -> None:
        if execution_id not in self._followers and not execution_id.startswith(self._id_prefix):
            self.subscription.add(execution_id.encode())
        self._followers.setdefault(execution_id, []).extend(followers)

    def make_end(self, execution_id: str) -> EndSink:
        """Return the sink that waits for the end of an execution which this client is about to submit."""
        return EndSink()

    def _forget_execution(self, execution_id: str) -> None:
        known = self._followers.pop(execution_id, None)
        if known is not None and not execution_id.startswith(self._id_prefix):
            self.subscription.remove(execution_id.encode())
        sink = self._ends.get(execution_id)
        if sink is not None:
            if sink.is_small:
                self._recent_ends[execution_id] = sink
                if len(self._recent_ends) > _RECENT_ENDS:
                    del self._recent_ends[next(iter(self._recent_ends))]
            del self._ends[execution_id]

    def _forget_all(self, execution_ids: set[str]) -> None:
        for execution_id in execution_ids:
            self._forget_execution(execution_id)

    def _forget_delivered(self, execution_id: str) -> None:
        """Note that the last callback for an execution has returned; called from the callback thread."""
        self._delivered.pop(execution_id, None)

    def _follow(self, execution_id: str, position: int, sink: Sink, is_over: bool) -> Follower:
        """Follow an execution that is running, queued or has ended; from any thread."""
        follower = Follower(execution_id, position, sink, self._ask, is_over)

        def begin() -> None:
            self._add_followers(execution_id, [follower])
            follower.ask_now()

        self.call_soon(begin)
        return follower

    def _drop_done(self, execution_id: str) -> None:
        followers = self._followers.get(execution_id, [])
        followers[:] = [follower for follower in followers if not follower.sink.is_done]
        if not followers and execution_id in self._followers:
            self._forget_execution(execution_id)

    def _ask(self, follower: Follower, after: int) -> None:
        question = follower.question
        future = self.ask_on_loop(EventsRequest(execution_id=follower.execution_id, after=after))
        deadline = self._io.call_later(self.config.request_timeout, lambda: self._ask_again(follower, future))
        future.add_done_callback(lambda reply: self._on_asked(follower, question, reply, deadline))

    def _ask_again(self, follower: Follower, future: "concurrent.futures.Future[Message]") -> None:
        if future.cancel() and not follower.sink.is_done:
            follower.restart()

    def _on_asked(
        self, follower: Follower, question: int, reply: "concurrent.futures.Future[Message]", deadline: Timer
    ) -> None:
        deadline.cancel()
        response = None if reply.cancelled() or reply.exception() else reply.result()
        follower.on_response(response if isinstance(response, EventsResponse) else None, question)
        self._drop_done(follower.execution_id)

    def on_event(self, topic: bytes, event: Message) -> None:
        """Pass live events to their followers."""
        match event:
            case EventBatch():
                self._on_batch(event)
            case EventBatches(batches=batches):
                for batch in batches:
                    self._on_batch(batch)

    def _on_batch(self, batch: EventBatch) -> None:
        for follower in list(self._followers.get(batch.execution_id, [])):
            follower.on_batch(batch)
        self._drop_done(batch.execution_id)

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Notice events whose batch was lost."""
        self._on_upto(heartbeat.positions)

    @property
    def after_loss(self) -> str:
        """What the loss of the server means for a request that was under way."""
        return "its successor will have all it had accepted"

    def wants_successor(self) -> bool:
        """Whether somebody is waiting for an execution or for a reply."""
        return bool(self._followers) or super().wants_successor()

    def on_given_up(self, error: ConnectionFailedError) -> None:
        """Report the error to all waiting callers."""
        self._fail_all(error)

    def on_disconnected(self, error: ClosedError) -> None:
        """Report the error to all waiting callers."""
        self._fail_all(error)

    def _fail_all(self, error: Exception) -> None:
        for execution_id in list(self._followers):
            self._fail(execution_id, error)

    def _fail(self, execution_id: str, error: Exception) -> None:
        for follower in self._followers.get(execution_id, []):
            follower.sink.fail(error)
        self._drop_done(execution_id)

    def on_server_back(self, is_new: bool) -> None:
        """Ask for the events that happened in the meantime."""
        for followers in self._followers.values():
            for follower in followers:
                follower.give_up_asking()
        self.on_resync()

    def on_resync(self) -> None:
        """Ask whether events were published while this client could not receive them, and request those."""
        execution_ids = list(self._followers)
        for begin in range(0, len(execution_ids), _POSITIONS_AT_ONCE):
            self._ask_positions(execution_ids[begin : begin + _POSITIONS_AT_ONCE])

    def _ask_positions(self, execution_ids: list[str]) -> None:
        future = self.ask_on_loop(PositionsRequest(execution_ids=execution_ids))
        self._io.call_later(self.config.request_timeout, functools.partial(_give_up, future))
        sure = set(execution_ids) - self._unsure
        future.add_done_callback(lambda reply: self._on_positions(execution_ids, sure, reply))

    def _on_positions(self, asked: list[str], sure: set[str], reply: "concurrent.futures.Future[Message]") -> None:
        match None if reply.cancelled() or reply.exception() else reply.result():
            case PositionsResponse(positions=positions):
                self._on_upto(positions)
                for execution_id in sure - positions.keys():
                    text = f"this server has no execution {execution_id}; it may not be the same server as before"
                    self._fail(execution_id, RequestRefusedError(ErrorCode.NOT_FOUND, text))
            case ErrorResponse(code=ErrorCode.STORAGE) if len(asked) > 1:  # one of them is damaged
                self._ask_positions(asked[: len(asked) // 2])
                self._ask_positions(asked[len(asked) // 2 :])
            case ErrorResponse(code=ErrorCode.STORAGE as code, message=message):
                self._fail(asked[0], RequestRefusedError(code, message))

    def _on_upto(self, positions: dict[str, int]) -> None:
        for execution_id, upto in positions.items():
            for follower in self._followers.get(execution_id, []):
                follower.on_position(upto)

    def _on_callback_room(self) -> None:
        """Let all followers catch up; called from the callback thread."""

        def catch_up() -> None:
            for followers in list(self._followers.values()):
                for follower in followers:
                    follower.catch_up()

        self._io.call_soon(catch_up)

    def check_code(self) -> None:
        """Check that the server runs the same version of the code as this client.

        Raises:
            OutdatedServerError: The server would run submissions with an older version.
        """
        if self.outdated is not None:
            raise self.outdated

    def _send_submission(
        self,
        requests: list[ExecuteRequest],
        message: Message,
        expect: type[AcceptedResponse] | type[BatchResponse],
        timeout: float | None,
    ) -> None:
        """Send until answered; the same id is always the same execution, so repeating it is safe."""
        self.check_code()
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.submitting(requests), traced_submission(message) as traced:
            try:
                self.insist(traced, expect, deadline)
            except (TimeoutError, ServerLostError) as error:
                raise self.submission_error(requests, error, timeout) from error

    def submission_error(
        self, requests: list[ExecuteRequest], error: TimeoutError | ServerLostError, timeout: float | None
    ) -> SubmissionTimeoutError | SubmissionLostError:
        """Return the error to raise when it is unknown whether these requests were accepted."""
        ids = tuple(request.submission_id for request in requests)
        text = "it may have been accepted; submitting it again with the same id does not run it twice"
        if isinstance(error, ServerLostError):
            return SubmissionLostError(f"{error}; {text}", ids)
        why = self.standing.text or "the server answers other requests"
        return SubmissionTimeoutError(f"no reply to a submission within {timeout:g} s ({why}): {text}", ids)


def not_ended(execution_id: str, seconds: float | None, standing: Standing) -> WaitTimeoutError:
    """Return the error to raise when an execution has not ended in time."""
    why = f": {standing.text}" if standing.text else ""
    return WaitTimeoutError(f"execution {execution_id} did not end within {seconds:g} s{why}")


def seconds_until(deadline: float | None) -> float | None:
    """Return the seconds until a time of ``time.monotonic()``, at least 0; None for None."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _give_up(future: "concurrent.futures.Future[Message]") -> None:
    future.cancel()
