"""Waiting until a deadline, in a process that may be stopped meanwhile: what came in time must still be heard."""

import concurrent.futures
import time
from typing import TypeVar

__all__ = ["LISTEN_SECONDS", "result_within", "was_stopped"]

_OVERSLEPT_SECONDS = 0.1
LISTEN_SECONDS = 1.0

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
        if not was_stopped(deadline):
            raise
        return future.result(LISTEN_SECONDS)


def was_stopped(deadline: float) -> bool:
    """Whether this process woke so long after a monotonic deadline that it was stopped meanwhile."""
    return time.monotonic() - deadline > _OVERSLEPT_SECONDS
