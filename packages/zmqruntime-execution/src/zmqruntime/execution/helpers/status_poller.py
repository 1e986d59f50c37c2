"""Asking for an execution's status again and again until it has ended, for programs that would rather poll than follow.

:meth:`zmqruntime.execution.AsyncExecutionClient.wait` and ``events`` need no interval and miss nothing; use those
where the client is at hand.
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
"""What a server says of an execution: what it is now, or why it cannot tell."""

_ASKING_AGAIN_IS_USELESS = (ErrorCode.NOT_FOUND, ErrorCode.INVALID, ErrorCode.PROTOCOL, ErrorCode.UNSUPPORTED)
_WORKED_ON = (ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING, ExecutionStatus.COMPLETE)


class PollEnd(enum.Enum):
    """Why a poller ended."""

    TERMINAL = "terminal"
    """The execution has ended."""
    STATUS_ERROR = "status_error"
    """The server has no such execution, or does not understand the question."""
    STOPPED = "stopped"
    """``stop()`` was called."""
    TIMED_OUT = "timed_out"
    """The poller's time was over."""


@dataclass(frozen=True, slots=True)
class PollResult:
    """Why a poller ended, the latest that it saw of the execution, and how often it asked."""

    end: PollEnd
    snapshot: ExecutionSnapshot | None
    polls: int


class ExecutionStatusPollPolicy(Protocol):
    """How to ask, and who is told.

    The hooks are called on the event loop's thread and must be quick; what one raises is logged and changes nothing.
    A hook may call the poller's ``stop()``.
    """

    def poll_status(self, execution_id: str, /) -> Awaitable[StatusAnswer]:
        """Ask once. A ``RequestRefusedError`` counts as the error response that it stands for."""

    def on_running(self, snapshot: ExecutionSnapshot, /) -> None:
        """The execution was started; once, and always before ``on_terminal``, also if it was too quick to be seen.

        Not called for one that ended without ever being started.
        """

    def on_terminal(self, snapshot: ExecutionSnapshot, /) -> None:
        """The execution has ended; the last call."""

    def on_status_error(self, response: ErrorResponse, /) -> None:
        """The server answered with an error.

        The last call if asking again is useless (not found, invalid, another protocol, unsupported); after any other
        code, such as that of a server which is about to end, the poller goes on.
        """

    def on_poll_exception(self, error: Exception, /) -> None:
        """Asking failed, for example because the server was lost; the poller goes on. Called for each failure."""


def _ignore(value: object) -> None:
    """The hook of who does not want to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackExecutionStatusPollPolicy:
    """A policy made of callables; see :class:`ExecutionStatusPollPolicy` for when each is called."""

    poll_status: Callable[[str], Awaitable[StatusAnswer]]
    on_running: Callable[[ExecutionSnapshot], None] = _ignore
    on_terminal: Callable[[ExecutionSnapshot], None] = _ignore
    on_status_error: Callable[[ErrorResponse], None] = _ignore
    on_poll_exception: Callable[[Exception], None] = _ignore


class ExecutionStatusPoller:
    """Polls executions by one policy, one question of each at a time.

    Args:
        policy: how to ask, and who is told.
        interval_seconds: from an answer to the next question.
        timeout_seconds: how long each :meth:`run` may last; None for as long as it takes.

    Raises:
        ConfigurationError: the interval is not above zero.
    """

    def __init__(
        self, policy: ExecutionStatusPollPolicy, *, interval_seconds: float = 0.5, timeout_seconds: float | None = None
    ) -> None:
        if not interval_seconds > 0:
            raise ConfigurationError(f"a poll interval of {interval_seconds} s never lets go; choose one above 0")
        self._policy = policy
        self._interval = interval_seconds
        self._timeout = timeout_seconds
        self._lock = threading.Lock()
        self._is_stopped = False
        self._wakes: list[Callable[[], None]] = []

    def stop(self) -> None:
        """End all that runs, at once, and whatever is run later. From any task or thread; may be called twice."""
        with self._lock:
            self._is_stopped = True
            for wake in self._wakes:
                wake()

    async def run(self, execution_id: str) -> PollResult:
        """Poll until the execution has ended, the time is over, or :meth:`stop`; never longer than that."""
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
        """One answer, or None if there was none before the poller's end."""
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
    """What the policy's question brings, errors included, so that one which comes too late is not left unseen."""
    try:
        return await policy.poll_status(execution_id)
    except RequestRefusedError as error:
        return ErrorResponse(code=error.code, message=str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the policy is told
        return error
