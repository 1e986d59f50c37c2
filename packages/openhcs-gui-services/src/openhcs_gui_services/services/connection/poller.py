"""Polls a value at intervals: one request at a time, and never a result from before a reset."""

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
    """How to fetch a value and what to call with it; all methods are called on the event loop's thread."""

    def fetch(self) -> Awaitable[T]:
        """Fetch the value once; exceptions are passed to :meth:`on_error`."""

    def clone(self, snapshot: T, /) -> T:
        """Return a copy that the caller may change."""

    def on_snapshot(self, snapshot: T, /) -> None:
        """Handle a value that differs from the previous one; exceptions are logged."""

    def on_error(self, error: Exception, /) -> None:
        """Handle a failed fetch; the previous value is kept. Exceptions are logged."""


def _ignore(value: object) -> None:
    """Default hook: does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackIntervalSnapshotPollerPolicy(Generic[T]):
    """A policy built from callables; see :class:`IntervalSnapshotPollerPolicy`."""

    fetch: Callable[[], Awaitable[T]]
    clone: Callable[[T], T] = copy.deepcopy
    on_snapshot: Callable[[T], None] = _ignore
    on_error: Callable[[Exception], None] = _ignore


class IntervalSnapshotPoller(Generic[T]):
    """Fetches a value when :meth:`tick` is called, but at most once per interval.

    It has no timer of its own: the code that shows the value knows when it has to be fresh. Belongs to one event loop.

    Args:
        policy: how to fetch the value and what to call with it.
        interval_seconds: minimum time from the start of one fetch to the start of the next.

    Raises:
        ConfigurationError: the interval is negative.
    """

    def __init__(self, policy: IntervalSnapshotPollerPolicy[T], *, interval_seconds: float = 1.0) -> None:
        if not interval_seconds >= 0:
            raise ConfigurationError(f"interval_seconds must be 0 or greater, got {interval_seconds}")
        self._policy = policy
        self._interval = interval_seconds
        self._asked_at: float | None = None
        self._poll: asyncio.Task[None] | None = None
        self._snapshot: T | None = None

    @property
    def is_polling(self) -> bool:
        """Whether a fetch is in progress."""
        return self._poll is not None

    def tick(self) -> bool:
        """Start a fetch if the interval has passed and no fetch is in progress; returns immediately.

        Returns:
            Whether a fetch was started.
        """
        now = time.monotonic()
        is_due = self._asked_at is None or now - self._asked_at >= self._interval
        if not is_due or self._poll is not None:
            return False
        self._asked_at = now
        self._poll = asyncio.create_task(self._ask())
        return True

    def reset(self) -> None:
        """Discard the snapshot and the result of a fetch in progress; the next tick fetches immediately."""
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.cancel()
        self._snapshot = None
        self._asked_at = None

    def get_snapshot_copy(self) -> T | None:
        """Return a copy of the latest value; None before the first one."""
        return None if self._snapshot is None else self._policy.clone(self._snapshot)

    async def close(self) -> None:
        """Call :meth:`reset` and wait until no fetch is in progress."""
        poll = self._poll
        self.reset()
        if poll is not None:
            await asyncio.gather(poll, return_exceptions=True)

    async def _ask(self) -> None:
        try:
            snapshot = await self._policy.fetch()
        except Exception as error:  # noqa: BLE001 - every error is passed to the policy
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
        """Return whether the result is valid; after a reset, that of a fetch that ignored its cancellation is not."""
        counts = self._poll is asyncio.current_task()
        if counts:
            self._poll = None
        return counts
