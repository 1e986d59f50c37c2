"""Runs wells on a Dask cluster, on one machine or many: one Dask task per well, given to the next free worker.

Only Dask's own connections are used. Workers report through scheduler events (``log_event``), which arrive in the
order they were sent, so the result of a well comes after all its reports. Cancellation is sent to the workers as a
call (``Client.run``). If a worker is lost, its wells are tried again; the run goes on.
"""

import contextlib
import functools
import secrets
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from distributed import Client, Future, as_completed
from distributed.scheduler import KilledWorker

from openhcs_runtime.atomic import remove_leftovers
from openhcs_runtime.config import NO_GPUS
from openhcs_runtime.engine.devices.choice import RunDevices
from openhcs_runtime.engine.executors.dask_connection import RETRIES, connect
from openhcs_runtime.engine.executors.dask_slots import GPU, ClusterSlots, SlotNews, grant_slot
from openhcs_runtime.engine.executors.dask_worker import DaskWell, WellNews, forget_run, part_mtime_ns, stop_wells, work
from openhcs_runtime.engine.progress import WellProgress
from openhcs_runtime.exceptions import WorkerError
from openhcs_runtime.pipeline.pickling import pack_job
from openhcs_runtime.pipeline.plan import Plan, PlateJob
from openhcs_runtime.results import ResultStatus, WellResult
from openhcs_runtime.viewer_target import ViewCounts
from openhcs_runtime.viewers.view_counts import OnViewed
from zmqruntime.codec import Decoder
from zmqruntime.execution import Task
from zmqruntime.messages import LogLine, ProgressStatus

_SCHEDULER_TOPIC = "all"
"""Topic in which the scheduler logs, among other things, that it lost a worker."""
_A_LITTLE = 1e-6
"""Share of a worker's GPU resource that a well takes: any number of wells can be in progress on it."""
_BATCH = 100
"""Number of wells submitted in one message."""


class DaskExecutor:
    """See ``openhcs_runtime.engine.executors.WellExecutor``; a local cluster is kept until ``close``.

    Args:
        address: address of a scheduler, or "local". For "tls://" the certificates of Dask's own configuration
            (``distributed.comm.tls``) are used.
        workers: how many wells may be in progress at the same time.
        devices: the GPUs that the workers share, or the setting by which they find them.
    """

    def __init__(self, address: str, workers: int, devices: RunDevices | None = None) -> None:
        self._address = address
        self._workers = workers
        self._devices = devices or RunDevices()
        self._client: Client | None = None
        self._runs: weakref.WeakSet[_Run] = weakref.WeakSet()
        self._stack = contextlib.ExitStack()
        weakref.finalize(self, self._stack.close)

    def run(self, task: Task, job: PlateJob, plans: Sequence[Plan], on_viewed: OnViewed) -> Iterator[WellResult]:
        """Process wells; see ``WellExecutor.run``.

        Yields:
            One result per plan, in the order in which the wells end.

        Raises:
            WorkerError: the scheduler can't be reached, or is lost during the run.
        """
        run = _Run(self._connected(), self._address, task, job, plans, self._workers, on_viewed, self._devices)
        self._runs.add(run)
        try:
            with task.on_cancel(run.stop):
                yield from run.results()
        finally:
            self._runs.discard(run)
            run.end()

    def close(self) -> None:
        """Close the connection, and the cluster if it is local; can be called more than once."""
        self._client = None
        self._stack.close()

    def _connected(self) -> Client:
        if self._client is not None and self._client.status != "running":
            self.close()
        if self._client is None:
            client = self._client = connect(self._address, self._workers, self._stack)
            for topic in (client.id, _SCHEDULER_TOPIC):
                client.subscribe_topic(topic, functools.partial(_pass_on, self._runs))
                self._stack.callback(client.unsubscribe_topic, topic)
        return self._client


@dataclass(frozen=True, slots=True)
class _Stop:
    """The task, or one of its wells, should stop."""

    axis_id: str | None


@dataclass(frozen=True, slots=True)
class _Told:
    """All workers have received a stop; ``under_way`` lists the wells each of them is processing."""

    axis_id: str | None
    under_way: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Over:
    """Dask has finished with a well."""

    well: str
    future: Future


@dataclass(frozen=True, slots=True)
class _Gone:
    """A worker was lost."""

    worker: str


_News = WellNews | SlotNews | _Stop | _Told | _Over | _Gone


@dataclass(slots=True)
class _OpenWell:
    """A submitted well without a result yet."""

    plan: Plan
    future: Future
    submitted: int = 1
    attempts: list[str] = field(default_factory=list)
    worker: str = ""


class _Run:
    """One run; waits until there is news."""

    def __init__(
        self,
        client: Client,
        address: str,
        task: Task,
        job: PlateJob,
        plans: Sequence[Plan],
        limit: int,
        on_viewed: OnViewed,
        devices: RunDevices,
    ) -> None:
        self.id = f"openhcs-{secrets.token_hex(8)}"
        self._client = client
        self._address = address
        self._task = task
        self._job = job
        self._packed = pack_job(job)
        self._steps = tuple(step.name for step in job.steps)
        self._limit = limit
        self._on_viewed = on_viewed
        self._devices = devices
        self._slots = ClusterSlots(self._grant)
        self._waiting = deque(plans)
        self._open: dict[str, _OpenWell] = {}
        self._news: SimpleQueue[_News] = SimpleQueue()
        self._stopped: set[str | None] = set()
        self._has_lost = False
        self._decode: Decoder[WellNews | SlotNews] = Decoder(WellNews | SlotNews)

    # --- from any thread -----------------------------------------------------------------------------------------

    def stop(self, axis_id: str | None) -> None:
        """Stop the task or one well."""
        self._news.put(_Stop(axis_id))

    def take(self, data: bytes) -> None:
        """Receive a message from a worker."""
        news = self._decode(data)
        if news.run_id == self.id:
            self._news.put(news)

    def worker_is_gone(self, worker: str) -> None:
        """Repeat all stops after a worker was lost, as its wells don't have to be waited for."""
        self._has_lost = True
        self._news.put(_Gone(worker))
        for axis_id in list(self._stopped):
            self._news.put(_Stop(axis_id))

    # --- on the thread of the run --------------------------------------------------------------------------------

    def results(self) -> Iterator[WellResult]:
        """Submit the wells and yield their results."""
        if not self._client.nthreads():
            self._task.log.warning(f"the Dask scheduler at {self._address} has no workers yet: waiting for some")
        # Opens the connections needed to cancel; opening them only then would take a tenth of a second.
        self._client.loop.add_callback(_run_there, self._client, None, forget_run, self.id)
        while self._waiting or self._open:
            yield from self._give_out()
            if self._open:
                yield from self._hear(self._news.get())

    def end(self) -> None:
        """Stop wells that are still in progress, as nobody is waiting for them any more."""
        if self._client.status != "running":
            return
        with contextlib.suppress(OSError, TimeoutError):
            if self._open:
                self._client.cancel([well.future for well in self._open.values()])
                self._client.run(stop_wells, self.id, None, on_error="ignore")
            if self._stopped or self._open or self._job.view is not None:
                viewed: dict[str, ViewCounts | None] = self._client.run(forget_run, self.id, on_error="ignore")
                for worker, counts in viewed.items():
                    if counts is not None:
                        self._on_viewed(worker, counts)
        if self._has_lost:
            remove_leftovers(Path(self._job.output_dir))

    def _give_out(self) -> Iterator[WellResult]:
        plans: list[Plan] = []
        while self._waiting and len(self._open) + len(plans) < self._limit:
            plan = self._waiting.popleft()
            if self._task.is_cancelled(plan.well):
                yield self._cancelled(plan.well)
            else:
                plans.append(plan)
        for begin in range(0, len(plans), _BATCH):
            for plan, future in self._submit(plans[begin : begin + _BATCH]):
                self._open[plan.well] = _OpenWell(plan, future)

    def _submit(self, plans: Sequence[Plan], number: int = 1) -> Iterator[tuple[Plan, Future]]:
        task, folder = self._task, self._job.output_dir
        wells = [
            DaskWell(
                run_id=self.id,
                topic=self._client.id,
                execution_id=task.execution_id,
                plate_id=task.plate_id,
                job=self._packed,
                output_dir=folder,
                steps=self._steps,
                plan=plan,
                devices=self._devices,
                part_mtime_ns=part_mtime_ns(folder, plan.well),
            )
            for plan in plans
        ]
        keys = [f"{self.id}-{plan.well}-{number}" for plan in plans]
        futures: list[Future] = self._client.map(work, wells, key=keys, pure=False, resources=self._wanted_resources())
        names = {future.key: plan.well for plan, future in zip(plans, futures, strict=True)}
        self._client.loop.add_callback(_watch, self._client, futures, names, self._news)
        return zip(plans, futures, strict=True)

    def _hear(self, news: _News) -> Iterator[WellResult]:
        match news:
            case WellNews():
                yield from self._take_news(news)
            case SlotNews():
                if self._is_current(news.attempt):
                    self._slots.take(news)
            case _Gone(worker):
                self._slots.forget(worker=worker)
            case _Over(name, future):
                well = self._open.get(name)
                if well is not None and well.future is future:
                    yield from self._take_end(name, well)
            case _Stop(axis_id):
                self._stopped.add(axis_id)
                self._client.loop.add_callback(self._tell_workers, axis_id)
            case _Told(axis_id, under_way):
                yield from self._drop_idle(axis_id, under_way)

    def _take_news(self, news: WellNews) -> Iterator[WellResult]:
        well = self._open.get(news.well)
        if well is None:
            return
        if news.attempt not in well.attempts:
            self._begun(well, news)
        if news.attempt != well.attempts[-1]:
            return  # from a worker that was given up
        for report in news.reports:
            if isinstance(report, LogLine):
                self._task.send_line(report.level, report.logger, report.text, report.axis_id)
            else:
                self._task.send_progress(report)
        if news.viewed is not None:
            self._on_viewed(news.worker, news.viewed)
        if news.result is not None:
            self._slots.forget(attempts=well.attempts)
            del self._open[news.well]
            yield news.result

    def _begun(self, well: _OpenWell, news: WellNews) -> None:
        if well.attempts:
            self._has_lost = True
            self._task.log.warning(
                f"Dask worker {well.worker} was lost while processing {well.plan.title}: restarting it on {news.worker}"
            )
            self._slots.forget(attempts=well.attempts)
        well.attempts.append(news.attempt)
        well.worker = news.worker
        if self._task.is_cancelled(news.well):  # a worker that did not exist yet when the stop was sent
            axis_id = None if self._task.cancelled else news.well
            self._client.loop.add_callback(_run_there, self._client, news.worker, stop_wells, self.id, axis_id)

    def _take_end(self, name: str, well: _OpenWell) -> Iterator[WellResult]:
        """Handle a well that Dask has finished with but whose result has not arrived."""
        self._slots.forget(attempts=well.attempts)
        status = well.future.status
        if status in ("cancelled", "lost"):
            raise WorkerError(
                f"the Dask scheduler at {self._address} is gone or was restarted: start one and resume the run; "
                "finished wells are kept"
            )
        error = well.future.exception() if status == "error" else None
        if isinstance(error, KilledWorker):
            self._has_lost = True
            if (
                len(well.attempts) <= RETRIES and well.submitted <= RETRIES
            ):  # Dask also counts crashes caused by other wells
                well.submitted += 1
                [(_, well.future)] = self._submit([well.plan], well.submitted)
                return
            text = (
                f"all Dask workers that processed {well.plan.title} were lost ({max(1, len(well.attempts))}), the last "
                f"one at {well.worker or error.last_worker.address}: it crashes them, or needs more memory than "
                "they have"
            )
        elif error is not None:
            text = f"{well.plan.title} can't be processed by a Dask worker: {type(error).__name__}: {error}"
        else:
            text = f"the result of {well.plan.title} was lost on the way from Dask worker {well.worker}"
        del self._open[name]
        self._progress(name).ended(ProgressStatus.ERROR, error=text)
        yield WellResult(well=name, status=ResultStatus.FAILED, error=text)

    def _is_current(self, attempt: str) -> bool:
        return any(well.attempts and well.attempts[-1] == attempt for well in self._open.values())

    def _grant(self, worker: str, attempt: str, number: int) -> None:
        self._client.loop.add_callback(_run_there, self._client, worker, grant_slot, attempt, number)

    def _wanted_resources(self) -> dict[str, float] | None:
        """Return what keeps the wells on workers with a GPU if the cluster has such; the slots do the counting."""
        if not self._devices.setting or self._devices.setting == NO_GPUS:
            return None
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        return {GPU: _A_LITTLE} if any(worker["resources"].get(GPU, 0) > 0 for worker in workers) else None

    def _drop_idle(self, axis_id: str | None, under_way: Mapping[str, Sequence[str]]) -> Iterator[WellResult]:
        busy = {name for names in under_way.values() for name in names}
        names = [
            name
            for name, well in self._open.items()
            if axis_id in (None, name) and name not in busy and well.worker not in under_way
        ]
        wells = [self._open.pop(name) for name in names]
        if wells:
            self._client.cancel([well.future for well in wells])
        for name in names:
            yield self._cancelled(name)

    async def _tell_workers(self, axis_id: str | None) -> None:
        replies = await _run_there(self._client, None, stop_wells, self.id, axis_id)
        self._news.put(_Told(axis_id, replies))

    def _cancelled(self, name: str) -> WellResult:
        """Return the result of a well that was not begun."""
        self._progress(name).ended(ProgressStatus.CANCELLED)
        return WellResult(well=name, status=ResultStatus.CANCELLED)

    def _progress(self, name: str) -> WellProgress:
        return WellProgress(self._task, name, self._steps)


def _pass_on(runs: "weakref.WeakSet[_Run]", event: tuple[float, object]) -> None:
    """Pass on an event of the client's or the scheduler's topic; runs on Dask's event loop."""
    message = event[1]
    for run in list(runs):
        if isinstance(message, bytes):
            run.take(message)
        elif isinstance(message, dict) and message.get("action") == "remove-worker":
            run.worker_is_gone(str(message.get("worker", "")))


async def _watch(client: Client, futures: list[Future], names: dict[Any, str], news: SimpleQueue[_News]) -> None:
    """Report each future when it ends, however it ends; runs on Dask's event loop."""
    async for future in as_completed(futures, loop=client.loop):
        news.put(_Over(names[future.key], future))


async def _run_there(client: Client, worker: str | None, call: Any, *arguments: object) -> dict[str, Any]:
    """Call a function in one worker, or in all, and return their replies; runs on Dask's event loop."""
    try:
        workers = None if worker is None else [worker]
        answers: dict[str, Any] = await client.run(call, *arguments, workers=workers, on_error="ignore")
    except (OSError, TimeoutError):  # the scheduler is gone; each well will get to know that
        return {}
    return answers
