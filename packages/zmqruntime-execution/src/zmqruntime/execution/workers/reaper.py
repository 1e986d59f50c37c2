"""The guard: a small process between a server and each worker, so that no process of a worker outlives the worker.

The guard is the reaper of all processes that the worker's tasks start, including those that left their group or were
orphaned. It ends them when the worker ends, when the server asks for it, and when the server is gone. It holds no locks
and runs no tasks, so a task cannot prevent that.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from zmqruntime.execution.workers.descriptors import CHANNEL_CLOSED

__all__ = ["start_guarded"]

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_PATIENCE_MS = 1000.0
_LOOK_AGAIN_SECONDS = 0.001
_CUT_OFF = CHANNEL_CLOSED << 8  # as waitpid reports an exit status


def start_guarded(server_end: int) -> None:
    """Fork: return in the child, which is the worker, while this process stays behind as its guard.

    Args:
        server_end: Descriptor of our end of the socket pair; it hangs up when the server is gone.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    open_reader, open_writer = os.pipe()  # the worker only holds its end, which is closed if a task closes everything
    worker = os.fork()
    if worker == 0:
        os.close(wake_reader)
        os.close(wake_writer)
        os.close(open_reader)
        return
    os.close(open_writer)
    signal.signal(signal.SIGCHLD, _note)
    signal.signal(signal.SIGTERM, _note)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(wake_writer)
    _guard(worker, server_end, wake_reader, open_reader)


def _guard(worker: int, server_end: int, wake_reader: int, open_reader: int) -> NoReturn:
    poller = select.poll()
    poller.register(server_end, 0)  # only hang-ups, no data
    poller.register(wake_reader, select.POLLIN)
    poller.register(open_reader, 0)
    hung_up: set[int] = set()
    was_overdue = False
    status = _reap(worker)
    while status is None:
        ready = dict(poller.poll(_PATIENCE_MS if hung_up else None))
        numbers = os.read(wake_reader, 64) if wake_reader in ready else b""
        if signal.SIGTERM in numbers or not ready:
            was_overdue = not ready
            os.kill(worker, signal.SIGKILL)
        for descriptor in ready.keys() - {wake_reader}:  # a worker ends on its own, and cleans up, unless it is cut off
            poller.unregister(descriptor)
            hung_up.add(descriptor)
        status = _reap(worker)
    _end_descendants()
    _end_as(_CUT_OFF if was_overdue and hung_up == {open_reader} else status)


def _reap(worker: int) -> int | None:
    """Reap ended children, including adopted ones; return the worker's exit status if it was among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == worker:
            found = status


def _end_descendants() -> None:
    """Kill all remaining descendants. On Linux they are children of this process, or are about to become ones.

    The list of children may be incomplete while others are ending (proc(5)), so this only returns when there is nothing
    left to wait for.
    """
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            select.select([], [], [], _LOOK_AGAIN_SECONDS)


def _children() -> list[int]:
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    if own.is_file():
        return [int(pid) for pid in own.read_text().split()]
    return []


def _end_as(status: int) -> NoReturn:
    """End in the same way as the worker, so that the server can see how it ended."""
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):  # not possible, and not necessary, for SIGKILL
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)


def _note(signum: int, frame: FrameType | None) -> None:
    """Do nothing: the number of the signal arrives through the wake-up descriptor."""
