"""Measures the processes of a server and its workers (CPU, memory, age), and kills servers."""

import contextlib
import enum
import os
import time
from collections.abc import Mapping

import psutil

from openhcs_gui_services.exceptions import NotOurServerError
from openhcs_gui_services.services.servers.nodes import ProcessFigures, WorkerNode
from zmqruntime.identity import ProcessIdentity
from zmqruntime.messages import PongResponse

__all__ = ["ProcessMeter", "identity_of", "is_proven_ours", "kill_server"]

_END_SECONDS = 5.0


class _Role(enum.Enum):
    TASKS = enum.auto()
    FORKED_WELLS = enum.auto()
    SPAWNED_WELLS = enum.auto()
    HELPER = enum.auto()
    OTHER = enum.auto()


# Parts of the command lines of processes that a server starts.
_MARKS = (
    ("zmqruntime.execution.workers.main", _Role.TASKS),
    ("multiprocessing.resource_tracker", _Role.HELPER),
    ("multiprocessing.forkserver", _Role.FORKED_WELLS),
    ("multiprocessing.spawn", _Role.SPAWNED_WELLS),
)
_TITLES = {
    _Role.TASKS: "Task worker",
    _Role.FORKED_WELLS: "Well worker",
    _Role.SPAWNED_WELLS: "Well worker",
    _Role.OTHER: "Process",
}


class ProcessMeter:
    """Measures a server's process and its descendants repeatedly; use it from one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}

    def look(self, pong: PongResponse) -> tuple[ProcessFigures | None, tuple[WorkerNode, ...]]:
        """Measure the processes once.

        Args:
            pong: the last reply of the server.

        Returns:
            The measurements of the server's own process, None if it has ended, and its workers, sorted by pid.
        """
        if not identity_of(pong).is_running():
            return None, ()
        try:
            root = psutil.Process(pong.pid)
            family = [root, *root.children(recursive=True)]
        except psutil.Error:
            return None, ()
        # An object from the previous call is reused: it knows since when to count CPU time.
        self._known = {process.pid: process for process in (self._kept(process) for process in family)}
        figures = {pid: found for pid, process in self._known.items() if (found := _figures(process))}
        # Determined each time: between fork and exec a process looks like its parent.
        roles = {pid: _role_of(process) for pid, process in self._known.items()}
        parents = {pid: _parent_of(process) for pid, process in self._known.items()}
        roles = {pid: _role_in_family(pid, roles, parents) for pid in roles}
        workers = [
            WorkerNode(f"{_TITLES[roles[pid]]} {pid}", figures[pid])
            for pid in sorted(roles)
            if pid in figures and pid != pong.pid and _does_work(pid, roles, parents)
        ]
        return figures.get(pong.pid), tuple(workers)

    def _kept(self, process: psutil.Process) -> psutil.Process:
        old = self._known.get(process.pid)
        return old if old is not None and old == process else process


def _role_in_family(pid: int, roles: Mapping[int, _Role], parents: Mapping[int, int]) -> _Role:
    """Tell copies of a task worker by their place below its guard: the one that forks wells, and the wells."""
    depth, parent = 0, parents[pid]
    while roles[pid] is _Role.TASKS and roles.get(parent) is _Role.TASKS:
        depth, parent = depth + 1, parents[parent]
    if depth < 2:
        return roles[pid]
    return _Role.HELPER if depth == 2 else _Role.SPAWNED_WELLS


def _does_work(pid: int, roles: Mapping[int, _Role], parents: Mapping[int, int]) -> bool:
    """Return False for processes that only wait: the guard of a task worker and the parent of forked workers."""
    match roles[pid]:
        case _Role.HELPER:
            return False
        case _Role.TASKS:
            return not any(parent == pid and roles[child] is _Role.TASKS for child, parent in parents.items())
        case _Role.FORKED_WELLS:
            return roles.get(parents[pid]) is _Role.FORKED_WELLS
        case _Role.SPAWNED_WELLS | _Role.OTHER:
            return True


def identity_of(pong: PongResponse) -> ProcessIdentity:
    """Return the identity of the process that sent a reply."""
    return ProcessIdentity(pong.pid, pong.process_start)


def is_proven_ours(pong: PongResponse) -> bool:
    """Return whether the process that sent a reply is still running (and not just its pid) and belongs to this user."""
    if not identity_of(pong).is_running():
        return False
    try:
        process = psutil.Process(pong.pid)
        return os.name != "posix" or process.uids().real == os.getuid()
    except psutil.Error:
        return False


def kill_server(pong: PongResponse, timeout: float = _END_SECONDS) -> bool:
    """Kill the process that sent a reply, and its descendants.

    Args:
        pong: the last reply of the server.
        timeout: how long to wait for the process to exit, in seconds.

    Returns:
        Whether the process has exited.

    Raises:
        NotOurServerError: the process can't be proven to be a server of this user; nothing was killed.
    """
    try:
        root = psutil.Process(pong.pid)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        family = []
    # Checked after the process objects were created: psutil doesn't signal a pid that has been reused.
    if not family or not is_proven_ours(pong):
        raise NotOurServerError(f"process {pong.pid} is not the server that replied before; it was left alone")
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return identity_of(pong).wait(timeout)


def _figures(process: psutil.Process) -> ProcessFigures | None:
    try:
        with process.oneshot():
            age = max(0.0, time.time() - process.create_time())
            return ProcessFigures(process.pid, process.cpu_percent(None), process.memory_info().rss, age)
    except psutil.Error:
        return None


def _role_of(process: psutil.Process) -> _Role:
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return _Role.OTHER
    return next((role for mark, role in _MARKS if mark in line), _Role.OTHER)


def _parent_of(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.Error:
        return 0
