"""Keeps a value that is asked for now and then: one question at a time, and no answer from before a reset."""

import asyncio
import copy
import functools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.callbacks import call_guarded

__all__ = ["CallbackIntervalSnapshotPollerPolicy", "IntervalSnapshotPoller", "IntervalSnapshotPollerPolicy"]

T = TypeVar("T")


class IntervalSnapshotPollerPolicy(Protocol[T]):
    """How to ask, and who is told; all calls are made on the event loop's thread."""

    def fetch(self) -> Awaitable[T]:
        """Ask once. Whatever it raises goes to :meth:`on_error`."""

    def clone(self, snapshot: T, /) -> T:
        """A copy that its taker may change."""

    def on_snapshot(self, snapshot: T, /) -> None:
        """An answer came that is different from the one before. What this raises is logged."""

    def on_error(self, error: Exception, /) -> None:
        """There was no answer; the snapshot from before stays."""


def _ignore(value: object) -> None:
    """The hook of who does not want to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackIntervalSnapshotPollerPolicy(Generic[T]):
    """A policy made of callables; see :class:`IntervalSnapshotPollerPolicy`."""

    fetch: Callable[[], Awaitable[T]]
    clone: Callable[[T], T] = copy.deepcopy
    on_snapshot: Callable[[T], None] = _ignore
    on_error: Callable[[Exception], None] = _ignore


class IntervalSnapshotPoller(Generic[T]):
    """Asks by a policy when :meth:`tick` is called, but no sooner than an interval after the last question.

    It has no timer of its own: who shows the value knows when it has to be fresh. Used from one event loop.

    Args:
        policy: how to ask, and who is told.
        interval_seconds: from the beginning of a question to that of the next.

    Raises:
        ConfigurationError: the interval is negative.
    """

    def __init__(self, policy: IntervalSnapshotPollerPolicy[T], *, interval_seconds: float = 1.0) -> None:
        if not interval_seconds >= 0:
            raise ConfigurationError(f"a poll interval of {interval_seconds} s is no interval; choose one from 0")
        self._policy = policy
        self._interval = interval_seconds
        self._asked_at: float | None = None
        self._poll: asyncio.Task[None] | None = None
        self._snapshot: T | None = None

    @property
    def is_polling(self) -> bool:
        """Whether a question is under way."""
        return self._poll is not None

    def tick(self) -> bool:
        """Ask, if it is time and no question is under way; whether it did. Returns at once."""
        now = time.monotonic()
        is_due = self._asked_at is None or now - self._asked_at >= self._interval
        if not is_due or self._poll is not None:
            return False
        self._asked_at = now
        self._poll = asyncio.create_task(self._ask())
        return True

    def reset(self) -> None:
        """Forget the snapshot; an answer that is still to come is dropped, and the next tick asks at once."""
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.cancel()
        self._snapshot = None
        self._asked_at = None

    def get_snapshot_copy(self) -> T | None:
        """A copy of the latest answer; None before the first one."""
        return None if self._snapshot is None else self._policy.clone(self._snapshot)

    async def close(self) -> None:
        """:meth:`reset`, and wait until nothing is under way."""
        poll = self._poll
        self.reset()
        if poll is not None:
            await asyncio.gather(poll, return_exceptions=True)

    async def _ask(self) -> None:
        try:
            snapshot = await self._policy.fetch()
        except Exception as error:  # noqa: BLE001 - whatever it is, the policy is told
            if self._end_poll():
                call_guarded(functools.partial(self._policy.on_error, error))
        except asyncio.CancelledError:
            self._end_poll()
            raise
        else:
            if self._end_poll() and snapshot != self._snapshot:
                self._snapshot = snapshot
                call_guarded(functools.partial(self._policy.on_snapshot, self._policy.clone(snapshot)))

    def _end_poll(self) -> bool:
        """Whether the answer counts: after a reset, that of a fetch which does not hear a cancel does not."""
        counts = self._poll is asyncio.current_task()
        if counts:
            self._poll = None
        return counts
