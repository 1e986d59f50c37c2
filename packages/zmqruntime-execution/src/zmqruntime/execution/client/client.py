"""A client of an execution server: submit, wait, follow, cancel; nothing is polled and nothing is missed."""

import concurrent.futures
import contextlib
import functools
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from zmqruntime.client import ClientState, Standing, ZMQClient, checked
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ClosedError, ConnectionFailedError, RequestRefusedError, ServerLostError
from zmqruntime.execution.callbacks import CallbackThread
from zmqruntime.execution.client.followers import CallbackSink, EndSink, Follower, IteratorSink, Sink
from zmqruntime.execution.client.history_pages import collect_history
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
from zmqruntime.launch import Lifetime, ServerSpec
from zmqruntime.loop import Timer
from zmqruntime.messages import (
    EXECUTIONS,
    AcceptedResponse,
    BatchRequest,
    BatchResponse,
    CancelRequest,
    CancelResponse,
    ErrorCode,
    Event,
    EventBatch,
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


class SubmitOptions(TypedDict, total=False):
    """How an execution is run, apart from what it does; times in seconds.

    Attributes:
        plate_id: what the task is about; goes into its progress and status.
        priority: higher runs earlier; 0 when not given.
        soft_time_limit: after so long the task is asked to stop, and fails.
        time_limit: after so long the task is killed, and fails.
        max_retries: how often it is tried again after it failed; 0 when not given.
        retry_delay: pause before the first retry, doubling with each; 1 when not given.
        resumable: back to the queue, with its checkpoints, if the server ends under it.
        environment: what its process is started with, for example ``TaskEnvironment.current()``; the server's own
            environment when not given. A worker that was started with the same is used again.
    """

    plate_id: str
    priority: int
    soft_time_limit: float | None
    time_limit: float | None
    max_retries: int
    retry_delay: float
    resumable: bool
    environment: TaskEnvironment | None


class ExecutionClient(EarlierClientCalls, ZMQClient):
    """Submits tasks to an :class:`ExecutionServer` and follows them.

    Args:
        port, host, transport_mode, config, persistent: as for :class:`zmqruntime.ZMQClient`.
        server: the server class to start when none answers: the class, or ``module:Class``; overrides
            ``server_target``.
        progress_callback: called with every progress update of the executions that this client submits, in order, in
            a thread of its own. However slow it is, it misses none but superseded ones, and holds up nothing else.
        on_error: called in that thread with what is wrong with an event that breaks the schema; logs it by default.
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
        progress_callback: Callable[[ProgressUpdate], None] | None = None,
        on_error: Callable[[InvalidProgressError], None] = log_invalid_progress,
    ) -> None:
        self._target = ServerSpec.target_of(server) if isinstance(server, type) else server or self.server_target
        super().__init__(port, host=host, transport_mode=transport_mode, config=config, persistent=persistent)
        self._progress_callback = progress_callback
        self._callbacks = CallbackThread(f"callbacks-{self.port}", self._on_callback_room)
        self._invalid = InvalidEvents(self._callbacks, on_error)
        # All our ids begin alike, so one subscription, made before the first submission, brings all their events.
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
        """The server to start when none answers, or None to never start one."""
        return None if self._target is None else self.spec_for(self._target)

    def default_port(self) -> int:
        """The data port when none is named: that of the server class."""
        return default_port_of(self._target, self.config)

    def connect(self, timeout: float = 15.0) -> PongResponse:
        """Attach to the server, or start it; see :meth:`zmqruntime.ZMQClient.connect`.

        A server that was started by a client, whose code was changed since, is started again if it is idle. While it
        is at work, what it has can be followed, but nothing can be submitted.
        """
        pong = super().connect(timeout)
        if self.outdated is not None and self._may_replace(pong):
            self.shutdown_server()
            pong = super().connect(timeout)
        self.subscribe(self._id_prefix.encode())
        return pong

    def _may_replace(self, pong: PongResponse) -> bool:
        """Whether a client has started it and it is idle; what is submitted just now waits on disk for the next one."""
        if pong.lifetime != Lifetime.PERSISTENT and not self.owns_server:
            return False
        report = self.status(limit=0)
        return not report.running + report.queued

    def disconnect(self) -> None:
        """Release everything; what was submitted goes on, unless this client owns the server. May be called twice."""
        super().disconnect()
        self._callbacks.close()

    @property
    def bad_updates(self) -> int:
        """How many events broke the schema, each counted for every reader that it arrived for.

        They are left out; all others arrive, and the client goes on.
        """
        return self._invalid.count

    # --- executions ----------------------------------------------------------------------------------------------

    def serialize_task(self, task: Any, config: Any) -> Any:
        """What travels for ``task`` and ``config``: a value that msgpack can hold. Override it for richer objects."""
        return task if config is None else {"task": task, "config": config}

    def request_for(self, task: Any, config: Any = None, **options: Unpack[SubmitOptions]) -> ExecuteRequest:
        """A submission with an id of its own, ready for :meth:`submit_batch`; see :class:`SubmitOptions`."""
        execution_id = self._id_prefix + uuid.uuid4().hex[:20]
        return ExecuteRequest(submission_id=execution_id, payload=self.serialize_task(task, config), **options)

    def submit(
        self, task: Any, config: Any = None, *, timeout: float | None = None, **options: Unpack[SubmitOptions]
    ) -> str:
        """Hand a task to the server and return its execution id, once it is on the server's disk.

        Args:
            task: what ``execute_task`` gets as ``request.payload``.
            config: see :meth:`serialize_task`.
            timeout: seconds; with None it waits while the server is silent, and for its successor, as :meth:`wait`
                does.
            options: see :class:`SubmitOptions`.

        Raises:
            RequestRefusedError: the queue is full or drained, or the server could not write to its disk.
            SubmissionTimeoutError: no reply within ``timeout``: whether it was accepted is not known. The error has
                its ``execution_id``, and :meth:`poll_status` tells.
            SubmissionLostError: the same, since the server has ended and no successor came, with a ``timeout`` of None.
            OutdatedServerError: the server runs an earlier state of the code that this client names.
        """
        request = self.request_for(task, config, **options)
        self._send_submission([request], request, AcceptedResponse, timeout)
        return request.submission_id

    def submit_batch(self, requests: list[ExecuteRequest], timeout: float | None = None) -> list[str]:
        """Hand over many tasks, made by :meth:`request_for`, of which all or none are accepted; their ids.

        Raises:
            RequestRefusedError: none was accepted; the error says why.
            SubmissionTimeoutError, SubmissionLostError: it is not known; the same requests may be given again.
            OutdatedServerError: as for :meth:`submit`.
        """
        self._send_submission(requests, BatchRequest(requests=requests), BatchResponse, timeout)
        return [request.submission_id for request in requests]

    def wait(self, execution_id: str, timeout: float | None = None) -> ExecutionSnapshot:
        """Wait until an execution has ended, and return it with its status, result or error.

        It goes on while the server is silent, and with the successor of one that has ended: that one is started if
        this client names a server class, unless the server was told to stop.

        Args:
            execution_id: from :meth:`submit`, of this client or another.
            timeout: seconds; None for as long as it takes.

        Raises:
            WaitTimeoutError: it has not ended in time; it goes on.
            ServerLostError: the server has ended and no successor came within the configuration's
                ``successor_window``, with a ``timeout`` of None. Nothing accepted is lost: ``connect()``, wait again.
            RequestRefusedError: the server has no such execution.
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
        """Raises TimeoutError and ServerLostError."""
        sink = self.known_end(execution_id)
        if sink is not None:
            return sink.ended.result(seconds_until(deadline))
        request = StatusRequest(execution_id=execution_id)
        snapshot = self.insist(request, StatusResponse, deadline).executions[0]
        if has_ended(snapshot.status, snapshot.resumable):
            return snapshot
        with self.following(execution_id, snapshot.event_count, sink := EndSink()):
            return sink.ended.result(seconds_until(deadline))

    def insist(self, message: Message, expect: type[ResponseT], deadline: float | None) -> ResponseT:
        """As ``request``, for one that may be repeated: until it is answered, however long the server is away.

        Args:
            message: what to ask.
            expect: the type of the reply.
            deadline: of ``time.monotonic()``; None for none.

        Raises:
            TimeoutError: no reply by then.
            ServerLostError: the server has ended and no successor came, without a deadline.
            RequestRefusedError: the server replied with an error.
        """
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
                if future.done() or self.state is ClientState.CONNECTED:  # it answers, but not this: the reply was lost
                    future.cancel()
                    future = self.send_request(message)
        finally:
            future.cancel()

    def poll_status(self, execution_id: str) -> ExecutionSnapshot:
        """What the execution is now.

        Raises:
            RequestRefusedError: the server has no such execution.
        """
        return with_result(self.snapshot_of(execution_id), self.request)

    def snapshot_of(self, execution_id: str) -> ExecutionSnapshot:
        """The same, without a result of more than 64 KiB.

        Raises:
            RequestRefusedError: the server has no such execution.
        """
        return self.request(StatusRequest(execution_id=execution_id), StatusResponse).executions[0]

    def status(self, limit: int = 20) -> StatusResponse:
        """All executions that have not ended, queued ones up to 200, and the latest ``limit`` that have.

        How many are queued and running in all, its fields ``queued`` and ``running`` say.
        """
        return self.request(StatusRequest(limit=limit), StatusResponse)

    def history(
        self, limit: int = 100, before: float | None = None, older_than: str | None = None
    ) -> list[ExecutionSnapshot]:
        """Ended executions, newest first, without results and tracebacks, which ``poll_status`` has.

        Args:
            limit: how many at most.
            before: only those that ended before this time (s since the epoch).
            older_than: only those that ended before this one, which a list had last.
        """
        return collect_history(limit, before, older_than, self.request)

    def find(self, prefix: str) -> FindResponse:
        """The ids of executions that begin with ``prefix``, the first 20 of them."""
        return self.request(FindRequest(prefix=prefix), FindResponse)

    def submission_of(self, execution_id: str) -> ExecuteRequest:
        """What was submitted for an execution, by whichever client: for running it again.

        Raises:
            RequestRefusedError: the server has no such execution.
        """
        return self.request(SubmissionRequest(execution_id=execution_id), SubmissionResponse).request

    def cancel(
        self, execution_id: str, axis_id: str | None = None, grace_seconds: float | None = None
    ) -> CancelResponse:
        """Ask an execution, or one axis of it, to stop; the reply says what will happen, its events what did.

        Args:
            execution_id: what to stop.
            axis_id: only this axis of it.
            grace_seconds: kill its processes if they have not stopped by then, 0 at once; None never does.
        """
        request = CancelRequest(execution_id=execution_id, axis_id=axis_id, grace_seconds=grace_seconds)
        return self.request(request, CancelResponse)

    def change_queue(self, action: QueueAction, execution_id: str | None = None, position: int = 0) -> QueueResponse:
        """Pause, resume or drain the queue; move, hold or release one execution in it.

        Raises:
            RequestRefusedError: the execution is not in the queue.
        """
        request = QueueRequest(action=action, execution_id=execution_id, position=position)
        return self.request(request, QueueResponse)

    def events(self, execution_id: str, after: int = 0) -> Iterator[Event]:
        """All events of an execution after number ``after``, past and live, in order, until it has ended.

        It goes on, without a gap, while the server is silent and with its successor; see :meth:`wait`.

        Raises:
            ServerLostError: the server has ended and no successor came; events that were not seen come with a new call.
            RequestRefusedError: the server has no such execution.
        """
        snapshot = self.insist(StatusRequest(execution_id=execution_id), StatusResponse, None).executions[0]
        with self.opened(execution_id, after, has_ended(snapshot.status, snapshot.resumable)) as sink:
            yield from sink

    def logs(self, execution_id: str) -> list[LogLine]:
        """The log lines of an execution up to now; ``events`` has those that come.

        The server keeps the latest 2,000 of many, and more of them in a file.

        Raises:
            RequestRefusedError: the server has no such execution.
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

    # --- for what waits in another way, from any thread -----------------------------------------------------------

    @contextlib.contextmanager
    def following(self, execution_id: str, after: int, sink: Sink, is_over: bool = False) -> Iterator[Follower]:
        """Within the block, put the events after number ``after`` into ``sink``; nothing is left behind.

        Args:
            execution_id: what to follow.
            after: the number of the last event that is known already.
            sink: gets the events after it.
            is_over: the execution has ended, so that the sink is told when it has all of them.
        """
        follower = self._follow(execution_id, after, sink, is_over)
        try:
            yield follower
        finally:
            sink.is_done = True
            self._io.call_soon(lambda: self._drop_done(execution_id))

    @contextlib.contextmanager
    def opened(self, execution_id: str, after: int, is_over: bool = False) -> Iterator[IteratorSink]:
        """Within the block, the events after number ``after``, to be taken as they come; see :meth:`following`."""
        sink = IteratorSink(self._invalid.sift)
        with self.following(execution_id, after, sink, is_over) as follower:
            sink.on_room = lambda: self._io.call_soon(follower.catch_up)
            yield sink

    @contextlib.contextmanager
    def submitting(self, requests: list[ExecuteRequest]) -> Iterator[None]:
        """Follow what is submitted in the block from its first event; if the block fails, forget about it."""
        ids = {request.submission_id for request in requests}
        self._unsure |= ids
        for request in requests:
            self._follow_own(request.submission_id)
        try:
            yield
            self._unsure -= ids
        except BaseException:
            self._unsure -= ids
            for request in requests:
                self._delivered.pop(request.submission_id, None)
                self._ends.pop(request.submission_id, None)  # at once: who asks for it next must not wait at this one
                self._io.call_soon(functools.partial(self._forget_execution, request.submission_id))
            raise

    def known_end(self, execution_id: str) -> EndSink | None:
        """Where the end of an execution that this client submitted arrives, or has arrived not long ago."""
        sink = self._ends.get(execution_id) or self._recent_ends.get(execution_id)
        return None if sink is None or sink.has_failed else sink

    def unended(self) -> list[str]:
        """What this client has submitted and has not seen end, in the order of submission."""
        return [execution_id for execution_id, sink in list(self._ends.items()) if not sink.is_done]

    def delivery_of(self, execution_id: str) -> "concurrent.futures.Future[None] | None":
        """Done when the progress callback has returned from its last call for an execution; None if it has, or none is
        made.

        Who waits for an execution also waits for this, ``CALLBACK_SECONDS`` at most, so that what the callback prints
        comes before what they print.
        """
        return self._delivered.get(execution_id)

    # --- following, on the I/O thread unless said otherwise ------------------------------------------------------

    def _follow_own(self, execution_id: str) -> None:
        """From any thread, before it is submitted: its first event is number 1."""
        end = self._ends[execution_id] = EndSink()
        sinks: list[Sink] = [end]
        if self._progress_callback is not None:
            sink = CallbackSink(self._callbacks, self._progress_callback, self._invalid.sift)
            self._delivered[execution_id] = sink.delivered
            sink.on_delivered = lambda: self._forget_delivered(execution_id)
            sinks.append(sink)
        followers = [Follower(execution_id, 0, sink, self._ask) for sink in sinks]
        self.call_soon(lambda: self._followers.__setitem__(execution_id, followers))

    def _forget_execution(self, execution_id: str) -> None:
        self._followers.pop(execution_id, None)
        sink = self._ends.get(execution_id)
        if sink is not None:
            if sink.is_small:
                self._recent_ends[execution_id] = sink
                if len(self._recent_ends) > _RECENT_ENDS:
                    del self._recent_ends[next(iter(self._recent_ends))]
            del self._ends[execution_id]

    def _forget_delivered(self, execution_id: str) -> None:
        """From the callback thread, after its last call for an execution."""
        self._delivered.pop(execution_id, None)

    def _follow(self, execution_id: str, position: int, sink: Sink, is_over: bool) -> Follower:
        """From any thread: an execution that is under way, or has ended."""
        follower = Follower(execution_id, position, sink, self._ask, is_over)

        def begin() -> None:
            self._followers.setdefault(execution_id, []).append(follower)
            if not execution_id.startswith(self._id_prefix):
                self.subscription.add(execution_id.encode())
            follower.ask_now()

        self.call_soon(begin)
        return follower

    def _drop_done(self, execution_id: str) -> None:
        followers = self._followers.get(execution_id, [])
        followers[:] = [follower for follower in followers if not follower.sink.is_done]
        if not followers and execution_id in self._followers:
            self._forget_execution(execution_id)
            if not execution_id.startswith(self._id_prefix):
                self.subscription.remove(execution_id.encode())

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
        """Pass live events to whoever follows them."""
        if isinstance(event, EventBatch):
            for follower in list(self._followers.get(event.execution_id, [])):
                follower.on_batch(event)
            self._drop_done(event.execution_id)

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Notice events whose batch was lost."""
        self._on_upto(heartbeat.positions)

    def wants_successor(self) -> bool:
        """Whether anybody here waits for an execution, or for a reply."""
        return bool(self._followers) or super().wants_successor()

    def on_given_up(self, error: ConnectionFailedError) -> None:
        """Tell whoever waits."""
        self._fail_all(error)

    def on_disconnected(self, error: ClosedError) -> None:
        """Tell whoever waits."""
        self._fail_all(error)

    def _fail_all(self, error: Exception) -> None:
        for execution_id in list(self._followers):
            self._fail(execution_id, error)

    def _fail(self, execution_id: str, error: Exception) -> None:
        for follower in self._followers.get(execution_id, []):
            follower.sink.fail(error)
        self._drop_done(execution_id)

    def on_server_back(self, is_new: bool) -> None:
        """Ask for what happened meanwhile."""
        for followers in self._followers.values():
            for follower in followers:
                follower.give_up_asking()
        self.on_resync()

    def on_resync(self) -> None:
        """Ask whether anything was published while nobody here could hear it; what was is then asked for."""
        execution_ids = list(self._followers)
        for begin in range(0, len(execution_ids), _POSITIONS_AT_ONCE):
            some = execution_ids[begin : begin + _POSITIONS_AT_ONCE]
            future = self.ask_on_loop(PositionsRequest(execution_ids=some))
            self._io.call_later(self.config.request_timeout, functools.partial(_give_up, future))
            future.add_done_callback(functools.partial(self._on_positions, set(some) - self._unsure))

    def _on_positions(self, asked: set[str], reply: "concurrent.futures.Future[Message]") -> None:
        response = None if reply.cancelled() or reply.exception() else reply.result()
        if isinstance(response, PositionsResponse):
            self._on_upto(response.positions)
            for execution_id in asked - response.positions.keys():
                text = f"this server has no execution {execution_id}; it may be another one than before"
                self._fail(execution_id, RequestRefusedError(ErrorCode.NOT_FOUND, text))

    def _on_upto(self, positions: dict[str, int]) -> None:
        for execution_id, upto in positions.items():
            for follower in self._followers.get(execution_id, []):
                follower.on_position(upto)

    def _on_callback_room(self) -> None:
        """From the callback thread."""

        def catch_up() -> None:
            for followers in list(self._followers.values()):
                for follower in followers:
                    follower.catch_up()

        self._io.call_soon(catch_up)

    def check_code(self) -> None:
        """Raise OutdatedServerError if what is submitted would be run by code that this client's has left behind."""
        if self.outdated is not None:
            raise self.outdated

    def _send_submission(
        self,
        requests: list[ExecuteRequest],
        message: ExecuteRequest | BatchRequest,
        expect: type[AcceptedResponse] | type[BatchResponse],
        timeout: float | None,
    ) -> None:
        """However often it is sent, the same id is the same execution."""
        self.check_code()
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.submitting(requests):
            try:
                self.insist(message, expect, deadline)
            except (TimeoutError, ServerLostError) as error:
                raise self.submission_error(requests, error, timeout) from error

    def submission_error(
        self, requests: list[ExecuteRequest], error: TimeoutError | ServerLostError, timeout: float | None
    ) -> SubmissionTimeoutError | SubmissionLostError:
        """What to raise when it is not known whether these were accepted."""
        ids = tuple(request.submission_id for request in requests)
        text = "whether it was accepted is not known; submitted again with the same id it is the same execution"
        if isinstance(error, ServerLostError):
            return SubmissionLostError(f"{error}; {text}", ids)
        why = self.standing.text or "the server answers, but not this"
        return SubmissionTimeoutError(f"no reply to a submission within {timeout:g} s ({why}): {text}", ids)


def not_ended(execution_id: str, seconds: float | None, standing: Standing) -> WaitTimeoutError:
    """What to raise when an execution has not ended in time."""
    why = f": {standing.text}" if standing.text else ""
    return WaitTimeoutError(f"execution {execution_id} has not ended within {seconds:g} s{why}")


def seconds_until(deadline: float | None) -> float | None:
    """Seconds until a time of ``time.monotonic()``, never below 0; None for None."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _give_up(future: "concurrent.futures.Future[Message]") -> None:
    future.cancel()
