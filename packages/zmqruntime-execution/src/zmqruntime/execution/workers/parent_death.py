"""Ending a process when its parent process ends."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading

__all__ = ["die_with_parent"]

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent() -> None:
    """Make sure that this process is killed when its parent ends for any reason.

    Call it at the start of a worker or pool process. On Linux the kernel does it, even while the process holds the
    interpreter lock; elsewhere a thread does, for processes of :mod:`multiprocessing`.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), name="parent-watch", daemon=True).start()


def _exit_after(parent: "multiprocessing.process.BaseProcess") -> None:
    parent.join()
    os._exit(1)
