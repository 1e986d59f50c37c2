"""Ending of orphaned processes that tasks started and that a guard could not end because it was killed itself.

The server process becomes the reaper of orphans below it (prctl(2), PR_SET_CHILD_SUBREAPER), so that a process that
left its session is still found when its parents and the guard are gone. Linux only; elsewhere nothing is found.
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Collection
from pathlib import Path

__all__ = ["adopt_orphans", "end_orphans", "started_at"]

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_START, _SESSION = 19, 3  # indexes in /proc/PID/stat after the name, from 0


def adopt_orphans() -> None:
    """Make orphaned descendants children of this process; only for processes that do nothing but serve."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans(workers: Collection[int], began: int) -> list[int]:
    """Kill orphans that became children of this process.

    Args:
        workers: Ids of worker processes, which are not orphans.
        began: Start time of the first of them in clock ticks since boot; older processes were not started by them.

    Returns:
        The ids of the killed processes.
    """
    if sys.platform != "linux" or not _adopts():
        return []
    ended: list[int] = []
    while found := [pid for pid in _children() if pid not in workers and _is_strange(pid, began)]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)  # its own children become ours now, and are found in the next round
        ended += found
    return ended


def started_at(pid: int) -> int:
    """Return the start time of a process in clock ticks since boot; 0 if it is unknown."""
    fields = _stat(pid)
    return int(fields[_START]) if fields else 0


def _adopts() -> bool:
    answer = ctypes.c_int(0)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    return bool(answer.value)


def _children() -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):
            found += map(int, Path(f"/proc/self/task/{task}/children").read_text().split())
    return found


def _is_strange(pid: int, began: int) -> bool:
    """Whether this process cannot have started it for itself: it is in another session and younger than a worker."""
    fields = _stat(pid)
    return bool(fields) and int(fields[_SESSION]) != os.getsid(0) and int(fields[_START]) >= began


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
