"""Follows the executions of one window and hands out what is new of all of them together, a few times a second."""

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
"""A plate has two events a frame, one for its row and one for its wells."""


class _Followed(NamedTuple):
    feed: ExecutionFeed
    stack: contextlib.ExitStack


class ExecutionTracker:
    """Knows which executions go on. Used from one event loop; events come in on the client's I/O thread.

    Args:
        on_news: called with what is new, at most once in ``frame_seconds``; the first after a pause comes at once.
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
        """The executions that are followed and have not ended."""
        return tuple(self._following)

    def follow(self, client: AsyncExecutionClient, execution_id: str) -> "asyncio.Future[ExecutionSnapshot]":
        """Take in all of an execution, from its first event on, unless that is so already.

        Gives how it ends; a server that is lost meanwhile only makes it take longer. Shield it when you await it.

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
        """The server has said, when it was asked, what an execution is now."""
        followed = self._following.get(snapshot.execution_id)
        if followed is not None:
            followed.feed.learn(snapshot)
            self._notify([followed.feed.take()])

    def lose(self, execution_id: str, reason: str) -> None:
        """The server knows nothing of an execution, and nobody ever will."""
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
        """Follow nothing any more; who waits gets a ``CancelledError``."""
        if self._flush_call is not None:
            self._flush_call.cancel()
        for followed in self._following.values():
            followed.stack.close()
        self._following.clear()
        for end in self._ends.values():
            end.cancel()

    def _note(self, feed: ExecutionFeed) -> None:
        """On the I/O thread."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop was closed without a word
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
