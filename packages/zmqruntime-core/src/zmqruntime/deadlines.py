"""Waiting until a deadline in a process that may be suspended meanwhile: anything that arrived in time still counts."""

import concurrent.futures
import math
import numbers
import threading
import time
from typing import TypeVar

__all__ = ["LISTEN_SECONDS", "checked_seconds", "result_within", "was_stopped"]

_OVERSLEPT_SECONDS = 0.1
LISTEN_SECONDS = 1.0

ResultT = TypeVar("ResultT")


def checked_seconds(seconds: float, name: str) -> float:
    """Return a caller's number of seconds, at most as many as a thread can wait.

    Args:
        seconds: the number.
        name: what the caller calls it.

    Raises:
        TypeError: it is not a number.
        ValueError: it is NaN.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, numbers.Real):
        raise TypeError(f"{name} is a number of seconds, not {seconds!r}: write {name}=3.0")
    if math.isnan(seconds):
        raise ValueError(f"{name} is a number of seconds, not NaN: write {name}=3.0")
    return min(float(seconds), threading.TIMEOUT_MAX)


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
