"""Ends the processes of a temporary home, and removes it, when its owner has ended: python -m ... PID HOME.

It is a process of its own, because an owner that is killed can do neither.
"""

import contextlib
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from zmqruntime.frozen import module_command, module_environment

__all__ = ["HomeKeeper", "processes_of"]

_STOP_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.02
_ROUNDS = 3  # a process may have started another one while it was ended


class HomeKeeper:
    """Starts the process that looks after a home.

    Args:
        home: The home, which is removed at the end.
    """

    def __init__(self, home: Path) -> None:
        command = [*module_command(__name__), str(os.getpid()), str(home)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home.parent,
            env=module_environment(),
            start_new_session=True,
        )

    def end(self) -> None:
        """End the processes of the home, and remove it."""
        with self._process as process:  # closes the pipe, which it waits for, and waits for its end
            assert process.stdin is not None


def processes_of(home: Path) -> list[psutil.Process]:
    """Return the processes whose home this is, other than the calling one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get("HOME") == str(home):
                found.append(process)
    return found


def main(argv: Sequence[str]) -> None:
    """Wait for the end of the owner, then clean up."""
    _wait_for_end_of(int(argv[0]))
    home = Path(argv[1])
    for _ in range(_ROUNDS):
        if not (processes := processes_of(home)):
            break
        _end(processes)
    shutil.rmtree(home, ignore_errors=True)


def _wait_for_end_of(owner: int) -> None:
    """Wait until our standard input ends; on Linux also until the process ends, whose forks may hold the other end."""
    if sys.platform != "linux":
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        return
    with contextlib.suppress(ProcessLookupError):
        ended = os.pidfd_open(owner)
        if os.getppid() == owner:
            poller = select.poll()
            poller.register(ended, select.POLLIN)
            poller.register(0, select.POLLHUP)
            poller.poll()


def _end(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in _alive_after(_STOP_SECONDS, processes):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _alive_after(_STOP_SECONDS, processes)


def _alive_after(seconds: float, processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Wait for the end of processes that are not children of this one; return those that have not ended in time."""
    deadline = time.monotonic() + seconds
    while (alive := [each for each in processes if _is_alive(each)]) and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_SECONDS)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
