"""Follows the executions of a window and passes on the news of all of them together, several times a second."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from openhcs_gui_services.services.connection.feed import ExecutionFeed
from openhcs_gui_services.services.plates.values import FeedNews
from zmqruntime.execution import AsyncExecutionClient
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

__all__ = ["FRAME_SECONDS", "ExecutionTracker"]

FRAME_SECONDS: Final = 1 / 15
"""A plate causes two events per frame, one for its row and one for its wells."""


class _Followed(NamedTuple):
    feed: ExecutionFeed
    stack: contextlib.ExitStack


class ExecutionTracker:
    """Tracks the executions that have not ended. Belongs to one event loop; events arrive on the client's I/O thread.

    Args:
        on_news: called with news, immediately after a pause and at most once per ``frame_seconds``.
        frame_seconds: minimum time between two calls.
    """

    def __init__(self, on_news: Callable[[Sequence[FeedNews]], None], frame_seconds: float = FRAME_SECONDS) -> None:
        self._on_news = on_news
        self._frame = frame_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flush_call: asyncio.TimerHandle | None = None
        self._flushed_at = float("-inf")
        self._fresh: dict[str, ExecutionFeed] = {}
        self._following: dict[str, _Followed] = {}
        self._ends: dict[str, asyncio.Future[ExecutionSnapshot]] = {}

    def live(self) -> tuple[str, ...]:
        """Return the ids of the followed executions, which have not ended."""
        return tuple(self._following)

    def follow(self, client: AsyncExecutionClient, execution_id: str) -> "asyncio.Future[ExecutionSnapshot]":
        """Follow an execution from its first event on, unless it is already followed.

        Args:
            client: a connected client.
            execution_id: id of the execution.

        Returns:
            A future with the final state; losing the server only delays it. Use ``asyncio.shield`` to await it.

        Raises:
            ClosedError: the client is not connected.
        """
        if execution_id in self._following:
            return self._ends[execution_id]
        self._loop = asyncio.get_running_loop()
        end = self._ends[execution_id] = self._loop.create_future()
        feed, stack = ExecutionFeed(execution_id, self._note), contextlib.ExitStack()
        stack.enter_context(client.client.following(execution_id, 0, feed))
        self._following[execution_id] = _Followed(feed, stack)
        return end

    def learn(self, snapshot: ExecutionSnapshot) -> None:
        """Take over the current state of an execution, as returned by the server."""
        followed = self._following.get(snapshot.execution_id)
        if followed is not None:
            followed.feed.learn(snapshot)
            self._notify([followed.feed.take()])

    def lose(self, execution_id: str, reason: str) -> None:
        """End a followed execution as interrupted, because the server no longer knows it.

        Args:
            execution_id: id of the execution.
            reason: the error to show.
        """
        self.learn(
            ExecutionSnapshot(
                execution_id=execution_id,
                plate_id="",
                status=ExecutionStatus.INTERRUPTED,
                submitted_at=0.0,
                error=reason,
            )
        )

    def close(self) -> None:
        """Stop following all executions; coroutines that wait for their ends get a ``CancelledError``."""
        if self._flush_call is not None:
            self._flush_call.cancel()
        for followed in self._following.values():
            followed.stack.close()
        self._following.clear()
        for end in self._ends.values():
            end.cancel()

    def _note(self, feed: ExecutionFeed) -> None:
        """Schedule a flush; called on the I/O thread."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop was closed without closing this tracker
            self._loop.call_soon_threadsafe(self._schedule, feed)

    def _schedule(self, feed: ExecutionFeed) -> None:
        if feed.execution_id not in self._following or self._loop is None:
            return
        self._fresh[feed.execution_id] = feed
        if self._flush_call is None:
            self._flush_call = self._loop.call_at(max(self._loop.time(), self._flushed_at + self._frame), self._flush)

    def _flush(self) -> None:
        assert self._loop is not None
        self._flush_call = None
        self._flushed_at = self._loop.time()
        feeds, self._fresh = self._fresh, {}
        self._notify([feed.take() for feed in feeds.values()])

    def _notify(self, news: Sequence[FeedNews]) -> None:
        self._on_news(news)
        for each in news:
            snapshot = each.snapshot
            if snapshot is not None and has_ended(snapshot.status, snapshot.resumable):
                self._end(snapshot)

    def _end(self, snapshot: ExecutionSnapshot) -> None:
        followed = self._following.pop(snapshot.execution_id, None)
        self._fresh.pop(snapshot.execution_id, None)
        if followed is not None:
            followed.stack.close()
            self._ends.pop(snapshot.execution_id).set_result(snapshot)
