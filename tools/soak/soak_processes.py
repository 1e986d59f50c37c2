"""The processes of a soak: whose they are, what they hold together, and what none of them should have left."""

import contextlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import psutil
import soak_measures
from soak_measures import Role, Sample

__all__ = ["HEADER", "MARK", "Look", "Roots", "abandoned", "look", "orphans", "others", "tree", "until"]

MARK = "ZMQRUNTIME_SOAK"
"""In the environment of every process of ours, so that no other one is ever touched."""
HEADER = (
    f"{'':22} {'MB':>7} {'MB':>7} {'MB':>7} {'MB':>7} {'MB':>7}\n"
    f"{'time':>6} {'plate':>5} {'took':>6}   "
    + " ".join(f"{role:>7}" for role in Role)
    + f" {'descr.':>6} {'threads':>7} {'shm MB':>6}  run by  what happened"
)


@dataclass(frozen=True, slots=True)
class Roots:
    """The processes that the others descend from; None where there is none now."""

    server: int | None
    viewer: int | None
    window: int | None

    def members(self) -> Iterator[tuple[Role, psutil.Process]]:
        """All that belongs to the soak, each once: a server that the window has started is still no part of it."""
        yield Role.OWN, psutil.Process()
        known = set()
        for place, process in enumerate(tree(self.server)):
            known.add(process.pid)
            yield Role.WORKER if place else Role.SERVER, process
        for role, pid in ((Role.VIEWER, self.viewer), (Role.WINDOW, self.window)):
            for process in tree(pid):
                if process.pid not in known:
                    yield role, process


@dataclass(frozen=True, slots=True)
class Look:
    """All processes after one plate."""

    samples: tuple[Sample, ...]
    shared: int
    """Bytes in shared memory."""

    def __str__(self) -> str:
        memory: defaultdict[Role, int] = defaultdict(int)
        for sample in self.samples:
            memory[sample.role] += sample.memory
        columns = " ".join(f"{memory[role] / 1e6:7.1f}" if role in memory else f"{'-':>7}" for role in Role)
        descriptors, threads = (sum(getattr(one, name) for one in self.samples) for name in ("descriptors", "threads"))
        return f"{columns} {descriptors:6} {threads:7} {self.shared / 1e6:6.1f}"


def look(plate: int, roots: Roots, pids: Iterable[int]) -> Look:
    """Measure all of them, and the shared memory of these processes, be they there or not."""
    samples = tuple(sample for role, process in roots.members() for sample in _try(plate, role, process))
    return Look(samples, sum(soak_measures.segments(pids).values()))


def others() -> list[psutil.Process]:
    """All processes of the soak but this one."""
    marked = soak_measures.marked_processes(MARK, os.environ[MARK])
    return [process for process in marked if process.pid != os.getpid()]


def orphans(roots: Roots) -> list[psutil.Process]:
    """Those that descend from none of the roots."""
    known = {process.pid for _, process in roots.members()}
    return [process for process in others() if process.pid not in known]


def abandoned(pids: Iterable[int]) -> list[str]:
    """The segments of shared memory of those of these processes that have ended."""
    found = soak_measures.segments(pids)
    return [name for name in found if not psutil.pid_exists(int(name.split("-")[1]))]


def tree(pid: int | None) -> list[psutil.Process]:
    """A process and its descendants; nothing of one that has ended."""
    if pid is None:
        return []
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds that nothing tells of; whether it does."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        threading.Event().wait(0.1)
    return holds


def _try(plate: int, role: Role, process: psutil.Process) -> list[Sample]:
    """A sample; none of a process that has just ended."""
    with contextlib.suppress(psutil.Error):
        return [soak_measures.take(plate, role, process)]
    return []
