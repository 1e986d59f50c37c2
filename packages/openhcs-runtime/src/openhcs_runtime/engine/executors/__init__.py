"""Executors, which process many wells at once, behind one small interface."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from openhcs_runtime.config import LOCAL_CLUSTER, ExecutionMode, GlobalConfig
from openhcs_runtime.engine.devices.choice import RunDevices
from openhcs_runtime.engine.executors.processes import NANNY, ProcessExecutor, warm_up
from openhcs_runtime.engine.executors.threads import ThreadExecutor
from openhcs_runtime.exceptions import WorkerError
from openhcs_runtime.pipeline.plan import Plan, PlateJob
from openhcs_runtime.results import WellResult
from openhcs_runtime.viewers.view_counts import OnViewed
from zmqruntime.execution import Task

__all__ = ["WellExecutor", "make_executor", "warm_up", "warm_up_for"]


class WellExecutor(Protocol):
    """Processes wells, giving each to the next free worker. Can be used for several runs in turn, then closed."""

    def run(self, task: Task, job: PlateJob, plans: Sequence[Plan], on_viewed: OnViewed) -> Iterator[WellResult]:
        """Process wells; those that are cancelled are not begun.

        Args:
            task: the task of the run.
            job: what the wells have in common.
            plans: one plan per well.
            on_viewed: called with a worker's name and its counts of images sent to a viewer.

        Yields:
            One result per plan, in the order in which the wells end.

        Raises:
            WorkerError: workers can't be started.
        """

    def close(self) -> None:
        """End all workers; can be called more than once."""


def warm_up_for(config: GlobalConfig) -> None:
    """Start importing in the background what the workers of a run need, if they are processes on this machine."""
    if config.mode is ExecutionMode.PROCESSES:
        warm_up()
    elif config.mode is ExecutionMode.DASK and not config.is_remote:
        warm_up(NANNY)


def make_executor(
    mode: ExecutionMode, workers: int, dask: str | None = None, devices: RunDevices | None = None
) -> WellExecutor:
    """Create an executor.

    Args:
        mode: kind of the executor.
        workers: number of workers.
        dask: as in ``GlobalConfig``.
        devices: the GPUs of this machine that the workers share.

    Returns:
        The executor.

    Raises:
        WorkerError: Dask is not installed.
    """
    match mode:
        case ExecutionMode.THREADS:
            return ThreadExecutor(workers, devices)
        case ExecutionMode.PROCESSES:
            return ProcessExecutor(workers, devices)
        case ExecutionMode.DASK:
            try:
                from openhcs_runtime.engine.executors.dask_cluster import DaskExecutor  # noqa: PLC0415  an extra, and heavy
            except ImportError as error:
                raise WorkerError(f"Dask is not installed ({error}): pip install 'openhcs-runtime[dask]'") from error
            return DaskExecutor(dask or LOCAL_CLUSTER, workers, devices)


def __dir__() -> list[str]:
    return sorted(__all__)
