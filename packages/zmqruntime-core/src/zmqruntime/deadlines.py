"""Waiting until a deadline in a process that may be suspended meanwhile: anything that arrived in time still counts."""

import concurrent.futures
import time
from typing import TypeVar

__all__ = ["LISTEN_SECONDS", "result_within", "was_stopped"]

_OVERSLEPT_SECONDS = 0.1
LISTEN_SECONDS = 1.0

ResultT = TypeVar("ResultT")


def result_within(future: "concurrent.futures.Future[ResultT]", seconds: float) -> ResultT:
    """Return the result of ``future`` after waiting at most ``seconds``.

    A process that wakes up long after the deadline was suspended or starved, or its laptop was closed. Messages that
    arrived meanwhile can only be read now, so it waits a moment longer for them.

    Raises:
        TimeoutError: there is no result in time.
    """
    deadline = time.monotonic() + seconds
    try:
        return future.result(seconds)
    except TimeoutError:
        if not was_stopped(deadline):
            raise
        return future.result(LISTEN_SECONDS)


def was_stopped(deadline: float) -> bool:
    """Return whether this process woke up so long after a monotonic deadline that it must have been suspended."""
    return time.monotonic() - deadline > _OVERSLEPT_SECONDS
