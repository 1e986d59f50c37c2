"""Functions called in place: no server, the same checks of values, errors and retries."""

import contextlib
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from zmqruntime.codec import encode, pack_given
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ConfigurationError, RequestRefusedError, UnsendableError
from zmqruntime.execution.client.followers import IteratorSink
from zmqruntime.execution.exceptions import TaskCancelled, TaskFailed
from zmqruntime.execution.executor.calls import Call, StoredArguments, read_call
from zmqruntime.execution.executor.client import FunctionClient
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.executor.link import set_future
from zmqruntime.execution.executor.running import run_call
from zmqruntime.execution.executor.values import Pickler, Values
from zmqruntime.execution.tasks.hub import local_task
from zmqruntime.execution.tasks.task import TaskReport
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

__all__ = ["InlineLink"]

_MOST_KEPT: Final = 10_000
_LARGEST_RESULT: Final = 256 * 1024 * 1024


class _Done(msgspec.Struct, frozen=True):
    """An execution that was run in place."""

    request: ExecuteRequest
    future: TaskFuture[Any]
    snapshot: ExecutionSnapshot
    events: list[TaskReport]


class InlineLink:
    """Calls functions where they are submitted; keeps the latest 10,000 executions.

    Args:
        pickler: Takes what has no other way through the round trip; None to refuse it.
    """

    environment: TaskEnvironment | None = None

    def __init__(self, pickler: Pickler | None) -> None:
        self._values = Values(pickler)
        self._done: OrderedDict[str, _Done] = OrderedDict()
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

    def new_id(self) -> str:
        """Return the id of an execution that is going to be submitted."""
        return uuid.uuid4().hex

    def submit(
        self, requests: list[ExecuteRequest], environment: TaskEnvironment | None, name: str
    ) -> list[TaskFuture[Any]]:
        """Run executions and return their futures, which are done."""
        return [self._run(request, name) for request in requests]

    def submit_once(self, request: ExecuteRequest, environment: TaskEnvironment | None) -> None:
        """Run an execution unless its id is known.

        Raises:
            RequestRefusedError: The id belongs to another submission.
        """
        known = self._done.get(request.submission_id)
        if known is None:
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
        raise ConfigurationError("an inline executor has no server: leave out inline=True")

    def schedule(self, request: ScheduleRequest) -> Schedule:
        """Refuse it.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError("an inline executor has no server that could keep a schedule: leave out inline=True")

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
        return [each for each in self._done if each.startswith(beginning)]

    def executions(self, limit: int) -> list[ExecutionSnapshot]:
        """Return the latest executions, the newest first."""
        return [done.snapshot for done in reversed(self._done.values())][:limit]

    def snapshot(self, execution_id: str) -> ExecutionSnapshot:
        """Return the state of an execution."""
        return self._found(execution_id).snapshot

    def events(self, execution_id: str, after: int) -> Iterator[Event]:
        """Iterate over its progress and log lines."""
        return iter(self._found(execution_id).events[after:])

    @contextlib.contextmanager
    def opened(self, execution_id: str, after: int) -> Iterator[IteratorSink]:
        """Provide its progress and log lines, which are all there."""
        sink = IteratorSink(lambda events: events)
        sink.put(self.past_events(execution_id)[after:])
        sink.end()
        yield sink

    def past_events(self, execution_id: str) -> list[Event]:
        """Return its progress and log lines."""
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

    def cancel_all(self, futures: list[TaskFuture[Any]]) -> None:
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

    def _found(self, execution_id: str) -> _Done:
        if execution_id not in self._done:
            raise RequestRefusedError(ErrorCode.NOT_FOUND, f"this executor has no execution {execution_id}")
        return self._done[execution_id]

    def _run(self, request: ExecuteRequest, name: str) -> TaskFuture[Any]:
        call = read_call(msgspec.msgpack.decode(encode(request.payload)))
        events: list[TaskReport] = []
        snapshot = self._attempt(request, call, events, 1)
        while snapshot.status is ExecutionStatus.FAILED and snapshot.resumable:
            snapshot = self._attempt(request, call, events, snapshot.attempts + 1)
        future: TaskFuture[Any] = TaskFuture(self, request.submission_id, name)
        self._done[request.submission_id] = _Done(request, future, snapshot, events)
        if len(self._done) > _MOST_KEPT:
            self._done.popitem(last=False)
        try:
            set_future(future, snapshot, self._values)
        except (ImportError, UnsendableError) as error:
            future.end_with_error(error)
        return future

    def _attempt(self, request: ExecuteRequest, call: Call, events: list[TaskReport], number: int) -> ExecutionSnapshot:
        """Run it once; ``resumable`` of what is returned says whether to try again."""
        began = ExecutionSnapshot(
            execution_id=request.submission_id,
            plate_id="",
            name=request.name,
            status=ExecutionStatus.RUNNING,
            submitted_at=time.time(),
            started_at=time.time(),
            attempts=number,
        )
        try:
            with local_task(events.append):
                result = run_call(call, self._values, lambda one: (one.args, one.kwargs))
            data = pack_given(result, "the result", max_bytes=_LARGEST_RESULT)
            return _ended(began, ExecutionStatus.COMPLETE, result=msgspec.msgpack.decode(data))
        except TaskFailed as error:
            may_retry = error.may_retry and number <= request.max_retries
            return _ended(
                began,
                ExecutionStatus.FAILED,
                error=str(error),
                result=error.result,
                traceback=error.traceback,
                resumable=may_retry,
            )
        except TaskCancelled as error:
            return _ended(began, ExecutionStatus.CANCELLED, error=str(error))
        except UnsendableError as error:
            return _ended(began, ExecutionStatus.FAILED, error=str(error))


def _ended(began: ExecutionSnapshot, status: ExecutionStatus, **fields: Any) -> ExecutionSnapshot:
    return msgspec.structs.replace(began, status=status, ended_at=time.time(), **fields)
