"""Waiting for a condition in a way that Ctrl-C ends on every platform."""

import sys
import threading
import time
from collections.abc import Callable

__all__ = ["wait", "wait_for"]

# On Windows, Ctrl-C does not interrupt a thread that waits for a lock: it is seen when the wait ends.
_LONGEST_SECONDS = 0.2 if sys.platform == "win32" else None


def wait(changed: threading.Condition, seconds: float | None) -> bool:
    """Wait for a notification; return False if there was none within ``seconds``. The condition must be held."""
    if _LONGEST_SECONDS is None:
        return changed.wait(seconds)
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        left = _LONGEST_SECONDS if deadline is None else min(_LONGEST_SECONDS, deadline - time.monotonic())
        if changed.wait(max(0.0, left)):
            return True
        if deadline is not None and time.monotonic() >= deadline:
            return False


def wait_for(changed: threading.Condition, is_met: Callable[[], bool], seconds: float | None) -> bool:
    """Wait until ``is_met`` returns True; return False if it does not in time. The condition must be held."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while not is_met():
        if not wait(changed, None if deadline is None else deadline - time.monotonic()):
            return is_met()
    return True
