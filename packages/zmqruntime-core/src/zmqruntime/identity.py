"""Which process is which: pid with start time, so that a pid used again is never taken for the process that had it."""

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
    """A process of this machine.

    ``start`` is its start in seconds: since boot on Linux, where a change of the wall clock must not make another
    process of it, elsewhere since the epoch. Only good for comparing.
    """

    pid: int
    start: float

    @classmethod
    def current(cls) -> "ProcessIdentity":
        """This process."""
        return cls(os.getpid(), _start_of(os.getpid()))

    def is_running(self) -> bool:
        """Whether the process still runs."""
        try:
            return _start_of(self.pid) == self.start
        except ProcessLookupError:
            return False

    def wait(self, timeout: float) -> bool:
        """Wait until the process has ended; False if it still runs after ``timeout`` seconds."""
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
        """Also for a process whose parent has not waited for it, which psutil takes for running until then."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.is_running():
                poller = select.poll()
                poller.register(descriptor, select.POLLIN)
                poller.poll(timeout * 1000)
        finally:
            os.close(descriptor)


def kill_tree(pid: int) -> None:
    """Kill a child process of ours, which must not have been waited for yet, and all its descendants."""
    library = _load_psutil()
    with contextlib.suppress(library.NoSuchProcess):
        root = library.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(library.NoSuchProcess):
                process.kill()


def describe_port_holder(port: int) -> str:
    """Words for whoever listens on a TCP port of this machine, as far as the system tells."""
    library = _load_psutil()
    with contextlib.suppress(library.Error, OSError):
        for connection in library.net_connections("tcp"):
            if connection.status == library.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({library.Process(connection.pid).name()})"
    return "another program"


def _start_of(pid: int) -> float:
    """Raises ProcessLookupError when there is no such process, or only its zombie."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ProcessLookupError(f"no process {pid}") from error
        fields = stat.rpartition(")")[2].split()  # proc(5): the name in brackets may hold anything
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


def _load_psutil() -> ModuleType:
    # Loading it takes a third of a server's start, and a server that nobody asks for figures never needs it.
    return importlib.import_module("psutil")


def exit_text(code: int | None) -> str:
    """Return how a process ended, by its return code: ``exit code 1``, ``killed by SIGKILL``."""
    if code is None:
        return "no exit code"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
