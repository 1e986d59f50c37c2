"""The connection of an executor to its server: made when it is first needed, and kept until its futures are done."""

import functools
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from zmqruntime.config import ZMQConfig
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.events.result_files import with_result
from zmqruntime.execution.exceptions import TaskError
from zmqruntime.execution.executor.client import FunctionClient
from zmqruntime.execution.executor.describing import DescribeResponse
from zmqruntime.execution.executor.environment import environment_here, search_path
from zmqruntime.execution.executor.errors import error_of
from zmqruntime.execution.executor.futures import Delivery, TaskFuture
from zmqruntime.execution.executor.names import port_of
from zmqruntime.execution.executor.values import Pickler, Values
from zmqruntime.messages import (
    Event,
    ExecuteRequest,
    ExecutionSnapshot,
    ExecutionStatus,
    LogLine,
)

__all__ = ["ServerLink", "ServerOptions"]


Outcome = ExecutionSnapshot | Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Which server an executor uses and how it is started; see :class:`Executor` for the fields."""

    name: str
    max_workers: int | None
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
    """

    def __init__(self, options: ServerOptions, pickler: Pickler | None) -> None:
        self.options = options
        self._values = Values(pickler)
        self._delivery = Delivery(f"futures-{options.name}")
        self._lock = threading.RLock()
        self._client: FunctionClient | None = None
        self._open: dict[str, TaskFuture[Any]] = {}
        self._is_shut = False
        self._has_closed = False
        self.on_interrupted: Callable[[], None] = lambda: None
        """Called when Ctrl-C ends the wait for a result."""

    @property
    def client(self) -> FunctionClient:
        """The connected client.

        Raises:
            ConnectionFailedError: The server cannot be reached or started.
            ConfigurationError: The server was started with options that do not allow what is asked for.
        """
        with self._lock:
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
        """
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def submit(self, requests: Sequence[ExecuteRequest], name: str) -> list[TaskFuture[Any]]:
        """Submit executions with new ids, all or none, and return their futures.

        Raises:
            RequestRefusedError: The server does not accept them.
            RuntimeError: The executor was shut down.
        """
        with self._lock:
            self.check_open()
            client = self.client
            futures: list[TaskFuture[Any]] = [TaskFuture(self, each.submission_id, name) for each in requests]
            self._open.update((future.execution_id, future) for future in futures)
        try:
            for future in futures:
                client.expect(future)
            client.submit_batch(list(requests))
        except BaseException:
            for future in futures:
                self._forget(future)
            raise
        return futures

    def attach(self, execution_id: str, name: str = "") -> TaskFuture[Any]:
        """Return a future of an execution that was submitted before, in any program.

        Raises:
            RequestRefusedError: The server has no such execution.
            RuntimeError: The executor was shut down.
        """
        with self._lock:
            self.check_open()
            known = self._open.get(execution_id)
            if known is not None:
                return known
            client = self.client
            future: TaskFuture[Any] = TaskFuture(self, execution_id, name)
            self._open[execution_id] = future
        try:
            client.attach(future)
        except BaseException:
            self._forget(future)
            raise
        return future

    # --- of one execution, see FutureLink -------------------------------------------------------------------------

    def snapshot(self, execution_id: str) -> ExecutionSnapshot:
        """Return the current state of an execution."""
        return self.client.snapshot_of(execution_id)

    def events(self, execution_id: str, after: int) -> Iterator[Event]:
        """Iterate over the events of an execution."""
        return self.client.events(execution_id, after)

    def logs(self, execution_id: str) -> list[LogLine]:
        """Return its log lines so far."""
        return self.client.logs(execution_id)

    def cancel(self, execution_id: str) -> bool:
        """Ask an execution to stop; return whether it will, and otherwise has ended already."""
        response = self.client.cancel(execution_id, grace_seconds=self.options.cancel_grace)
        return response.status == "ok" or response.execution_status is ExecutionStatus.CANCELLED

    def on_interrupt(self) -> None:
        """Called when Ctrl-C ends the wait for a result."""
        self.on_interrupted()

    # --- ending --------------------------------------------------------------------------------------------------

    def open_futures(self) -> list[TaskFuture[Any]]:
        """Return the futures that are not done."""
        with self._lock:
            return list(self._open.values())

    def shut(self) -> None:
        """Accept no more submissions, and close the connection as soon as all futures are done."""
        with self._lock:
            self._is_shut = True
        self._close_if_done()

    def close(self) -> None:
        """Close the connection; futures that are not done fail with ``ClosedError``. Executions are not affected."""
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
        if is_last:
            self._close_if_done()

    def _on_end(self, future: TaskFuture[Any], outcome: Outcome) -> None:
        """Pass an end on; called on the client's I/O thread."""
        self._delivery.put(functools.partial(self._finish, future, outcome))

    def _finish(self, future: TaskFuture[Any], outcome: Outcome) -> None:
        try:
            self._set(future, outcome)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a result is what its future says
            future.end_with_error(error)
        self._forget(future)

    def _set(self, future: TaskFuture[Any], outcome: Outcome) -> None:
        if isinstance(outcome, Exception):
            future.end_with_error(outcome)
            return
        match outcome.status:
            case ExecutionStatus.COMPLETE:
                future.end_with(self._values.from_wire(self._in_full(outcome).result))
            case ExecutionStatus.CANCELLED:
                future.end_cancelled()
            case ExecutionStatus.FAILED:
                future.end_with_error(error_of(self._in_full(outcome), self._values))
            case _:
                text = f"execution {outcome.execution_id} is {outcome.status}: {outcome.error or 'it did not end'}"
                future.end_with_error(TaskError(text, outcome.execution_id))

    def _in_full(self, snapshot: ExecutionSnapshot) -> ExecutionSnapshot:
        """Return the snapshot with a large result."""
        return with_result(snapshot, lambda message, expect: self.client.insist(message, expect, None))

    # --- connecting ----------------------------------------------------------------------------------------------

    def _connect(self) -> FunctionClient:
        options = self.options
        port = port_of(options.name, options.config) if options.port is None else options.port
        started = {"name": options.name, "allow_pickle": options.allow_pickle, "python_path": search_path()}
        if options.max_workers is not None:
            started["max_workers"] = options.max_workers
        client = FunctionClient(
            port, started, self._on_end, host=options.host, config=options.config, persistent=options.persistent
        )
        try:
            client.connect()
            self._compare(client, client.describe())
        except BaseException:
            client.disconnect()
            raise
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
        text = f"{problem}; to change that, stop it with 'zmqruntime stop --port {client.port}' when it is idle"
        if self.options.allow_pickle and not found.allow_pickle:
            raise ConfigurationError(text)
        warnings.warn(text, RuntimeWarning, stacklevel=6)


def _difference(options: ServerOptions, found: DescribeResponse) -> str:
    """Return how the server differs from what is asked for; empty if it does not."""
    who = f"the server of executor {options.name!r}"
    if options.allow_pickle and not found.allow_pickle:
        return f"{who} was started without allow_pickle=True and is busy or was not started by an executor"
    if options.max_workers not in (None, found.max_workers):
        return f"{who} runs {found.max_workers} functions at the same time, not {options.max_workers}"
    return ""
