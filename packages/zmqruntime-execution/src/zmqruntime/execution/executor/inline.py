"""Functions called in place: no server, the same checks of values, errors and retries."""

import contextlib
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from zmqruntime.codec import encode
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ConfigurationError, RequestRefusedError, UnsendableError
from zmqruntime.execution.client.followers import IteratorSink
from zmqruntime.execution.executor.calls import StoredArguments
from zmqruntime.execution.executor.client import FunctionClient
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.executor.inline_run import InlineRun
from zmqruntime.execution.executor.link import set_future
from zmqruntime.execution.executor.values import Pickler, Values
from zmqruntime.execution.server.unmet import forgotten_dependency, unknown_dependency, unmet_reason
from zmqruntime.messages import (
    ErrorCode,
    Event,
    ExecuteRequest,
    ExecutionSnapshot,
    ExecutionStatus,
    LogLine,
    Schedule,
    ScheduleRequest,
)

__all__ = ["InlineExecution", "InlineLink", "InlineStore"]

_MOST_KEPT: Final = 10_000
_NO_SERVER: Final = (
    "an inline executor has no server: leave out inline=True, or use the fixture task_executor "
    "in place of inline_executor"
)


class InlineExecution(msgspec.Struct, frozen=True):
    """An execution that was run in place."""

    request: ExecuteRequest
    future: TaskFuture[Any]
    snapshot: ExecutionSnapshot
    events: list[Event]


InlineStore = OrderedDict[str, InlineExecution]


class InlineLink:
    """Calls functions where they are submitted; keeps the latest 10,000 executions.

    Args:
        pickler: Takes what has no other way through the round trip; None to refuse it.
        store: The executions so far, of all links that share it; by default of this one only.
    """

    environment: TaskEnvironment | None = None
    scope: str = ""

    def __init__(self, pickler: Pickler | None, store: InlineStore | None = None) -> None:
        self._values = Values(pickler)
        self._store = InlineStore() if store is None else store
        self._is_shut = False
        self.on_interrupted: Callable[[], None] = lambda: None
        self.on_submitted: Callable[[Sequence[TaskFuture[Any]]], None] = lambda futures: None

    def check_open(self) -> None:
        """Check that it was not shut down.

        Raises:
            RuntimeError: It was.
        """
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def new_ids(self, count: int) -> list[str]:
        """Return the ids of ``count`` executions that are going to be submitted."""
        return [uuid.uuid4().hex for _ in range(count)]

    def submit(
        self, requests: list[ExecuteRequest], environment: TaskEnvironment | None, name: str
    ) -> list[TaskFuture[Any]]:
        """Run executions and return their futures, which are done.

        Raises:
            RequestRefusedError: One is to run after an execution that is not known.
        """
        self._check_known(requests)
        return [self._run(request, name) for request in requests]

    def submit_once(self, request: ExecuteRequest, environment: TaskEnvironment | None) -> None:
        """Run an execution unless its id is known.

        Raises:
            RequestRefusedError: The id belongs to another submission, or it is to run after an unknown execution.
        """
        known = self._store.get(request.submission_id)
        if known is None:
            self._check_known([request])
            self._run(request, "")
        elif encode(known.request) != encode(request):
            raise RequestRefusedError(ErrorCode.CONFLICT, f"{request.submission_id} was already used")

    def submission_of(self, execution_id: str) -> ExecuteRequest:
        """Return what was submitted for an execution, as it would be read from a server."""
        request = self._found(execution_id).request
        return msgspec.structs.replace(request, payload=msgspec.msgpack.decode(encode(request.payload)))

    @property
    def client(self) -> FunctionClient:
        """Nothing.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(_NO_SERVER)

    def schedule(self, request: ScheduleRequest) -> Schedule:
        """Refuse it.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(_NO_SERVER)

    def store(self, execution_id: str, data: bytes) -> StoredArguments | None:
        """Return None: arguments of any size are part of the submission."""
        return None

    def attach(self, execution_id: str, name: str = "") -> TaskFuture[Any]:
        """Return the future of an execution.

        Raises:
            RequestRefusedError: There is no such execution.
        """
        return self._found(execution_id).future

    def on_wait(self, execution_id: str) -> None:
        """Do nothing: every execution has ended."""

    def ids_from(self, beginning: str) -> list[str]:
        """Return the ids of executions that begin like that."""
        return [each for each in self._store if each.startswith(beginning)]

    def executions(self, limit: int) -> list[ExecutionSnapshot]:
        """Return the latest executions, the newest first."""
        return [done.snapshot for done in reversed(self._store.values())][:limit]

    def snapshot(self, execution_id: str) -> ExecutionSnapshot:
        """Return the state of an execution."""
        return self._found(execution_id).snapshot

    def events(self, execution_id: str, after: int) -> Iterator[Event]:
        """Iterate over its events."""
        return iter(self._found(execution_id).events[after:])

    @contextlib.contextmanager
    def opened(self, execution_id: str, after: int) -> Iterator[IteratorSink]:
        """Provide its events, which are all there."""
        sink = IteratorSink(lambda events: events)
        sink.put(self.past_events(execution_id)[after:])
        sink.end()
        yield sink

    def past_events(self, execution_id: str) -> list[Event]:
        """Return its events."""
        return list(self._found(execution_id).events)

    def logs(self, execution_id: str) -> list[LogLine]:
        """Return its log lines."""
        return [event for event in self._found(execution_id).events if isinstance(event, LogLine)]

    def cancel(self, execution_id: str) -> bool:
        """Return False: it has ended."""
        return False

    def deliver(self, call: Callable[[], None]) -> None:
        """Make a call now."""
        call()

    def on_interrupt(self) -> None:
        """Do nothing: nothing goes on."""

    def cancel_all(self, futures: Sequence[TaskFuture[Any]], *, queued_only: bool = False) -> None:
        """Do nothing: all have ended."""

    def open_futures(self) -> list[TaskFuture[Any]]:
        """Return nothing: all are done."""
        return []

    def shut(self) -> None:
        """Accept no more submissions."""
        self._is_shut = True

    def close(self) -> None:
        """Accept no more submissions."""
        self._is_shut = True

    def _found(self, execution_id: str) -> InlineExecution:
        if execution_id not in self._store:
            raise RequestRefusedError(ErrorCode.NOT_FOUND, f"this executor has no execution {execution_id}")
        return self._store[execution_id]

    def _run(self, request: ExecuteRequest, name: str) -> TaskFuture[Any]:
        run = InlineRun(request, self._values)
        reason = self._why_not(request)
        if reason is None:
            run.run()
        else:
            run.fail(reason)
        future: TaskFuture[Any] = TaskFuture(self, request.submission_id, name)
        self._store[request.submission_id] = InlineExecution(request, future, run.snapshot, run.events)
        if len(self._store) > _MOST_KEPT:
            self._store.popitem(last=False)
        try:
            set_future(future, run.snapshot, self._values)
        except (ImportError, UnsendableError) as error:
            future.end_with_error(error)
        return future

    def _check_known(self, requests: Sequence[ExecuteRequest]) -> None:
        earlier: set[str] = set()
        for request in requests:
            unknown = next((each for each in request.after if each not in earlier and each not in self._store), None)
            if unknown is not None:
                text = f"submission {request.submission_id}: {unknown_dependency(unknown)}"
                raise RequestRefusedError(ErrorCode.NOT_FOUND, text)
            earlier.add(request.submission_id)

    def _why_not(self, request: ExecuteRequest) -> str | None:
        """Return why it cannot run after the executions that it names; None if it can."""
        for needed in request.after:
            found = self._store.get(needed)
            if found is None:
                return forgotten_dependency(needed)
            end = found.snapshot
            if end.status is not ExecutionStatus.COMPLETE:
                was_never_run = bool(found.request.after) and not end.attempts
                return unmet_reason(needed, end.name, end.status, end.error, was_never_run=was_never_run)
        return None
