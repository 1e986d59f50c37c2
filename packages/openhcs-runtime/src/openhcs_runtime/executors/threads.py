"""Wells in threads of this process: no start-up cost, but they share its fate and Python's lock."""

import contextvars
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from openhcs_runtime.plan import PlateJob, WellPlan
from openhcs_runtime.results import WellResult
from openhcs_runtime.viewing.feed import ViewerFeed
from openhcs_runtime.viewing.tally import OnViewed
from openhcs_runtime.wells import run_well
from zmqruntime.execution import Task


class ThreadExecutor:
    """See `openhcs_runtime.executors.WellExecutor`; threads live for one run."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def run(self, task: Task, job: PlateJob, plans: Sequence[WellPlan], on_viewed: OnViewed) -> Iterator[WellResult]:
        """One result per plan, in the order in which they end; must be called inside `task`."""
        feed = ViewerFeed(lambda counts: on_viewed("", counts))
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="openhcs-well")
        try:
            futures = [pool.submit(contextvars.copy_context().run, run_well, job, plan, None, feed) for plan in plans]
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            task.request_cancel()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            feed.close()

    def close(self) -> None:
        """Nothing is kept between runs."""
