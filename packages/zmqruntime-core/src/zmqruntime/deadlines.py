"""Waiting until a deadline, in a process that may be stopped meanwhile: what came in time must still be heard."""

import concurrent.futures
import time
from typing import TypeVar

__all__ = ["reply_within", "result_within"]

_OVERSLEPT_SECONDS = 0.1
_LISTEN_SECONDS = 1.0

ResultT = TypeVar("ResultT")


def result_within(future: "concurrent.futures.Future[ResultT]", seconds: float) -> ResultT:
    """The result of ``future`` after ``seconds`` at most.

    Whoever wakes long after the deadline was stopped, or starved, or slept in a laptop that was closed. What has
    arrived since can be heard only now, so it gets a moment for that.

    Raises:
        TimeoutError: there is none in time.
    """
    deadline = time.monotonic() + seconds
    try:
        return future.result(seconds)
    except TimeoutError:
        if not _was_stopped(deadline):
            raise
        return future.result(_LISTEN_SECONDS)


async def reply_within(future: "concurrent.futures.Future[ResultT]", seconds: float) -> ResultT:
    """As :func:`result_within`, on an asyncio loop; the future is cancelled when no result came."""
    import asyncio  # noqa: PLC0415 - a quarter of what an import of the package costs, for callers that have it already

    deadline = time.monotonic() + seconds
    reply = asyncio.wrap_future(future)
    try:
        await asyncio.wait({reply}, timeout=seconds)
        if not reply.done() and _was_stopped(deadline):
            await asyncio.wait({reply}, timeout=_LISTEN_SECONDS)
        if not reply.done():
            raise TimeoutError
        return await reply
    finally:
        reply.cancel()


def _was_stopped(deadline: float) -> bool:
    return time.monotonic() - deadline > _OVERSLEPT_SECONDS
