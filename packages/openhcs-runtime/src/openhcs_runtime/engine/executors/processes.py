"""Runs wells in worker processes on this machine; if one dies, only its current well fails, and it is replaced.

Each worker has its own pipe, so it is always known which well it is processing, and it ends when this process ends.
"""

import contextlib
import multiprocessing
import os
import signal
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from openhcs_runtime.atomic import remove_leftovers
from openhcs_runtime.engine.devices.choice import RunDevices
from openhcs_runtime.engine.devices.pipe_slots import GivenBack, ParentSlots, Pipe, Wanted, WorkerDevice
from openhcs_runtime.engine.executors.budget import LOOK_AGAIN_SECONDS, MemoryBudget, memory_of
from openhcs_runtime.engine.executors.crowding import Crowding, WellAttempt
from openhcs_runtime.engine.executors.nursery import Nursery, WorkerProcess
from openhcs_runtime.engine.executors.worker import PRELOAD, Begun, EndOfRun, Leaving, Ready, Stale, WellTask, serve
from openhcs_runtime.engine.model_report import report_models
from openhcs_runtime.engine.progress import WellProgress
from openhcs_runtime.exceptions import WorkerError
from openhcs_runtime.limits import available_bytes, available_cores, oom_kills
from openhcs_runtime.pipeline.models import ModelCounts
from openhcs_runtime.pipeline.pickling import pack_job
from openhcs_runtime.pipeline.plan import Plan, PlateJob
from openhcs_runtime.results import ResultStatus, WellResult
from openhcs_runtime.viewer_target import ViewCounts
from openhcs_runtime.viewers.view_counts import OnViewed
from zmqruntime.execution import Task
from zmqruntime.identity import exit_text
from zmqruntime.messages import ProgressStatus

if TYPE_CHECKING:  # not all platforms have both
    from multiprocessing.context import ForkServerContext, SpawnContext

NANNY = "distributed.nanny"
"""Module that the workers of a local Dask cluster need in addition."""

_START_ATTEMPTS = 3
_EXIT_SECONDS = 5.0
_NEEDED_FILES = 64
"""Open files a process must be allowed to have: libraries, pipes and sockets use up to 50; with fewer they hang."""
_SPARE_FILES = 32
_DYING_SECONDS = 0.5
"""Time for a process that closed its pipe to exit with its own exit code before it is killed."""


class ProcessExecutor:
    """See ``openhcs_runtime.engine.executors.WellExecutor``; workers are kept for later runs until ``close``.

    Args:
        workers: how many wells are processed at the same time, as far as there is memory for them.
        devices: the GPUs that the workers share.
        available: returns how much memory is available.
        kills: returns how many processes the system has killed because memory ran out.
        nursery: forks the workers [default: they are started by :mod:`multiprocessing`].
    """

    def __init__(
        self,
        workers: int,
        devices: RunDevices | None = None,
        available: Callable[[], int] = available_bytes,
        kills: Callable[[], int] = oom_kills,
        nursery: Nursery | None = None,
    ) -> None:
        self._size = workers
        self._slots = ParentSlots(devices or RunDevices(), available_cores())
        self._available = available
        self._kills = kills
        self._nursery = nursery
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        weakref.finalize(self, _end_all, self._workers)

    def run(self, task: Task, job: PlateJob, plans: Sequence[Plan], on_viewed: OnViewed) -> Iterator[WellResult]:
        """Process wells; see ``WellExecutor.run``."""
        link, packed = task.link(), pack_job(job)
        waiting = deque(plans)
        budget = MemoryBudget(task, self._available)
        crowding = Crowding(task, self._size, self._kills)
        try:
            while waiting or any(worker.plan for worker in self._workers):
                while waiting and task.is_cancelled(waiting[0].well):
                    yield _cancelled(task, job, waiting.popleft())
                while waiting and (worker := self._idle_worker(budget, crowding.limit)):
                    worker.attempt = crowding.begin([other.attempt for other in self._workers if other.plan])
                    if worker.give(waiting[0], WellTask(link, packed, waiting[0])):
                        waiting.popleft()
                    else:
                        self._drop(worker)
                for worker in self._wait(LOOK_AGAIN_SECONDS if waiting and budget.is_short else None):
                    for result in self._hear(task, job, worker, waiting, on_viewed, crowding):
                        budget.note(result.peak_memory_bytes)
                        yield result
        finally:
            idle = [worker for worker in self._workers if not worker.plan and worker.ask_to_leave()]
            left = {worker: counts for worker in idle if (counts := worker.leave(on_viewed)) is not None}
            for worker in [worker for worker in self._workers if worker not in left]:
                self._drop(worker)  # a busy worker means the run was given up: nobody is waiting for its result
            report_models(task, left.values())

    def close(self) -> None:
        """End all workers; can be called more than once."""
        _end_all(self._workers)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.pid for worker in self._workers]

    def prepare(self, workers: int, devices: RunDevices) -> None:
        """Set the number of workers for the next run, and how much memory the GPUs have now; between two runs."""
        self._size = workers
        self._slots = ParentSlots(devices, available_cores())

    def end_idle(self, pids: Collection[int]) -> None:
        """End some of the workers; only between two runs."""
        for worker in [worker for worker in self._workers if worker.pid in pids]:
            self._drop(worker)

    def _idle_worker(self, budget: MemoryBudget, limit: int) -> "_Worker | None":
        busy = [worker.pid for worker in self._workers if worker.plan is not None]
        if len(busy) >= limit:
            return None
        idle = next((worker for worker in self._workers if worker.plan is None), None)
        if not budget.allows([memory_of(pid) for pid in busy], memory_of(idle.pid) if idle else 0):
            return None
        if idle is None:
            own = self._slots.device_for([worker.own.device for worker in self._workers if worker.own])
            idle = _Worker(own, self._nursery)
            self._workers.append(idle)
        return idle

    def _pipes(self) -> dict[str, Pipe]:
        return {worker.name: worker.connection for worker in self._workers}

    def _wait(self, seconds: float | None) -> "list[_Worker]":
        """Wait for busy workers that have sent a message or died, for a limited time if given, and return them."""
        busy: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers if worker.plan}
        return [busy[connection] for connection in wait(list(busy), seconds)] if busy else []

    def _hear(
        self,
        task: Task,
        job: PlateJob,
        worker: "_Worker",
        waiting: deque[Plan],
        on_viewed: OnViewed,
        crowding: Crowding,
    ) -> Iterator[WellResult]:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            message = None
        if isinstance(message, Ready):
            worker.ready = True
            self._failed_starts = 0
        elif isinstance(message, ViewCounts):
            on_viewed(worker.name, message)
        elif isinstance(message, Begun):
            worker.step = message.step
        elif isinstance(message, Wanted):
            self._slots.on_wanted(worker.name, message, self._pipes())
        elif isinstance(message, GivenBack):
            self._slots.on_given_back(worker.name, self._pipes())
        elif isinstance(message, Leaving):
            worker.leaving = True
        elif isinstance(message, Stale) and worker.plan is not None:
            task.log.info("a worker process is replaced by a new one: %s", message.reason)
            waiting.appendleft(worker.plan)
            worker.plan = None
            self._drop(worker)
        elif isinstance(message, WellResult):
            worker.plan = None
            if worker.leaving:
                self._drop(worker)
            yield message
        else:
            plan = worker.plan
            assert plan is not None
            code = self._drop(worker)
            remove_leftovers(Path(job.output_dir))
            is_memory = crowding.is_to_blame(code)
            if not worker.ready:
                waiting.appendleft(plan)
            elif is_memory and not worker.attempt.was_alone:
                crowding.lower(plan.title, worker.attempt, 1 + sum(other.plan is not None for other in self._workers))
                waiting.append(plan)
                self._free_memory(on_viewed)
            else:
                error = _too_large(plan) if is_memory else _ended_unexpectedly(plan, code)
                yield _lost(task, job, plan, error, worker.step)

    def _free_memory(self, on_viewed: OnViewed) -> None:
        """End the idle workers, which may hold memory that their last well needed."""
        for worker in [worker for worker in self._workers if worker.plan is None]:
            if worker.ask_to_leave():
                worker.leave(on_viewed)
            self._drop(worker)

    def _drop(self, worker: "_Worker") -> int | None:
        """Remove a worker.

        Raises:
            WorkerError: workers keep dying before they are ready.
        """
        self._workers.remove(worker)
        name = worker.name
        was_busy, code = worker.plan is not None, worker.end()
        self._slots.on_given_back(name, self._pipes())
        if not worker.ready and was_busy:
            self._failed_starts += 1
        if self._failed_starts >= _START_ATTEMPTS:
            self._failed_starts = 0
            why = few_files() or (
                ". In a script, the code that runs the pipeline must be inside 'if __name__ == \"__main__\":'; or use "
                "mode 'threads'"
            )
            raise WorkerError(f"worker processes exit during start-up ({exit_text(code)}){why}")
        return code


class _Worker:
    """One worker process with its pipe and GPU; ``plan`` is the well it is processing, ``step`` the current step."""

    def __init__(self, own: WorkerDevice | None = None, nursery: Nursery | None = None) -> None:
        self.own = own
        limit = _limit_of_files()
        if limit is not None and limit < _NEEDED_FILES:
            raise WorkerError(f"can't start a worker process{few_files()}")
        try:
            self.connection, theirs = multiprocessing.Pipe()
        except OSError as error:
            raise WorkerError(f"can't start a worker process: {error}{few_files()}") from error
        self.plan: Plan | None = None
        self.attempt = WellAttempt()
        self.step = ""
        self.ready = False
        self.leaving = False
        try:
            self.process = _start(theirs, own, nursery)
        except (OSError, EOFError) as error:
            self.connection.close()
            raise WorkerError(f"can't start a worker process: {error}{few_files()}") from error
        finally:
            theirs.close()

    def give(self, plan: Plan, work: WellTask) -> bool:
        """Send a well to the worker; return False if the process is gone."""
        self.plan, self.step = plan, ""
        try:
            self.connection.send(work)
        except OSError:
            return False
        return True

    def ask_to_leave(self) -> bool:
        """Ask an idle worker to leave the task of the run that is ending; return False if the process is gone."""
        try:
            self.connection.send(EndOfRun())
        except OSError:
            return False
        return True

    @property
    def pid(self) -> int:
        """Id of the process."""
        assert self.process.pid is not None
        return self.process.pid

    @property
    def name(self) -> str:
        """A name that is unique among the workers of this process."""
        return str(self.pid)

    def leave(self, on_viewed: OnViewed) -> ModelCounts | None:
        """Wait until the worker has left the task; return None if it does not answer."""
        try:
            while self.connection.poll(_EXIT_SECONDS):
                message = self.connection.recv()
                if not isinstance(message, ViewCounts):
                    return message.models if isinstance(message, Ready) else None
                on_viewed(self.name, message)
        except (EOFError, OSError):
            pass
        return None

    def end(self) -> int | None:
        """End the process, by force if necessary; return its exit code (negative: the signal)."""
        self.connection.close()
        if self.plan is not None:
            self.process.join(_DYING_SECONDS)
            self._kill()
        self.process.join(_EXIT_SECONDS)
        if self.process.exitcode is None:
            self._kill()
            self.process.join()
        code = self.process.exitcode
        self.process.close()
        return code

    def _kill(self) -> None:
        """Kill the process with everything its functions started."""
        pid = self.process.pid
        self.process.kill()
        if pid is not None and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


def _start(connection: Pipe, own: WorkerDevice | None, nursery: Nursery | None) -> WorkerProcess:
    """Fork a worker from the nursery or, where there is none or it can't, start one by :mod:`multiprocessing`."""
    if nursery is not None:
        with contextlib.suppress(OSError):
            return nursery.fork(connection, own)
    process = _context().Process(target=serve, args=(connection, own), name="openhcs-worker", daemon=True)
    process.start()
    return process


def few_files() -> str:
    """Return a remedy if the limit of open files keeps processes from starting; otherwise empty."""
    limit = _limit_of_files()
    if limit is None:
        return ""
    with contextlib.suppress(psutil.Error, AttributeError):
        if limit < _NEEDED_FILES or limit - psutil.Process().num_fds() < _SPARE_FILES:
            return f" (a process may only have {limit} open files: raise that limit, 'ulimit -n 1024')"
    return ""


def _limit_of_files() -> int | None:
    """Return how many files this process may have open; None if there is no limit or it is not known."""
    try:
        import resource  # noqa: PLC0415  not on all platforms
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def warm_up(*modules: str) -> None:
    """Start importing in the background what worker processes need; returns immediately.

    Does nothing on platforms without a fork server.

    Args:
        *modules: additional modules.
    """
    if start_method() == "forkserver":
        multiprocessing.get_context("forkserver").set_forkserver_preload([PRELOAD, *modules])
        forkserver.ensure_running()


def start_method() -> Literal["forkserver", "spawn"]:
    """Return how worker processes are started; never a plain fork, which copies locks held by other threads."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def _context() -> "SpawnContext | ForkServerContext":
    if start_method() == "spawn":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    return context


def _end_all(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.connection.close()
    while workers:
        workers.pop().end()


def _cancelled(task: Task, job: PlateJob, plan: Plan) -> WellResult:
    """Return the result of a well that was not begun."""
    WellProgress(task, plan.well, [step.name for step in job.steps]).ended(ProgressStatus.CANCELLED)
    return WellResult(well=plan.well, status=ResultStatus.CANCELLED)


def _ended_unexpectedly(plan: Plan, code: int | None) -> str:
    return f"the worker process of {plan.title} ended unexpectedly ({exit_text(code)})"


def _too_large(plan: Plan) -> str:
    return (
        f"the system killed the worker process of {plan.title}, which ran alone, because the machine had no memory "
        "left for it: give the functions fewer images per stack, or use a machine with more memory"
    )


def _lost(task: Task, job: PlateJob, plan: Plan, error: str, step: str) -> WellResult:
    """Return the result of a well whose worker process died."""
    WellProgress(task, plan.well, [step.name for step in job.steps]).ended(ProgressStatus.ERROR, error=error)
    return WellResult(well=plan.well, status=ResultStatus.FAILED, error=error, step=step)
