"""Process identity: pid and start time, so that a reused pid is never mistaken for the process that had it before."""

import contextlib
import importlib
import os
import select
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

__all__ = ["ProcessIdentity", "describe_port_holder", "exit_text", "kill_tree"]


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process on this machine.

    Attributes:
        pid: its process id.
        start: its start time in seconds; since boot on Linux, so that it does not depend on the wall clock, elsewhere
            since the epoch. Only meaningful for comparison.
    """

    pid: int
    start: float

    @classmethod
    def current(cls) -> "ProcessIdentity":
        """Return the identity of this process."""
        return cls(os.getpid(), _start_of(os.getpid()))

    def is_running(self) -> bool:
        """Return whether the process is still running.

        One that cannot be looked at, for example because this process has no file descriptors left, counts as running
        as long as there is a process with its id.
        """
        try:
            return _start_of(self.pid) == self.start
        except ProcessLookupError:
            return False
        except OSError:
            return _exists(self.pid)

    def wait(self, timeout: float) -> bool:
        """Wait until the process has ended; return False if it is still running after ``timeout`` seconds."""
        if sys.platform == "linux":
            self._wait_on_linux(timeout)
        else:
            library = _load_psutil()
            with contextlib.suppress(library.NoSuchProcess, library.TimeoutExpired):
                process = library.Process(self.pid)
                if self.is_running():
                    process.wait(timeout)
        return not self.is_running()

    def _wait_on_linux(self, timeout: float) -> None:
        """Wait by pidfd, which unlike psutil also recognizes a zombie as ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:  # there is no such process, or there are no descriptors left
            return
        try:
            if self.is_running():
                poller = select.poll()
                poller.register(descriptor, select.POLLIN)
                poller.poll(timeout * 1000)
        finally:
            os.close(descriptor)


def kill_tree(pid: int) -> None:
    """Kill a child process, which must not have been waited for yet, and all its descendants."""
    library = _load_psutil()
    with contextlib.suppress(library.NoSuchProcess):
        root = library.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(library.NoSuchProcess):
                process.kill()


def describe_port_holder(port: int) -> str:
    """Describe the process listening on a TCP port of this machine, if the system reveals it."""
    library = _load_psutil()
    with contextlib.suppress(library.Error, OSError):
        for connection in library.net_connections("tcp"):
            if connection.status == library.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({library.Process(connection.pid).name()})"
    return "another program"


def _start_of(pid: int) -> float:
    """Return the start time of a process in seconds.

    Raises:
        ProcessLookupError: there is no such process, or it is a zombie.
        OSError: it cannot be looked at.
    """
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError as error:
            raise ProcessLookupError(f"no process {pid}") from error
        fields = stat.rpartition(")")[2].split()  # proc(5): the name in parentheses may contain anything
        if fields[0] in "ZX":
            raise ProcessLookupError(f"process {pid} has ended")
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    library = _load_psutil()
    try:
        process = library.Process(pid)
        if process.status() == library.STATUS_ZOMBIE:
            raise ProcessLookupError(f"process {pid} has ended")
        start: float = process.create_time()
    except library.NoSuchProcess as error:
        raise ProcessLookupError(f"no process {pid}") from error
    return start


def _exists(pid: int) -> bool:
    """Return whether any process has this id; True if that cannot be found out."""
    if sys.platform == "win32":  # signal 0 is Ctrl-C there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _load_psutil() -> ModuleType:
    # Importing it takes a third of a server's start time, and most servers never need it.
    return importlib.import_module("psutil")


def exit_text(code: int | None) -> str:
    """Describe how a process ended, given its return code: ``exit code 1``, ``killed by SIGKILL``."""
    if code is None:
        return "no exit code"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
