"""The client behind an executor: starts the server of a name, and brings the ends of executions to their futures."""

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ServerLostError
from zmqruntime.execution.client.client import ExecutionClient
from zmqruntime.execution.client.followers import EndSink, find_end
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.executor.messages import FUNCTIONS_CLIENT, CallsRequest, DescribeRequest, DescribeResponse
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.tracing import traced_submission
from zmqruntime.launch import ServerSpec
from zmqruntime.messages import (
    AcceptedResponse,
    BatchResponse,
    Event,
    ExecuteRequest,
    ExecutionSnapshot,
    ExecutionStatus,
    StateChange,
    StatusRequest,
    StatusResponse,
)

__all__ = ["SERVER_TARGET", "FunctionClient"]

SERVER_TARGET = "zmqruntime.execution.executor.server:FunctionServer"

_log = logging.getLogger(__name__)

OnEnd = Callable[[TaskFuture[Any], ExecutionSnapshot | Exception], None]


class FunctionClient(ExecutionClient):
    """A client of a server of functions.

    Args:
        port: Data port of the server.
        options: How to start the server, if it is not running.
        on_end: Called on the I/O thread with each future whose execution has ended, or cannot be followed any more.
        host: Host of a TCP server.
        transport_mode: IPC or TCP.
        config: Settings shared by the server and its clients.
        persistent: Whether the server outlives this client.
    """

    vocabulary = FUNCTIONS_CLIENT
    server_target = SERVER_TARGET

    def __init__(
        self,
        port: int,
        options: dict[str, Any],
        on_end: OnEnd,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        persistent: bool = True,
    ) -> None:
        super().__init__(port, host=host, transport_mode=transport_mode, config=config, persistent=persistent)
        self._start_options = options
        self._set_future = on_end
        self._expected: dict[str, TaskFuture[Any]] = {}
        self._wishes = 0
        self._lock = threading.Lock()

    def server_spec(self) -> ServerSpec:
        """Return the server to start, with its options."""
        return msgspec.structs.replace(self.spec_for(SERVER_TARGET), options=self._start_options)

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Start the server again for what is asked in the block, also if it was asked to shut down."""
        with self._lock:
            self._wishes += 1
        try:
            yield
        finally:
            with self._lock:
                self._wishes -= 1

    def wake(self) -> None:
        """Make sure that the server is running, also if it was asked to shut down.

        Raises:
            ServerLostError: It has ended and cannot be started.
        """
        with self.starting():  # asked in any case: the news that it was stopped may be on its way
            self.insist(StatusRequest(limit=0), StatusResponse, None)

    def starts_after_stop(self) -> bool:
        """Return whether a call is waiting that is a wish to run."""
        return self._wishes > 0

    def how_to_start(self) -> str:
        """Return what starts the server again."""
        return f"{self._title}.submit starts it again, and .future(id) gives the result: what it accepted is on disk"

    def on_server_lost(self, error: ServerLostError) -> None:
        """Say at once why a wait for results does not end: nobody knows whether somebody will start it again."""
        count = len(self._followers)
        if not self.was_stopped or self.starts_after_stop() or not count:
            return
        noun = "1 execution" if count == 1 else f"{count:,} executions"
        _log.warning(
            "the server of %s was stopped, and this program waits for %s: it goes on when any program submits to "
            "this executor or asks for a future; otherwise the wait ends with ServerLostError in %g s",
            self._title,
            noun,
            self.config.successor_window,
        )

    @property
    def _title(self) -> str:
        return f"Executor({self._start_options['name']!r})"

    def describe(self) -> DescribeResponse:
        """Return the options of the server that is running.

        Raises:
            RequestRefusedError: It is not a server of functions.
        """
        return self.request(DescribeRequest(), DescribeResponse)

    def may_replace_server(self) -> bool:
        """Return whether the server was started by a client and has nothing to do, so that it can be restarted."""
        return self.is_local and self._may_replace(self.server)

    def keep_options(self, found: DescribeResponse) -> None:
        """Start a successor, if that is ever needed, with the options of the server that was found."""
        self._start_options = {
            **self._start_options,
            "resources": found.resources,
            "max_workers": found.max_workers,
            "allow_pickle": found.allow_pickle,
        }

    def expect(self, future: TaskFuture[Any]) -> None:
        """Set this future at the end of the execution, which is about to be submitted."""
        self._expected[future.execution_id] = future

    def make_end(self, execution_id: str) -> EndSink:
        """Return the sink that ends the future of the execution."""
        future = self._expected.pop(execution_id, None)
        return EndSink() if future is None else _FutureEnd(future, self._set_future)

    def submit_calls(self, requests: list[ExecuteRequest], environment: TaskEnvironment | None) -> None:
        """Submit executions that share an environment, all or none, and follow them.

        Raises:
            RequestRefusedError: The server does not accept them.
            OutdatedServerError: The server is running an older version of the code.
            SubmissionLostError: The server has ended and no successor appeared; they may have been accepted.
        """
        message = CallsRequest(requests=requests, environment=environment)
        with self.starting():
            self._send_submission(requests, message, BatchResponse, None)

    def submit_once(self, request: ExecuteRequest, environment: TaskEnvironment | None) -> None:
        """Submit an execution whose id may be known already; it is not followed.

        Raises:
            RequestRefusedError: The server does not accept it, or the id belongs to another submission.
            OutdatedServerError: The server is running an older version of the code.
            ServerLostError: The server has ended and no successor appeared.
        """
        self.check_code()
        traced = traced_submission(msgspec.structs.replace(request, environment=environment))
        with self.starting(), traced as message:
            self.insist(message, AcceptedResponse, None)

    def attach(self, future: TaskFuture[Any]) -> None:
        """Set the future at the end of an execution that somebody has submitted, which may be over.

        Raises:
            RequestRefusedError: The server has no such execution.
            ServerLostError: The server has ended and no successor appeared.
        """
        request = StatusRequest(execution_id=future.execution_id)
        with self.starting():
            snapshot = self.insist(request, StatusResponse, None).executions[0]
        future.name = future.name or getattr(snapshot, "name", "")
        if has_ended(snapshot.status, snapshot.resumable):
            self.call_soon(functools.partial(self._set_future, future, snapshot))
            return
        future.note_running(snapshot.status.is_working)
        self._follow(future.execution_id, snapshot.event_count, _FutureEnd(future, self._set_future), False)


class _FutureEnd(EndSink):
    """Passes the end of an execution on to its future."""

    __slots__ = ("_on_end", "_task")

    def __init__(self, future: TaskFuture[Any], on_end: OnEnd) -> None:
        super().__init__()
        self._task = future
        self._on_end = on_end

    def put(self, events: list[Event]) -> None:
        """Look for the start and the end among the events."""
        end = find_end(events)
        if end is not None:
            self.is_done = True
            self._on_end(self._task, end)
            return
        status = next((each.execution.status for each in reversed(events) if isinstance(each, StateChange)), None)
        if status is not None:
            self._task.note_running(status is not ExecutionStatus.QUEUED)

    def fail(self, error: Exception) -> None:
        """Pass on that the server is lost."""
        if not self.is_done:
            self.is_done = True
            self._on_end(self._task, error)

    @property
    def has_failed(self) -> bool:
        """Always: what asks for the end once more has to ask the server."""
        return True

    @property
    def is_small(self) -> bool:
        """Never kept: the future has the result."""
        return False
