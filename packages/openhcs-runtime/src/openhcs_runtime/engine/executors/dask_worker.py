"""Processes one well in a Dask worker, and reports to the client over the worker's connection to the scheduler.

The worker therefore doesn't need a connection to the client's machine. Each well has its own ``TaskHub`` with the id
of the execution, so ``current_task()`` works at any depth, including in processes started by the well.
"""

import asyncio
import contextlib
import functools
import multiprocessing
import secrets
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import threadpoolctl
from distributed import Worker, get_worker

from openhcs_runtime.engine.devices.choice import RunDevices
from openhcs_runtime.engine.devices.pipe_slots import WorkerDevice
from openhcs_runtime.engine.devices.source import slots_from
from openhcs_runtime.engine.executors.dask_slots import DaskSlots, own_device
from openhcs_runtime.engine.executors.worker import run_loaded
from openhcs_runtime.engine.printing import prints_to_tasks
from openhcs_runtime.engine.progress import WellProgress
from openhcs_runtime.outputs.resume import finished_wells
from openhcs_runtime.outputs.wells import part_path
from openhcs_runtime.pipeline.neighbour_modules import forget, importable
from openhcs_runtime.pipeline.pickling import PackedJob, load_job
from openhcs_runtime.pipeline.plan import Plan, PlateJob, WellPlan
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.results import WellResult
from openhcs_runtime.viewer_target import ViewCounts
from openhcs_runtime.viewers.live import ViewerFeed
from zmqruntime.codec import encode
from zmqruntime.execution import Task
from zmqruntime.execution.tasks.hub import TaskHub
from zmqruntime.execution.tasks.task import TaskReport, entered
from zmqruntime.execution.workers.usage import UsageMeter
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import LogLine, Message, ProgressUpdate

_BACKLOG = 20
"""Messages that may wait in the worker for the network; beyond that, reports wait in the hub and are merged there."""
_RETRY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class DaskWell:
    """One well to process.

    Attributes:
        run_id: id of the run.
        topic: topic for the messages of the well.
        execution_id: id of the execution the run belongs to.
        plate_id: id of its plate.
        job: the job.
        output_dir: output folder of the job.
        steps: names of the steps of the job.
        plan: plan of the well.
        devices: the GPUs that the wells of the run share.
        part_mtime_ns: modification time of the record an earlier run left for the well; None if there was none. Any
            other record was written by this run, and the well doesn't have to be redone.
    """

    run_id: str
    topic: str
    execution_id: str
    plate_id: str
    job: PackedJob
    output_dir: str
    steps: tuple[str, ...]
    plan: Plan
    devices: RunDevices
    part_mtime_ns: int | None


class WellNews(Message, frozen=True, kw_only=True, tag="well_news"):
    """Messages of one attempt at a well, in order. The first one has no reports, the last one has the result.

    Attributes:
        run_id: id of the run.
        well: name of the well.
        attempt: id of the attempt.
        worker: address of the Dask worker.
        reports: progress and log lines.
        result: how the well ended.
        viewed: counts of all images the worker has sent to the viewer in this run so far, if there is a viewer.
    """

    run_id: str
    well: str
    attempt: str
    worker: str
    reports: list[ProgressUpdate | LogLine]
    result: WellResult | None = None
    viewed: ViewCounts | None = None


def work(well: DaskWell) -> None:
    """Process one well as a Dask task; its last message says how it ended."""
    worker = get_worker()
    worker.loop.add_callback(read_recorder().pause_here)  # Dask's own connections are not those of a function
    line = _Line(worker, well)
    with line.task() as task, wells_here().listed(well, line.attempt, task):
        line.send([])
        feed = wells_here().feed(well.run_id)
        with slots_from(line.slots(own_device(worker, well.devices))):
            result = _work(well, task, worker.state.nthreads, feed)
    line.send([], result, feed.counts)


def stop_wells(run_id: str, axis_id: str | None) -> list[str]:
    """Stop the wells of a run that are, or will be, processed in this process; return the current ones."""
    return wells_here().stop(run_id, axis_id)


async def forget_run(run_id: str) -> ViewCounts | None:
    """Forget a run that has ended; return the counts of the images it showed, if any."""
    feed = wells_here().forget(run_id)
    if feed is None:
        return None
    await asyncio.to_thread(feed.close)
    return feed.counts if feed.counts.sent else None


@functools.cache
def wells_here() -> "WellsHere":
    """Return the wells of this worker process."""
    return WellsHere()


def part_mtime_ns(output_dir: str, well: str) -> int | None:
    """Return the modification time of the record of a well, which identifies it; None if there is no record."""
    with contextlib.suppress(OSError):
        return part_path(Path(output_dir), well).stat().st_mtime_ns
    return None


@dataclass(slots=True)
class _RunHere:
    stopped: set[str | None] = field(default_factory=set)
    under_way: dict[str, tuple[str, Task]] = field(default_factory=dict)


class WellsHere:
    """The wells a worker process is processing, by run, and which of them should stop. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, _RunHere] = {}
        self._feeds: dict[str, ViewerFeed] = {}
        self._printing = contextlib.ExitStack()

    @contextlib.contextmanager
    def listed(self, well: DaskWell, attempt: str, task: Task) -> Iterator[None]:
        """List the well during the block; what the block prints goes to the log of the task."""
        with self._lock:
            if not any(run.under_way for run in self._runs.values()):
                self._printing = prints_to_tasks()
            run = self._runs.setdefault(well.run_id, _RunHere())
            run.under_way[attempt] = well.plan.well, task
            for axis_id in run.stopped:
                task.request_cancel(axis_id)
        try:
            yield
        finally:
            with self._lock:
                del run.under_way[attempt]
                if not run.under_way and not run.stopped:
                    self._runs.pop(well.run_id, None)
                if not any(run.under_way for run in self._runs.values()):
                    self._printing.close()

    def feed(self, run_id: str) -> ViewerFeed:
        """Return the viewer feed of a run; feeds of other runs without wells in progress are closed."""
        with self._lock:
            others = [known for known in self._feeds if known != run_id and not self._is_at_work(known)]
            for known in others:
                self._feeds.pop(known).close()
            return self._feeds.setdefault(run_id, ViewerFeed())

    def stop(self, run_id: str, axis_id: str | None) -> list[str]:
        """See ``stop_wells``."""
        with self._lock:
            run = self._runs.setdefault(run_id, _RunHere())
            run.stopped.add(axis_id)
            for _, task in run.under_way.values():
                task.request_cancel(axis_id)
            return [well for well, _ in run.under_way.values()]

    def forget(self, run_id: str) -> ViewerFeed | None:
        """See ``forget_run``; return the viewer feed of the run, which the caller has to close."""
        with self._lock:
            if self._is_at_work(run_id):
                return None
            self._runs.pop(run_id, None)
            return self._feeds.pop(run_id, None)

    def _is_at_work(self, run_id: str) -> bool:
        run = self._runs.get(run_id)
        return run is not None and bool(run.under_way)


class _Line:
    """Sends the messages of one attempt to the client."""

    def __init__(self, worker: Worker, well: DaskWell) -> None:
        self.attempt = secrets.token_hex(4)
        self._worker = worker
        self._well = well
        self._is_free = True

    @contextlib.contextmanager
    def task(self) -> Iterator[Task]:
        """Run the block inside a task; when it ends, all its reports have been sent."""
        loop = SocketLoop("dask-well")
        well = self._well
        hub = TaskHub(loop, well.execution_id, well.plate_id, self._deliver, may_deliver=lambda: self._is_free)
        self._flush = functools.partial(loop.call_soon, hub.flush)
        loop.at_end = hub.close
        loop.start()
        try:
            with entered(hub.task):
                yield hub.task
        finally:
            loop.stop()
            loop.join()

    def send(
        self, reports: list[TaskReport], result: WellResult | None = None, viewed: ViewCounts | None = None
    ) -> None:
        """Send a message; the order of messages is kept."""
        well = self._well
        news = WellNews(
            run_id=well.run_id,
            well=well.plan.well,
            attempt=self.attempt,
            worker=self._worker.address,
            reports=reports,
            result=result,
            viewed=viewed if viewed and viewed.sent else None,
        )
        self._worker.log_event(well.topic, encode(news))

    def slots(self, own: WorkerDevice) -> DaskSlots:
        """Return where the steps of the well get their slots from."""
        well, worker = self._well, self._worker
        return DaskSlots(
            lambda news: worker.log_event(well.topic, encode(news)), well.run_id, self.attempt, worker.address, own
        )

    def _deliver(self, reports: list[TaskReport]) -> None:
        self._is_free = False
        self.send(reports)
        self._worker.loop.add_callback(self._passed_on)

    def _passed_on(self) -> None:
        """Allow more reports unless the network is behind; runs on the event loop of the worker."""
        if len(self._worker.batched_stream.buffer) > _BACKLOG:
            self._worker.loop.call_later(_RETRY_SECONDS, self._passed_on)
            return
        self._is_free = True
        self._flush()


def _work(well: DaskWell, task: Task, nthreads: int, feed: ViewerFeed) -> WellResult:
    plan = well.plan
    if isinstance(plan, WellPlan) and part_mtime_ns(well.output_dir, plan.well) != well.part_mtime_ns:
        # An earlier attempt in this run finished, but its worker was lost before it could say so.
        for result in finished_wells(Path(well.output_dir), [plan]).values():
            WellProgress(task, well.plan.well, well.steps).axis_completed()
            return replace(result, reused=False)
    multiprocessing.current_process().daemon = False  # functions may start processes
    meter = UsageMeter() if nthreads == 1 else None
    with importable(well.job.modules_dir), _libraries(well.run_id).limit(limits=1):
        return run_loaded(lambda: _job_of(well.run_id, well.job), well.plan, meter, feed, is_alone=nthreads == 1)


@functools.lru_cache(maxsize=1)
def _libraries(_run_id: str) -> threadpoolctl.ThreadpoolController:
    """Return the libraries that use threads; finding them takes 5 ms, so it is done once per run."""
    return threadpoolctl.ThreadpoolController()


@functools.lru_cache(maxsize=2)
def _job_of(run_id: str, packed: PackedJob) -> PlateJob:
    """Return the job, loaded again for each run because modules next to its pipeline file may have changed."""
    forget(packed.modules_dir)
    for file in packed.files:
        sys.modules.pop(file.module_name, None)
    return load_job(packed)
