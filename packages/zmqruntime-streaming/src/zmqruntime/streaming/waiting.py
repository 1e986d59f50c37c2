"""Waiting for a condition in a way that Ctrl-C ends on every platform."""

import sys
import threading
import time
from collections.abc import Callable

__all__ = ["wait", "wait_for"]

# On Windows, Ctrl-C does not interrupt a thread that waits for a lock: it is seen when the wait ends.
_LONGEST_SECONDS = 0.2 if sys.platform == "win32" else None


def wait(changed: threading.Condition, deadline: float | None) -> bool:
    """Wait for a notification or a short while; return False if ``deadline`` has passed. The condition must be held.

    The caller looks again at what it waits for after each return of True: a notification that falls on the end of a
    limited wait goes unnoticed.
    """
    left = None if deadline is None else deadline - time.monotonic()
    if left is not None and left <= 0:
        return False
    changed.wait(min((seconds for seconds in (left, _LONGEST_SECONDS) if seconds is not None), default=None))
    return True


def wait_for(changed: threading.Condition, is_met: Callable[[], bool], seconds: float | None) -> bool:
    """Wait until ``is_met`` returns True; return False if it does not in time. The condition must be held."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while not is_met():
        if not wait(changed, deadline):
            return False
    return True
