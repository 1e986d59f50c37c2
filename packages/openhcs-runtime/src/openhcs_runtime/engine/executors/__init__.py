"""Ways to work on many wells at once, behind one small interface."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from openhcs_runtime.config import LOCAL_CLUSTER, ExecutionMode, GlobalConfig
from openhcs_runtime.engine.executors.processes import NANNY, ProcessExecutor, warm_up
from openhcs_runtime.engine.executors.threads import ThreadExecutor
from openhcs_runtime.exceptions import WorkerError
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan
from openhcs_runtime.results import WellResult
from openhcs_runtime.viewers.view_counts import OnViewed
from zmqruntime.execution import Task

__all__ = ["WellExecutor", "make_executor", "warm_up", "warm_up_for"]


class WellExecutor(Protocol):
    """Works on wells, each taken by whichever worker is free. May be used for one run after the other, then closed."""

    def run(self, task: Task, job: PlateJob, plans: Sequence[WellPlan], on_viewed: OnViewed) -> Iterator[WellResult]:
        """One result per plan, in the order in which they end.

        Wells that the task says are cancelled are not begun. Raises WorkerError when no worker can be started.
        """

    def close(self) -> None:
        """End all workers; may be called twice."""


def warm_up_for(config: GlobalConfig) -> None:
    """Begin to import, in the background, what the workers of a run need, if they are processes of this machine."""
    if config.mode is ExecutionMode.PROCESSES:
        warm_up()
    elif config.mode is ExecutionMode.DASK and not config.is_remote:
        warm_up(NANNY)


def make_executor(mode: ExecutionMode, workers: int, dask: str | None = None) -> WellExecutor:
    """An executor with so many workers; `dask` as in `GlobalConfig`.

    Raises WorkerError when the library that it needs is not there.
    """
    match mode:
        case ExecutionMode.THREADS:
            return ThreadExecutor(workers)
        case ExecutionMode.PROCESSES:
            return ProcessExecutor(workers)
        case ExecutionMode.DASK:
            try:
                from openhcs_runtime.engine.executors.dask_cluster import DaskExecutor  # noqa: PLC0415  an extra, and heavy
            except ImportError as error:
                raise WorkerError(f"Dask is not installed ({error}): pip install 'openhcs-runtime[dask]'") from error
            return DaskExecutor(dask or LOCAL_CLUSTER, workers)


def __dir__() -> list[str]:
    return sorted(__all__)
