"""Polling the status of an execution until it has ended, for programs that prefer polling to following events.

:meth:`zmqruntime.execution.AsyncExecutionClient.wait` and ``events`` need no interval and miss nothing; use those
if you have a client.
"""

import asyncio
import contextlib
import enum
import functools
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from zmqruntime.exceptions import ConfigurationError, RequestRefusedError
from zmqruntime.execution.callbacks import call_guarded
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.messages import ErrorCode, ErrorResponse, ExecutionSnapshot, ExecutionStatus

__all__ = [
    "CallbackExecutionStatusPollPolicy",
    "ExecutionStatusPollPolicy",
    "ExecutionStatusPoller",
    "PollEnd",
    "PollResult",
    "StatusAnswer",
]

StatusAnswer = ExecutionSnapshot | ErrorResponse
"""Reply to a status request: the current state of the execution, or an error."""

_ASKING_AGAIN_IS_USELESS = (ErrorCode.NOT_FOUND, ErrorCode.INVALID, ErrorCode.PROTOCOL, ErrorCode.UNSUPPORTED)
_WORKED_ON = (ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING, ExecutionStatus.COMPLETE)


class PollEnd(enum.Enum):
    """Why a poller ended."""

    TERMINAL = "terminal"
    """The execution has ended."""
    STATUS_ERROR = "status_error"
    """The server has no such execution, or does not understand the request."""
    STOPPED = "stopped"
    """``stop()`` was called."""
    TIMED_OUT = "timed_out"
    """The poller's timeout expired."""


@dataclass(frozen=True, slots=True)
class PollResult:
    """Result of polling.

    Attributes:
        end: Why polling ended.
        snapshot: Latest known state of the execution; None if there is none.
        polls: Number of requests.
    """

    end: PollEnd
    snapshot: ExecutionSnapshot | None
    polls: int


class ExecutionStatusPollPolicy(Protocol):
    """How to poll, and hooks for the results.

    The hooks are called on the event loop's thread and must return quickly; exceptions they raise are logged and
    otherwise ignored. A hook may call the poller's ``stop()``.
    """

    def poll_status(self, execution_id: str, /) -> Awaitable[StatusAnswer]:
        """Request the status once. A ``RequestRefusedError`` is treated like the error response it represents."""

    def on_running(self, snapshot: ExecutionSnapshot, /) -> None:
        """Called when the execution has started.

        Called once and always before ``on_terminal``, even if the execution ended before it was seen running, but not
        for an execution that ended without being started.
        """

    def on_terminal(self, snapshot: ExecutionSnapshot, /) -> None:
        """Called when the execution has ended; this is the last call."""

    def on_status_error(self, response: ErrorResponse, /) -> None:
        """Called when the server replied with an error.

        This is the last call if asking again is pointless (not found, invalid, other protocol, unsupported); after any
        other code, such as that of a server that is shutting down, polling continues.
        """

    def on_poll_exception(self, error: Exception, /) -> None:
        """Called for each failed request, for example because the server was lost; polling continues."""


def _ignore(value: object) -> None:
    """Default hook: does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackExecutionStatusPollPolicy:
    """A policy made of callables; see :class:`ExecutionStatusPollPolicy` for when each is called."""

    poll_status: Callable[[str], Awaitable[StatusAnswer]]
    on_running: Callable[[ExecutionSnapshot], None] = _ignore
    on_terminal: Callable[[ExecutionSnapshot], None] = _ignore
    on_status_error: Callable[[ErrorResponse], None] = _ignore
    on_poll_exception: Callable[[Exception], None] = _ignore


class ExecutionStatusPoller:
    """Polls executions according to a policy, with one pending request per execution.

    Args:
        policy: How to poll, and hooks for the results.
        interval_seconds: Seconds between a reply and the next request.
        timeout_seconds: Maximum duration of each :meth:`run` in seconds; None for no limit.

    Raises:
        ConfigurationError: ``interval_seconds`` is not greater than 0.
    """

    def __init__(
        self, policy: ExecutionStatusPollPolicy, *, interval_seconds: float = 0.5, timeout_seconds: float | None = None
    ) -> None:
        if not interval_seconds > 0:
            raise ConfigurationError(f"interval_seconds must be greater than 0, got {interval_seconds}")
        self._policy = policy
        self._interval = interval_seconds
        self._timeout = timeout_seconds
        self._lock = threading.Lock()
        self._is_stopped = False
        self._wakes: list[Callable[[], None]] = []

    def stop(self) -> None:
        """End all current and future calls of ``run`` immediately. Idempotent, from any task or thread."""
        with self._lock:
            self._is_stopped = True
            for wake in self._wakes:
                wake()

    async def run(self, execution_id: str) -> PollResult:
        """Poll until the execution has ended, the timeout has expired, or :meth:`stop` was called."""
        with self._stop_signal() as stopped:
            return await _Run(self._policy, execution_id, stopped, self._interval, self._timeout).until_end()

    @contextlib.contextmanager
    def _stop_signal(self) -> "Iterator[asyncio.Future[None]]":
        loop = asyncio.get_running_loop()
        signal: asyncio.Future[None] = loop.create_future()

        def note() -> None:
            if not signal.done():
                signal.set_result(None)

        def wake() -> None:
            loop.call_soon_threadsafe(note)

        with self._lock:
            self._wakes.append(wake)
            if self._is_stopped:
                note()
        try:
            yield signal
        finally:
            with self._lock:
                self._wakes.remove(wake)
            signal.cancel()


class _Run:
    """The polling of one execution."""

    def __init__(
        self,
        policy: ExecutionStatusPollPolicy,
        execution_id: str,
        stopped: "asyncio.Future[None]",
        interval: float,
        timeout: float | None,
    ) -> None:
        self._policy = policy
        self._execution_id = execution_id
        self._stopped = stopped
        self._interval = interval
        self._clock = asyncio.get_running_loop().time
        self._deadline = None if timeout is None else self._clock() + timeout
        self._snapshot: ExecutionSnapshot | None = None
        self._polls = 0
        self._was_running = False

    async def until_end(self) -> PollResult:
        while (end := self._end_from_outside()) is None:
            answer = await self._ask()
            if answer is not None and (end := self._take(answer)) is not None:
                break
            await asyncio.wait({self._stopped}, timeout=self._within_deadline(self._interval))
        return PollResult(end, self._snapshot, self._polls)

    def _end_from_outside(self) -> PollEnd | None:
        if self._stopped.done():
            return PollEnd.STOPPED
        return PollEnd.TIMED_OUT if self._within_deadline(1.0) == 0 else None

    def _within_deadline(self, seconds: float | None) -> float | None:
        if self._deadline is None:
            return seconds
        left = max(0.0, self._deadline - self._clock())
        return left if seconds is None else min(seconds, left)

    async def _ask(self) -> StatusAnswer | None:
        """Request the status once; None if there was no reply before the poller ended."""
        self._polls += 1
        poll = asyncio.ensure_future(_answer_of(self._policy, self._execution_id))
        either: list[asyncio.Future[Any]] = [poll, self._stopped]
        try:
            await asyncio.wait(either, timeout=self._within_deadline(None), return_when=asyncio.FIRST_COMPLETED)
        finally:
            poll.cancel()
        if not poll.done() or poll.cancelled():
            return None
        answer = poll.result()
        if isinstance(answer, Exception):
            call_guarded(functools.partial(self._policy.on_poll_exception, answer))
            return None
        return answer

    def _take(self, answer: StatusAnswer) -> PollEnd | None:
        if isinstance(answer, ErrorResponse):
            call_guarded(functools.partial(self._policy.on_status_error, answer))
            return PollEnd.STATUS_ERROR if answer.code in _ASKING_AGAIN_IS_USELESS else None
        self._snapshot = answer
        if not self._was_running and (answer.started_at is not None or answer.status in _WORKED_ON):
            self._was_running = True
            call_guarded(functools.partial(self._policy.on_running, answer))
        if not has_ended(answer.status, answer.resumable):
            return None
        call_guarded(functools.partial(self._policy.on_terminal, answer))
        return PollEnd.TERMINAL


async def _answer_of(policy: ExecutionStatusPollPolicy, execution_id: str) -> StatusAnswer | Exception:
    """Poll once and return errors instead of raising them, so that a late one is never an unretrieved exception."""
    try:
        return await policy.poll_status(execution_id)
    except RequestRefusedError as error:
        return ErrorResponse(code=error.code, message=str(error))
    except Exception as error:  # noqa: BLE001 - the policy is notified of any exception
        return error
