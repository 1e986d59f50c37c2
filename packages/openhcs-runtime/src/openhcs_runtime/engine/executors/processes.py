"""Wells in worker processes of this machine: one that dies costs the well in hand, and a new one takes its place.

Each worker has a pipe of its own, so it is always known which well it works on, and it ends when this process does.
"""

import contextlib
import multiprocessing
import os
import signal
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from openhcs_runtime.atomic import remove_leftovers
from openhcs_runtime.engine.executors.worker import PRELOAD, Begun, EndOfRun, Leaving, Ready, WellTask, serve
from openhcs_runtime.engine.progress import WellProgress
from openhcs_runtime.exceptions import WorkerError
from openhcs_runtime.pipeline.pickling import pack_job
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan
from openhcs_runtime.results import ResultStatus, WellResult
from openhcs_runtime.viewer_target import ViewCounts
from openhcs_runtime.viewers.view_counts import OnViewed
from zmqruntime.execution import Task
from zmqruntime.identity import exit_text
from zmqruntime.messages import ProgressStatus

if TYPE_CHECKING:  # not all platforms have both
    from multiprocessing.context import ForkServerContext, SpawnContext

NANNY = "distributed.nanny"
"""What the workers of a local Dask cluster need besides."""

_START_ATTEMPTS = 3
_EXIT_SECONDS = 5.0
_NEEDED_FILES = 64
"""Open files that a process must be allowed: libraries, pipes and sockets take up to 50, and with fewer they hang."""
_SPARE_FILES = 32
_DYING_SECONDS = 0.5
"""A process that closed its pipe is about to end: time for it to leave its own exit code before it is killed."""


class ProcessExecutor:
    """See `openhcs_runtime.engine.executors.WellExecutor`; workers stay for the next run until `close`."""

    def __init__(self, workers: int) -> None:
        self._size = workers
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        weakref.finalize(self, _end_all, self._workers)

    def run(self, task: Task, job: PlateJob, plans: Sequence[WellPlan], on_viewed: OnViewed) -> Iterator[WellResult]:
        """One result per plan, in the order in which they end."""
        link, packed = task.link(), pack_job(job)
        waiting = deque(plans)
        try:
            while waiting or any(worker.plan for worker in self._workers):
                while waiting and task.is_cancelled(waiting[0].well):
                    yield _cancelled(task, job, waiting.popleft())
                while waiting and (worker := self._idle_worker()):
                    if worker.give(waiting[0], WellTask(link, packed, waiting[0])):
                        waiting.popleft()
                    else:
                        self._drop(worker)
                for worker in self._wait():
                    yield from self._hear(task, job, worker, waiting, on_viewed)
        finally:
            idle = [worker for worker in self._workers if not worker.plan and worker.ask_to_leave()]
            stay = [worker for worker in idle if worker.has_left(on_viewed)]
            for worker in [worker for worker in self._workers if worker not in stay]:
                self._drop(worker)  # when busy, the run was given up: nobody awaits its result any more

    def close(self) -> None:
        """End all workers; may be called twice."""
        _end_all(self._workers)

    def _idle_worker(self) -> "_Worker | None":
        idle = next((worker for worker in self._workers if worker.plan is None), None)
        if idle is None and len(self._workers) < self._size:
            idle = _Worker()
            self._workers.append(idle)
        return idle

    def _wait(self) -> "list[_Worker]":
        """The busy workers that have something to say, be it that they have died."""
        busy: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers if worker.plan}
        return [busy[connection] for connection in wait(list(busy))] if busy else []

    def _hear(
        self, task: Task, job: PlateJob, worker: "_Worker", waiting: deque[WellPlan], on_viewed: OnViewed
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
        elif isinstance(message, Leaving):
            worker.leaving = True
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
            if worker.ready:
                yield _lost(task, job, plan, code, worker.step)
            else:
                waiting.appendleft(plan)

    def _drop(self, worker: "_Worker") -> int | None:
        """Take a worker out. Raises WorkerError when workers keep dying before they have said a word."""
        self._workers.remove(worker)
        was_busy, code = worker.plan is not None, worker.end()
        if not worker.ready and was_busy:
            self._failed_starts += 1
        if self._failed_starts >= _START_ATTEMPTS:
            self._failed_starts = 0
            why = few_files() or (
                ". A script that runs a pipeline needs 'if __name__ == \"__main__\":' around its top-level calls; or "
                "use mode 'threads'"
            )
            raise WorkerError(f"worker processes end while they start ({exit_text(code)}){why}")
        return code


class _Worker:
    """One worker process with its pipe; `plan` is the well that it works on, `step` where it is."""

    def __init__(self) -> None:
        limit = _limit_of_files()
        if limit is not None and limit < _NEEDED_FILES:
            raise WorkerError(f"no worker process can be started{few_files()}")
        context = _context()
        try:
            self.connection, theirs = context.Pipe()
        except OSError as error:
            raise WorkerError(f"no worker process can be started: {error}{few_files()}") from error
        self.process = context.Process(target=serve, args=(theirs,), name="openhcs-worker", daemon=True)
        self.plan: WellPlan | None = None
        self.step = ""
        self.ready = False
        self.leaving = False
        try:
            self.process.start()
        except (OSError, EOFError) as error:
            self.connection.close()
            raise WorkerError(f"no worker process can be started: {error}{few_files()}") from error
        finally:
            theirs.close()

    def give(self, plan: WellPlan, work: WellTask) -> bool:
        """Hand over a well; false when the process is gone."""
        self.plan, self.step = plan, ""
        try:
            self.connection.send(work)
        except OSError:
            return False
        return True

    def ask_to_leave(self) -> bool:
        """Let an idle worker leave the task of the run that ends; false when the process is gone."""
        try:
            self.connection.send(EndOfRun())
        except OSError:
            return False
        return True

    @property
    def name(self) -> str:
        """What tells it apart from all others of this process."""
        return str(self.process.pid)

    def has_left(self, on_viewed: OnViewed) -> bool:
        """Wait until it has; false when it does not answer."""
        try:
            while self.connection.poll(_EXIT_SECONDS):
                message = self.connection.recv()
                if not isinstance(message, ViewCounts):
                    return isinstance(message, Ready)
                on_viewed(self.name, message)
        except (EOFError, OSError):
            pass
        return False

    def end(self) -> int | None:
        """End the process whatever it does; returns its exit code (negative: the signal)."""
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
        """With all that its functions have started."""
        pid = self.process.pid
        self.process.kill()
        if pid is not None and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


def few_files() -> str:
    """The remedy where it is the limit of open files that keeps processes from starting; empty where it is not."""
    limit = _limit_of_files()
    if limit is None:
        return ""
    with contextlib.suppress(psutil.Error, AttributeError):
        if limit < _NEEDED_FILES or limit - psutil.Process().num_fds() < _SPARE_FILES:
            return f" (a process may have only {limit} files open at a time: raise that limit, 'ulimit -n 1024')"
    return ""


def _limit_of_files() -> int | None:
    """How many files this process may have open; None where there is no limit, or it is not known."""
    try:
        import resource  # noqa: PLC0415  not on all platforms
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def warm_up(*modules: str) -> None:
    """Begin to import, in the background, what worker processes need; returns at once. Does nothing where it can't.

    modules: what they need besides.
    """
    if start_method() == "forkserver":
        multiprocessing.get_context("forkserver").set_forkserver_preload([PRELOAD, *modules])
        forkserver.ensure_running()


def start_method() -> Literal["forkserver", "spawn"]:
    """How worker processes are started. Never by a plain fork: it copies locks that other threads hold."""
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


def _cancelled(task: Task, job: PlateJob, plan: WellPlan) -> WellResult:
    """The result of a well that was not begun."""
    WellProgress(task, plan.well, [step.name for step in job.steps]).ended(ProgressStatus.CANCELLED)
    return WellResult(well=plan.well, status=ResultStatus.CANCELLED)


def _lost(task: Task, job: PlateJob, plan: WellPlan, code: int | None, step: str) -> WellResult:
    """The result of a well whose worker process died."""
    error = f"the worker process that worked on well {plan.well} ended unexpectedly ({exit_text(code)})"
    WellProgress(task, plan.well, [step.name for step in job.steps]).ended(ProgressStatus.ERROR, error=error)
    return WellResult(well=plan.well, status=ResultStatus.FAILED, error=error, step=step)
