"""Worker processes that stay ready between the runs of a process, so that what they have loaded is loaded once.

A server's worker owns one ``KeptWorkers``. Between two runs its processes are ended after some minutes, when one of
them holds too much memory, and when the machine is short of memory.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from openhcs_runtime.engine.devices.choice import RunDevices
from openhcs_runtime.engine.executors.budget import memory_of
from openhcs_runtime.engine.executors.nursery import Nursery
from openhcs_runtime.engine.executors.processes import ProcessExecutor
from openhcs_runtime.exceptions import WorkerError
from openhcs_runtime.limits import available_bytes, bytes_of, total_bytes
from openhcs_runtime.pipeline.plan import CompiledPlate, Plan, PlateJob
from openhcs_runtime.results import WellResult
from openhcs_runtime.viewers.view_counts import OnViewed
from zmqruntime.execution import Task

__all__ = ["KEEP_MEMORY", "KEEP_SECONDS", "KeepLimits", "KeptWorkers"]

KEEP_SECONDS = "OPENHCS_KEEP_SECONDS"
"""Environment variable: how long workers stay ready after a run."""
KEEP_MEMORY = "OPENHCS_KEEP_MEMORY"
"""Environment variable: how much memory a worker may hold between runs."""

_DEFAULT_SECONDS = 600.0
_DEFAULT_SHARE = 0.25
"""Part of the memory that all kept workers of a run may hold together, by default."""
_SPARE_SHARE = 0.1
"""Kept workers are ended if less than this part of the memory is available."""
_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class KeepLimits:
    """How long workers are kept after a run, and how much memory each may hold.

    Attributes:
        seconds: time after a run; 0 keeps no workers.
        worker_bytes: memory of one worker; None for its share of a quarter of the machine's memory.
    """

    seconds: float = _DEFAULT_SECONDS
    worker_bytes: int | None = None

    @classmethod
    def from_environment(cls) -> "KeepLimits":
        """Return the limits set by environment variables.

        Raises:
            WorkerError: a variable has a value that can't be used.
        """
        seconds, memory = os.environ.get(KEEP_SECONDS, ""), os.environ.get(KEEP_MEMORY, "")
        try:
            worker_bytes = bytes_of(memory) if memory else None
        except ValueError as error:
            raise WorkerError(f"environment variable {KEEP_MEMORY}: {error}") from None
        return cls(_seconds_of(seconds) if seconds else _DEFAULT_SECONDS, worker_bytes)


@dataclass(frozen=True, slots=True)
class _Basis:
    """The code that workers load from the user's files, and the GPUs that they see; other workers are not used."""

    modules_dir: str
    modules: frozenset[tuple[str, str, str]]
    devices: RunDevices

    @classmethod
    def of(cls, compiled: CompiledPlate, devices: RunDevices) -> "_Basis":
        """Return the code of a pipeline; its file is not part of it, as each text of it is a module of its own."""
        modules = frozenset((module.name, module.path, module.digest) for module in compiled.modules)
        return cls(compiled.job.modules_dir, modules, devices)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Workers that wait for the next run."""

    workers: ProcessExecutor
    basis: _Basis
    until: float


class KeptWorkers:
    """Lends worker processes to one run after the other. Thread-safe; at most the workers of one run are kept.

    Args:
        limits: returns the limits; called for each run.
        available: returns how much memory is available.
        nursery: forks the workers [default: they are started by :mod:`multiprocessing`].
    """

    def __init__(
        self,
        limits: Callable[[], KeepLimits] = KeepLimits.from_environment,
        available: Callable[[], int] = available_bytes,
        nursery: Nursery | None = None,
    ) -> None:
        self.nursery = nursery
        self._limits = limits
        self._available = available
        self._changed = threading.Condition()
        self._kept: _Kept | None = None
        self._watcher: threading.Thread | None = None
        self._is_closed = False

    def executor(self, compiled: CompiledPlate, devices: RunDevices | None = None) -> "LentWorkers":
        """Return an executor for a run of a compiled pipeline in worker processes that share these GPUs."""
        return LentWorkers(self, compiled.workers, _Basis.of(compiled, devices or RunDevices()))

    def take(self, size: int, basis: _Basis) -> ProcessExecutor:
        """Lend workers until ``give_back``; new ones if none are kept or these have another basis."""
        with self._changed:
            kept, self._kept = self._kept, None
            self._changed.notify_all()
        if kept is not None and kept.basis == basis:
            kept.workers.prepare(size, basis.devices)
            return kept.workers
        if kept is not None:
            kept.workers.close()
        return ProcessExecutor(size, basis.devices, nursery=self.nursery)

    def give_back(self, workers: ProcessExecutor, basis: _Basis, limits: KeepLimits) -> None:
        """Keep workers for the next run, as far as the limits allow."""
        workers.end_idle(_too_large(workers.pids, limits))
        kept = _Kept(workers, basis, time.monotonic() + limits.seconds)
        with self._changed:
            stays = not (self._is_closed or limits.seconds == 0 or self._kept is not None) and bool(workers.pids)
            if stays:
                self._kept = kept
                self._watcher = threading.Thread(
                    target=self._watch, args=(kept,), name="openhcs-kept-workers", daemon=True
                )
                self._watcher.start()
        if not stays:
            workers.close()

    def close(self) -> None:
        """End all kept workers; can be called more than once. Workers that are lent end when they are given back."""
        with self._changed:
            self._is_closed = True
            kept, self._kept, watcher = self._kept, None, self._watcher
            self._changed.notify_all()
        if kept is not None:
            kept.workers.close()
        if watcher is not None:
            watcher.join()

    @property
    def pids(self) -> list[int]:
        """Process ids of the kept workers."""
        with self._changed:
            return [] if self._kept is None else self._kept.workers.pids

    def read_limits(self) -> KeepLimits:
        """Return the limits for a run.

        Raises:
            WorkerError: they can't be used.
        """
        return self._limits()

    def _watch(self, kept: _Kept) -> None:
        """End the workers when their time is over or memory is short, unless they are taken before that."""
        spare = total_bytes() * _SPARE_SHARE
        with self._changed:
            while self._kept is kept:
                left = kept.until - time.monotonic()
                if left <= 0 or self._available() < spare:
                    self._kept = None
                    break
                self._changed.wait(min(left, _LOOK_SECONDS))
            else:
                return
        kept.workers.close()


class LentWorkers:
    """See ``openhcs_runtime.engine.executors.WellExecutor``; the workers are returned at the end of each run."""

    def __init__(self, kept: KeptWorkers, size: int, basis: _Basis) -> None:
        self._kept = kept
        self._size = size
        self._basis = basis

    def run(self, task: Task, job: PlateJob, plans: Sequence[Plan], on_viewed: OnViewed) -> Iterator[WellResult]:
        """Process wells; see ``WellExecutor.run``."""
        limits = self._kept.read_limits()
        workers = self._kept.take(self._size, self._basis)
        try:
            yield from workers.run(task, job, plans, on_viewed)
        finally:
            self._kept.give_back(workers, self._basis, limits)

    def close(self) -> None:
        """Do nothing, as the workers have been returned."""


def _too_large(pids: Sequence[int], limits: KeepLimits) -> list[int]:
    """Return the processes that hold more memory than a kept worker may."""
    most = limits.worker_bytes
    if most is None:
        most = int(total_bytes() * _DEFAULT_SHARE / max(1, len(pids)))
    return [pid for pid in pids if memory_of(pid) > most]


def _seconds_of(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < threading.TIMEOUT_MAX:
        raise WorkerError(
            f"environment variable {KEEP_SECONDS}: {text!r} is not a number of seconds: set it to 600, or to 0 so that "
            "workers end with their run"
        )
    return seconds
