"""A process from which workers are forked: itself forked from this one, as long as this one had a single thread.

What this process had loaded by then is not loaded a second time, and its memory is shared. Worker processes can't be
forked from this process later, because locks that other threads hold at that moment would stay locked in the copy.
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NoReturn, Protocol, cast

import msgspec

from openhcs_runtime.engine.devices.pipe_slots import Pipe, WorkerDevice
from openhcs_runtime.engine.executors.worker import PRELOAD, serve
from zmqruntime.execution import die_with_parent

__all__ = ["Nursery", "WorkerProcess"]

_MOST_BYTES = 64 * 1024
_DESCRIPTORS = 4
_FIRST = 3  # after standard input, output and error


class WorkerProcess(Protocol):
    """What the executor needs of a worker process; processes of :mod:`multiprocessing` have it."""

    @property
    def pid(self) -> int | None:
        """Id of the process."""

    @property
    def exitcode(self) -> int | None:
        """How it ended (negative: the signal); None while it is running."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""

    def kill(self) -> None:
        """Kill it, if it is running."""

    def close(self) -> None:
        """Release what belongs to it, after its end."""


class _Place(msgspec.Struct, frozen=True):
    """What a worker has in common with the process that asks for it, as it is at that moment.

    Attributes:
        own: The only GPU that the worker sees.
        path: Where it finds modules.
        folder: Its working folder.
    """

    own: WorkerDevice | None
    path: list[str]
    folder: str

    @classmethod
    def here(cls, own: WorkerDevice | None) -> "_Place":
        return cls(own, list(sys.path), os.getcwd())

    def enter(self) -> None:
        sys.path[:] = self.path
        os.chdir(self.folder)


class Nursery:
    """Forks workers on request; ends with this process."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._lock = threading.Lock()

    @classmethod
    def begin(cls, *modules: str) -> "Nursery | None":
        """Fork it; return None if this process has several threads, or the platform starts all processes anew.

        Args:
            *modules: what it imports before it forks workers, in addition to what this process has loaded.
        """
        if threading.active_count() > 1 or "forkserver" not in multiprocessing.get_all_start_methods():
            return None
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            ours.detach()
            _keep_only(theirs)
            _run(theirs, modules)
        theirs.close()
        return cls(ours)

    def fork(self, connection: Pipe, own: WorkerDevice | None) -> WorkerProcess:
        """Start a worker.

        Args:
            connection: its end of the pipe; still to be closed here.
            own: the only GPU that it sees.

        Raises:
            OSError: no process can be started, or the nursery has ended.
        """
        told, tell = multiprocessing.Pipe(duplex=False)
        descriptors = [connection.fileno(), tell.fileno(), 1, 2]
        try:
            with self._lock, tell:
                socket.send_fds(self._requests, [msgspec.msgpack.encode(_Place.here(own))], descriptors)
            found = told.recv()
        except EOFError:
            told.close()
            raise OSError("the process that workers are forked from has ended") from None
        except BaseException:
            told.close()
            raise
        if isinstance(found, OSError):
            told.close()
            raise found
        return _Forked(cast("int", found), told)


class _Forked:
    """A worker that the nursery has forked; the nursery tells how it ended."""

    def __init__(self, pid: int, told: Pipe) -> None:
        self.pid = pid
        self._told = told
        self._code: int | None = None

    @property
    def exitcode(self) -> int | None:
        self.join(0)
        return self._code

    def join(self, timeout: float | None = None) -> None:
        if self._code is None and self._told.poll(timeout):
            try:
                self._code = cast("int", self._told.recv())
            except (EOFError, OSError):  # the nursery was killed, which only happens to all processes of a worker
                self._code = -signal.SIGKILL

    def kill(self) -> None:
        if self.exitcode is None:
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        self._told.close()


def _keep_only(kept: socket.socket) -> None:
    """Close what belongs to the process that was forked, whose ends others wait for."""
    highest = os.sysconf("SC_OPEN_MAX")
    os.closerange(_FIRST, kept.fileno())
    os.closerange(kept.fileno() + 1, highest)


def _run(requests: socket.socket, modules: Sequence[str]) -> NoReturn:
    """Be the nursery."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        die_with_parent()
        for module in (*modules, PRELOAD):
            importlib.import_module(module)
        _serve(requests)
        code = 0
    finally:
        os._exit(code)


def _serve(requests: socket.socket) -> None:
    """Fork workers until the other end is closed, and tell how they end."""
    running: dict[int, tuple[BaseProcess, Pipe]] = {}
    while True:
        for ready in wait([requests, *running]):
            if isinstance(ready, int):
                _end(*running.pop(ready))
                continue
            data, descriptors, _, _ = socket.recv_fds(requests, _MOST_BYTES, _DESCRIPTORS)
            if not data:
                return
            connection, tell = (Connection(descriptor) for descriptor in descriptors[:2])
            others: list[socket.socket | Pipe] = [requests, tell, *(each for _, each in running.values())]
            process = _start(connection, msgspec.msgpack.decode(data, type=_Place), descriptors[2:], others)
            for descriptor in descriptors[2:]:
                os.close(descriptor)
            connection.close()
            _tell(tell, process if isinstance(process, OSError) else process.pid)
            if isinstance(process, OSError):
                tell.close()
            else:
                running[process.sentinel] = process, tell


def _start(
    connection: Pipe, place: _Place, outputs: Sequence[int], others: "Sequence[socket.socket | Pipe]"
) -> BaseProcess | OSError:
    """Fork a worker; return the error if that is not possible."""
    process = multiprocessing.get_context("fork").Process(
        target=_work, args=(connection, place, outputs, others), name="openhcs-worker", daemon=True
    )
    try:
        process.start()
    except OSError as error:
        return error
    return process


def _end(process: BaseProcess, tell: Pipe) -> None:
    """Tell how a worker has ended."""
    process.join()
    _tell(tell, process.exitcode)
    tell.close()
    process.close()


def _tell(tell: Pipe, what: object) -> None:
    """Send to the process that asked for a worker, which may no longer want to know."""
    with contextlib.suppress(OSError):
        tell.send(what)


def _work(connection: Pipe, place: _Place, outputs: Sequence[int], others: "Sequence[socket.socket | Pipe]") -> None:
    """Be a worker: with the standard output and error of the process that asked for it."""
    for other in others:
        other.close()
    for number, descriptor in enumerate(outputs, 1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    place.enter()
    serve(connection, place.own)
