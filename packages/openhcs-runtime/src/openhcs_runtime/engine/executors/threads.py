"""Runs wells in threads of this process: no start-up cost, but they share Python's lock, and a crash ends all."""

import contextvars
import functools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from openhcs_runtime.engine.devices.choice import RunDevices
from openhcs_runtime.engine.devices.local_slots import LocalSlots
from openhcs_runtime.engine.devices.source import slots_from
from openhcs_runtime.engine.executors.budget import LOOK_AGAIN_SECONDS, MemoryBudget, ThreadMemory
from openhcs_runtime.engine.model_report import report_models
from openhcs_runtime.engine.plate_step_run import run_plate_step
from openhcs_runtime.engine.randomness import global_state, seed_process, step_seeds
from openhcs_runtime.engine.well_run import run_well
from openhcs_runtime.limits import available_bytes, available_cores
from openhcs_runtime.pipeline.models import take_counts
from openhcs_runtime.pipeline.plan import Plan, PlateJob, PlatePlan
from openhcs_runtime.results import WellResult
from openhcs_runtime.viewers.live import ViewerFeed
from openhcs_runtime.viewers.view_counts import OnViewed
from zmqruntime.execution import Task

_ALL_WELLS = ""
_NOT_REPEATABLE = (
    "NumPy's global random numbers were used, which wells in several threads share, so they are not reproducible with "
    "the same seed. Use rng from the engine (special_inputs), a single worker, or mode 'processes'"
)


class ThreadExecutor:
    """See ``openhcs_runtime.engine.executors.WellExecutor``; threads live for one run.

    Args:
        workers: number of threads.
        devices: the GPUs that they share.
        available: returns how much memory is available.
    """

    def __init__(
        self, workers: int, devices: RunDevices | None = None, available: Callable[[], int] = available_bytes
    ) -> None:
        self._workers = workers
        self._slots = LocalSlots(devices or RunDevices(), available_cores())
        self._available = available

    def run(self, task: Task, job: PlateJob, plans: Sequence[Plan], on_viewed: OnViewed) -> Iterator[WellResult]:
        """Process wells; see ``WellExecutor.run``. Must be called inside the task."""
        feed = ViewerFeed(lambda counts: on_viewed("", counts))
        is_alone = self._workers == 1
        work = functools.partial(_process, job, feed, is_alone=is_alone)

        def begin(plan: Plan) -> "Future[WellResult]":
            with slots_from(self._slots):
                return pool.submit(contextvars.copy_context().run, work, plan)

        before = seed_process(step_seeds(job.seed, _ALL_WELLS, 0))
        take_counts()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="openhcs-well")
        try:
            yield from self._results(task, plans, begin)
        except BaseException:
            task.request_cancel()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            if not is_alone and global_state() != before:
                task.log.warning(_NOT_REPEATABLE)
            feed.close()
            report_models(task, [take_counts()])

    def _results(
        self, task: Task, plans: Sequence[Plan], begin: "Callable[[Plan], Future[WellResult]]"
    ) -> Iterator[WellResult]:
        """Begin wells as threads and memory are free, and yield their results as they end."""
        budget, memory = MemoryBudget(task, self._available), ThreadMemory()
        waiting, running = deque(plans), set[Future[WellResult]]()
        while waiting or running:
            while waiting and len(running) < self._workers:
                held = memory.held_by_each(len(running)) if running else 0
                if not budget.allows([held] * len(running)):
                    break
                running.add(begin(waiting.popleft()))
            timeout = LOOK_AGAIN_SECONDS if waiting and budget.is_short else None
            done, still = wait(running, timeout, FIRST_COMPLETED)
            if done:
                budget.note(memory.peak_of_each(len(running)))
            running = still
            for future in done:
                yield future.result()

    def close(self) -> None:
        """Do nothing, as nothing is kept between runs."""


def _process(job: PlateJob, feed: ViewerFeed, plan: Plan, *, is_alone: bool) -> WellResult:
    if isinstance(plan, PlatePlan):
        return run_plate_step(job, plan, is_alone=is_alone)
    return run_well(job, plan, feed=feed, is_alone=is_alone)
