"""A small process between a server and each worker, that sees to it that nothing of a worker outlives it.

It is the reaper of all that the worker's tasks start, also of processes that left their group or were orphaned, and it
ends them when the worker ends, when the server asks it to, and when the server is gone. It holds no lock and runs no
task, so nothing that a task does keeps it from that.
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

__all__ = ["start_guarded"]

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_PATIENCE_MS = 1000.0
_LOOK_AGAIN_SECONDS = 0.001


def start_guarded(server_end: int) -> None:
    """Go on in a child of this process, which itself stays behind as the guard.

    Args:
        server_end: the descriptor of our end of the socket pair; it hangs up when the server is gone.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    worker = os.fork()
    if worker == 0:
        os.close(wake_reader)
        os.close(wake_writer)
        return
    signal.signal(signal.SIGCHLD, _note)
    signal.signal(signal.SIGTERM, _note)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(wake_writer)
    _guard(worker, server_end, wake_reader)


def _guard(worker: int, server_end: int, wake_reader: int) -> NoReturn:
    poller = select.poll()
    poller.register(server_end, 0)  # no data, only that it hangs up
    poller.register(wake_reader, select.POLLIN)
    patience: float | None = None
    status = _reap(worker)
    while status is None:
        ready = dict(poller.poll(patience))
        numbers = os.read(wake_reader, 64) if wake_reader in ready else b""
        if signal.SIGTERM in numbers or not ready:
            os.kill(worker, signal.SIGKILL)
        if server_end in ready:
            poller.unregister(server_end)
            patience = _PATIENCE_MS  # an idle worker ends by itself, and tidies up
        status = _reap(worker)
    _end_descendants()
    _end_as(status)


def _reap(worker: int) -> int | None:
    """Collect ended children, adopted ones among them; the worker's exit status if it is among them."""
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
    """Kill what is left. On Linux all of it is, or in a moment becomes, a child of this process.

    The list of children may lack some while others end (proc(5)), so only the lack of anything to wait for is the end.
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
    """End the way the worker did, for the server to see."""
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):  # SIGKILL cannot be set, nor need it be
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)


def _note(signum: int, frame: FrameType | None) -> None:
    """The number of the signal arrives through the wake-up descriptor."""
