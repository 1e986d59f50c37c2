"""The connection of an executor to its server: made when it is first needed, and kept until its futures are done."""

import functools
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from zmqruntime.config import ZMQConfig
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ClosedError, ConfigurationError, WrongServerError
from zmqruntime.execution.client.followers import IteratorSink
from zmqruntime.execution.client.past_events import past_events
from zmqruntime.execution.events.result_files import lacks_result, with_result
from zmqruntime.execution.exceptions import TaskError
from zmqruntime.execution.executor import standing_words as words
from zmqruntime.execution.executor.argument_files import store_arguments
from zmqruntime.execution.executor.calls import StoredArguments
from zmqruntime.execution.executor.client import FunctionClient
from zmqruntime.execution.executor.environment import environment_here, search_path
from zmqruntime.execution.executor.errors import error_of
from zmqruntime.execution.executor.futures import Delivery, FutureLink, TaskFuture
from zmqruntime.execution.executor.messages import DescribeResponse
from zmqruntime.execution.executor.names import port_of
from zmqruntime.execution.executor.nested import warn_of_wait
from zmqruntime.execution.executor.user_frames import user_stacklevel
from zmqruntime.execution.executor.values import Pickler, Values
from zmqruntime.messages import (
    Event,
    ExecuteRequest,
    ExecutionSnapshot,
    ExecutionStatus,
    LogLine,
    Schedule,
    ScheduleRequest,
    SchedulesResponse,
)

__all__ = ["Link", "ServerLink", "ServerOptions", "set_future"]


Outcome = ExecutionSnapshot | Exception

_log = logging.getLogger(__name__)


class Link(FutureLink, Protocol):
    """What an executor needs of what runs its functions."""

    on_interrupted: Callable[[], None]
    on_submitted: Callable[[Sequence[TaskFuture[Any]]], None]
    scope: str
    """Begins the ids of all executions that are submitted, of keys as well."""

    @property
    def client(self) -> FunctionClient:
        """The connected client."""

    @property
    def environment(self) -> TaskEnvironment | None:
        """The environment of functions; None for the server's own."""

    def check_open(self) -> None:
        """Check that it was not shut down; raises ``RuntimeError`` if it was."""

    def new_ids(self, count: int) -> list[str]:
        """Return the ids of ``count`` executions that are going to be submitted."""

    def submit(
        self, requests: list[ExecuteRequest], environment: TaskEnvironment | None, name: str
    ) -> list[TaskFuture[Any]]:
        """Submit executions with new ids, all or none, and return their futures."""

    def submit_once(self, request: ExecuteRequest, environment: TaskEnvironment | None) -> None:
        """Submit an execution whose id may be known already."""

    def submission_of(self, execution_id: str) -> ExecuteRequest:
        """Return what was submitted for an execution."""

    def schedule(self, request: ScheduleRequest) -> Schedule:
        """Have a submission repeated."""

    def store(self, execution_id: str, data: bytes) -> StoredArguments | None:
        """Store large arguments; None if they have to be part of the submission."""

    def attach(self, execution_id: str, name: str = "") -> TaskFuture[Any]:
        """Return a future of an execution that was submitted before."""

    def ids_from(self, beginning: str) -> list[str]:
        """Return ids of executions that begin like that."""

    def executions(self, limit: int) -> list[ExecutionSnapshot]:
        """Return the open executions, and up to ``limit`` that have ended."""

    def cancel_all(self, futures: Sequence[TaskFuture[Any]], *, queued_only: bool = False) -> None:
        """Ask executions to stop, all at the same time."""

    def open_futures(self) -> list[TaskFuture[Any]]:
        """Return the futures that are not done."""

    def shut(self) -> None:
        """Accept no more submissions."""

    def close(self) -> None:
        """Release everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Which server an executor uses and how it is started; see :class:`Executor` for the fields."""

    name: str
    max_workers: int | None
    resources: dict[str, float] | None
    allow_pickle: bool
    cancel_grace: float
    environment: Literal["client", "server"] | TaskEnvironment
    config: ZMQConfig
    host: str | None
    port: int | None
    persistent: bool


class ServerLink:
    """Connects to the server of an executor, and sets the futures of its executions.

    Args:
        options: Which server.
        pickler: Restores results that are pickled; None to refuse those.
        scope: Begins the ids of all executions that are submitted; others are not listed.
    """

    def __init__(self, options: ServerOptions, pickler: Pickler | None, scope: str = "") -> None:
        self.options = options
        self.scope = scope
        self._values = Values(pickler)
        self._delivery = Delivery(f"futures-{options.name}")
        self._connecting = threading.Lock()
        self._lock = threading.Lock()
        self._client: FunctionClient | None = None
        self._open: dict[str, TaskFuture[Any]] = {}
        self._is_shut = False
        self._has_closed = False
        self._pid = 0
        self.on_interrupted: Callable[[], None] = lambda: None
        """Called when Ctrl-C ends the wait for a result."""
        self.on_submitted: Callable[[Sequence[TaskFuture[Any]]], None] = lambda futures: None
        """Called with the futures of executions that were submitted."""

    @property
    def client(self) -> FunctionClient:
        """The connected client.

        Raises:
            ConnectionFailedError: The server cannot be reached or started.
            ConfigurationError: The server was started with options that do not allow what is asked for.
            ClosedError: The executor was shut down, or is that of the parent of this process.
        """
        self._check_not_forked()
        if self._has_closed:
            raise ClosedError(words.shut_down(self.options.name))
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    @functools.cached_property
    def environment(self) -> TaskEnvironment | None:
        """The environment of functions; None for the server's own."""
        match self.options.environment:
            case "server":
                return None
            case "client":
                return environment_here() if self.options.host is None else None
            case environment:
                return environment

    # --- submitting ----------------------------------------------------------------------------------------------

    def check_open(self) -> None:
        """Check that it was not shut down.

        Raises:
            RuntimeError: It was.
            ClosedError: It is that of the parent of this process.
        """
        self._check_not_forked()
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")

    @property
    def _is_forked(self) -> bool:
        """Whether this process is a forked child of the one that has the connection."""
        return self._pid not in (0, os.getpid())

    def _check_not_forked(self) -> None:
        if self._is_forked:
            raise ClosedError(words.forked(self.options.name))

    def submit(
        self, requests: list[ExecuteRequest], environment: TaskEnvironment | None, name: str
    ) -> list[TaskFuture[Any]]:
        """Submit executions with new ids, all or none, and return their futures.

        Raises:
            RequestRefusedError: The server does not accept them.
            RuntimeError: The executor was shut down.
        """
        client = self.client
        futures: list[TaskFuture[Any]] = [TaskFuture(self, each.submission_id, name) for each in requests]
        with self._lock:
            self.check_open()
            self._open.update((future.execution_id, future) for future in futures)
        try:
            for future in futures:
                client.expect(future)
            client.submit_calls(requests, environment)
        except BaseException:
            for future in futures:
                self._forget(future)
            raise
        self.on_submitted(futures)
        return futures

    def store(self, execution_id: str, data: bytes) -> StoredArguments | None:
        """Store large arguments in a file of the server's folder; None if the server is on another machine.

        Raises:
            UnsendableError: They do not fit there.
        """
        client = self.client
        if not client.is_local:
            return None
        return store_arguments(self.options.config.server_dir(client.port), execution_id, data)

    def new_ids(self, count: int) -> list[str]:
        """Return the ids of ``count`` executions that are going to be submitted."""
        return [self.scope + each for each in self.client.new_ids(count)]

    def submit_once(self, request: ExecuteRequest, environment: TaskEnvironment | None) -> None:
        """Submit an execution whose id may be known already; it is not followed."""
        self.client.submit_once(request, environment)

    def submission_of(self, execution_id: str) -> ExecuteRequest:
        """Return what was submitted for an execution."""
        return self.client.submission_of(execution_id)

    def attach(self, execution_id: str, name: str = "") -> TaskFuture[Any]:
        """Return a future of an execution that was submitted before, in any program.

        Raises:
            RequestRefusedError: The server has no such execution.
            RuntimeError: The executor was shut down.
        """
        self.check_open()
        client = self.client
        with self._lock:
            self.check_open()
            known = self._open.get(execution_id)
            future: TaskFuture[Any] = known or TaskFuture(self, execution_id, name)
            self._open[execution_id] = future
        if known is not None:
            client.wake()
            return known
        try:
            client.attach(future)
        except BaseException:
            self._forget(future)
            raise
        return future

    def schedule(self, request: ScheduleRequest) -> Schedule:
        """Have the server repeat a submission."""
        client = self.client
        with client.starting():
            return client.request(request, SchedulesResponse).schedules[0]

    def ids_from(self, beginning: str) -> list[str]:
        """Return up to 20 ids of executions that begin like that."""
        return self.client.find(beginning).execution_ids

    def executions(self, limit: int) -> list[ExecutionSnapshot]:
        """Return the running executions, up to 200 queued ones, and the latest ``limit`` that have ended."""
        return [each for each in self.client.status(limit).executions if each.execution_id.startswith(self.scope)]

    # --- of one execution, see FutureLink -------------------------------------------------------------------------

    def snapshot(self, execution_id: str) -> ExecutionSnapshot:
        """Return the current state of an execution."""
        return self.client.snapshot_of(execution_id)

    def events(self, execution_id: str, after: int) -> Iterator[Event]:
        """Iterate over the events of an execution."""
        return self.client.events(execution_id, after)

    def opened(self, execution_id: str, after: int) -> AbstractContextManager[IteratorSink]:
        """Provide the events of an execution as they arrive."""
        return self.client.opened(execution_id, after)

    def past_events(self, execution_id: str) -> list[Event]:
        """Return the events of an execution so far."""
        return past_events(self.client, execution_id)

    def logs(self, execution_id: str) -> list[LogLine]:
        """Return its log lines so far."""
        return self.client.logs(execution_id)

    def cancel(self, execution_id: str) -> bool:
        """Ask an execution to stop; return whether it will, and otherwise has ended already."""
        response = self.client.cancel(execution_id, grace_seconds=self.options.cancel_grace)
        return response.status == "ok" or response.execution_status is ExecutionStatus.CANCELLED

    def deliver(self, call: Callable[[], None]) -> None:
        """Make a call soon, in the thread for what a program does with results."""
        self._delivery.put(call)

    def on_interrupt(self) -> None:
        """Called when Ctrl-C ends the wait for a result."""
        self.on_interrupted()

    def on_wait(self, execution_id: str) -> None:
        """Warn if a function is about to wait for an execution of its own server."""
        client = self._client
        if client is not None and client.is_local:
            warn_of_wait(client.port, execution_id)

    def cancel_all(self, futures: Sequence[TaskFuture[Any]], *, queued_only: bool = False) -> None:
        """Ask executions to stop, or only those that have not started, all at the same time.

        Raises:
            RequestTimeoutError: The server did not answer in time.
        """
        ids = [future.execution_id for future in futures if not future.done()]
        if ids:
            self.client.cancel_many(ids, self.options.cancel_grace, queued_only=queued_only)

    # --- ending --------------------------------------------------------------------------------------------------

    def open_futures(self) -> list[TaskFuture[Any]]:
        """Return the futures that are not done; none in a forked child, where they never will be."""
        if self._is_forked:
            return []
        with self._lock:
            return list(self._open.values())

    def shut(self) -> None:
        """Accept no more submissions, and close the connection as soon as all futures are done."""
        if self._is_forked:
            return
        with self._lock:
            self._is_shut = True
        self._close_if_done()

    def close(self) -> None:
        """Close the connection; futures that are not done fail with ``ClosedError``. Executions are not affected."""
        if self._is_forked:
            return
        with self._lock:
            self._is_shut = self._has_closed = True
            client = self._client
        if client is not None:
            client.disconnect()
        self._delivery.close()

    def _close_if_done(self) -> None:
        with self._lock:
            if not self._is_shut or self._open or self._has_closed:
                return
            self._has_closed = True
        self.close()

    def _forget(self, future: TaskFuture[Any]) -> None:
        with self._lock:
            self._open.pop(future.execution_id, None)
            is_last = self._is_shut and not self._open
        if is_last:  # not here, which may be the thread that would have to end
            self._delivery.put(self._close_if_done)

    def _on_end(self, future: TaskFuture[Any], outcome: Outcome) -> None:
        """Set the future; called on the client's I/O thread, which must not wait, nor import what a program has."""
        if isinstance(outcome, ExecutionSnapshot) and _has_plain_result(outcome):
            future.end_with(outcome.result)
            self._forget(future)
        else:
            self._delivery.put(functools.partial(self._finish, future, outcome))

    def _finish(self, future: TaskFuture[Any], outcome: Outcome) -> None:
        try:
            if isinstance(outcome, ExecutionSnapshot):
                set_future(future, self._in_full(outcome), self._values)
            elif isinstance(outcome, ClosedError):
                future.end_with_error(ClosedError(words.not_awaited(self.options.name, future.execution_id)))
            else:
                future.end_with_error(outcome)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a result is what its future says
            future.end_with_error(error)
        self._forget(future)

    def _in_full(self, snapshot: ExecutionSnapshot) -> ExecutionSnapshot:
        """Return the snapshot with a large result."""
        return with_result(snapshot, lambda message, expect: self.client.insist(message, expect, None))

    # --- connecting ----------------------------------------------------------------------------------------------

    def _connect(self) -> FunctionClient:
        options = self.options
        port = port_of(options.name, options.config) if options.port is None else options.port
        started: dict[str, Any] = {
            "name": options.name,
            "allow_pickle": options.allow_pickle,
            "python_path": search_path(),
        }
        wanted = {"max_workers": options.max_workers, "resources": options.resources}
        started.update((key, value) for key, value in wanted.items() if value is not None)
        client = FunctionClient(
            port, started, self._on_end, host=options.host, config=options.config, persistent=options.persistent
        )
        words.tell_patience(client, options.name, _log.warning)
        try:
            client.connect()
            self._compare(client, client.describe())
        except WrongServerError as error:
            client.disconnect()
            raise words.wrong_server(options.name, error, has_port=options.port is not None) from None
        except BaseException:
            client.disconnect()
            raise
        self._pid = os.getpid()
        return client

    def _compare(self, client: FunctionClient, found: DescribeResponse) -> None:
        """Restart an idle server that was started with other options; say so if it is busy."""
        problem = _difference(self.options, found)
        if problem and client.may_replace_server():
            client.shutdown_server()
            client.connect()
            problem = _difference(self.options, found := client.describe())
        client.keep_options(found)
        if not problem:
            return
        text = f"{problem}; {words.remedy(self.options.name, client)}"
        if self.options.allow_pickle and not found.allow_pickle:
            raise ConfigurationError(text)
        warnings.warn(text, RuntimeWarning, stacklevel=user_stacklevel())


def set_future(future: TaskFuture[Any], snapshot: ExecutionSnapshot, values: Values) -> None:
    """Set the future of an execution that has ended.

    Raises:
        ImportError: A type in the result cannot be imported here.
        UnsendableError: The result has no meaning here.
    """
    match snapshot.status:
        case ExecutionStatus.COMPLETE:
            future.end_with(values.from_wire(snapshot.result))
        case ExecutionStatus.CANCELLED:
            future.end_cancelled()
        case ExecutionStatus.FAILED:
            future.end_with_error(error_of(snapshot, values))
        case _:
            text = f"execution {snapshot.execution_id} is {snapshot.status}: {snapshot.error or 'it did not end'}"
            future.end_with_error(TaskError(text, snapshot.execution_id))


def _has_plain_result(snapshot: ExecutionSnapshot) -> bool:
    """Return whether the snapshot has the whole result, as the value that the function has returned."""
    is_complete = snapshot.status is ExecutionStatus.COMPLETE
    return is_complete and type(snapshot.result) in _PLAIN and not lacks_result(snapshot)


_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})


def _difference(options: ServerOptions, found: DescribeResponse) -> str:
    """Return how the server differs from what is asked for; empty if it does not."""
    who = f"the server of executor {options.name!r}"
    if options.allow_pickle and not found.allow_pickle:
        return f"{who} was started without allow_pickle=True"
    if options.max_workers not in (None, found.max_workers):
        noun = "function" if found.max_workers == 1 else "functions"
        return f"{who} runs {found.max_workers} {noun} at the same time, not {options.max_workers}"
    wanted = options.resources or {}
    if any(found.resources.get(name) != amount for name, amount in wanted.items()):
        return f"{who} shares out {found.resources}, not {wanted}"
    return ""
