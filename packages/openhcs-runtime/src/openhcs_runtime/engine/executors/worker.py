"""Main loop of a worker process: processes one well after the other until the other end of its pipe is closed."""

import contextlib
import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import psutil

from openhcs_runtime.engine.devices.environment import device_environment
from openhcs_runtime.engine.devices.pipe_slots import PipeSlots, WorkerDevice
from openhcs_runtime.engine.devices.source import slots_from
from openhcs_runtime.engine.executors.freshness import Freshness
from openhcs_runtime.engine.plate_step_run import run_plate_step
from openhcs_runtime.engine.printing import logs_to_tasks, prints_to_tasks
from openhcs_runtime.engine.well_run import OnStep, run_well
from openhcs_runtime.pipeline.models import ModelCounts, take_counts
from openhcs_runtime.pipeline.neighbour_modules import importable
from openhcs_runtime.pipeline.pickling import PackedJob, unpack_job
from openhcs_runtime.pipeline.plan import Plan, PlateJob, PlatePlan
from openhcs_runtime.pipeline.process_state import process_keeper
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.results import ResultStatus, WellResult
from openhcs_runtime.text import error_text, writable
from openhcs_runtime.viewers.live import ViewerFeed
from zmqruntime.execution import TaskLink, die_with_parent, join_task
from zmqruntime.execution.workers.usage import UsageMeter, descendants

PRELOAD = "openhcs_runtime.engine.executors.preload"
"""Module that prepares a process to be a worker; imported once before workers are forked, if they are."""
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker can take work; its first message, and its reply to ``EndOfRun``.

    Attributes:
        models: the models that were loaded in the run that has ended.
    """

    models: ModelCounts


@dataclass(frozen=True, slots=True)
class WellTask:
    """One well to process as part of a task."""

    link: TaskLink
    job: PackedJob
    plan: Plan


@dataclass(frozen=True, slots=True)
class Begun:
    """The current well has reached a step."""

    step: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """The worker will end after the next result, because a function changed its process permanently."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The worker ends without beginning its well, because what it has loaded in an earlier run is out of date."""

    reason: str


@dataclass(frozen=True, slots=True)
class EndOfRun:
    """The task is about to end: leave it once all reports have arrived."""


def serve(connection: "Connection[object, object]", own: WorkerDevice | None = None) -> None:
    """Process what arrives through the pipe.

    Args:
        connection: the pipe.
        own: the only GPU that the process is to see, set before any library can look for GPUs; None if all are visible.
    """
    if own is not None:
        os.environ.update(device_environment(own.device))
    die_with_parent()
    _be_a_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it cancels
    preload = importlib.import_module(PRELOAD)
    logs_to_tasks()
    meter, freshness = UsageMeter(), Freshness(preload.loaded_modules)
    ended: PackedJob | None = None
    slots = slots_from(PipeSlots(connection, own or WorkerDevice()))
    with contextlib.suppress(EOFError, OSError), prints_to_tasks(), slots:
        while not (process_keeper.is_spoilt or _has_children()):
            connection.send(Ready(take_counts()))
            if ended is not None:
                freshness.end_run(ended)
            work = connection.recv()
            if not isinstance(work, WellTask):
                continue
            if reason := ended and freshness.why_stale(work.job):
                connection.send(Stale(reason))
                break
            ended = work.job
            _run_wells(connection, work, meter)
    _end_children()


def _run_wells(connection: "Connection[object, object]", work: object, meter: UsageMeter) -> None:
    """Process the wells of one run, up to ``EndOfRun``; they share one link to the task, as each takes 1 or 2 ms."""
    assert isinstance(work, WellTask)
    with join_task(work.link), contextlib.closing(ViewerFeed(connection.send)) as feed:
        while isinstance(work, WellTask):
            result = _run(work, meter, feed, lambda step: connection.send(Begun(step)))
            if process_keeper.is_spoilt:
                connection.send(Leaving())
            connection.send(result)
            work = None if process_keeper.is_spoilt else connection.recv()


def _be_a_parent() -> None:
    """Allow functions to start child processes, which end when this process ends."""
    multiprocessing.current_process().daemon = False  # daemonic processes can't have children
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # so that what they start can be ended together with this process
    if sys.platform == "linux":
        forked = _ForkedHere()
        os.register_at_fork(before=forked.note, after_in_child=forked.follow)


class _ForkedHere:
    """Makes the kernel kill processes forked by the main thread when this process ends, for whatever reason.

    Processes forked by other threads are excluded, as they would be killed when the thread ends (prctl(2),
    PR_SET_PDEATHSIG).
    """

    def __init__(self) -> None:
        self._is_main = False
        self._library = ctypes.CDLL(None)

    def note(self) -> None:
        self._is_main = threading.current_thread() is threading.main_thread()

    def follow(self) -> None:
        if self._is_main:
            self._library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _has_children() -> bool:
    """Return whether functions have left processes running, which end with their run, and the worker with them."""
    if sys.platform == "linux":
        return bool(descendants(os.getpid()))
    return bool(psutil.Process().children())


def _end_children() -> None:
    """Kill the processes that functions started and left running."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()


def _run(work: WellTask, meter: UsageMeter, feed: ViewerFeed, on_step: OnStep) -> WellResult:
    with importable(work.job.modules_dir):
        return run_loaded(lambda: unpack_job(work.job), work.plan, meter, feed, on_step)


def run_loaded(
    load: Callable[[], PlateJob],
    plan: Plan,
    meter: UsageMeter | None,
    feed: ViewerFeed | None = None,
    on_step: OnStep | None = None,
    *,
    is_alone: bool = True,
) -> WellResult:
    """Process one well in the current task; if its job can't be loaded, the well fails."""
    try:
        with read_recorder().active():
            job = load()
    except BaseException as error:  # noqa: BLE001  it imports the user's modules, which may raise anything
        return WellResult(
            well=plan.well,
            status=ResultStatus.FAILED,
            error=f"the pipeline can't be loaded in a worker process: {error_text(error)}",
            traceback=writable(traceback.format_exc()),
        )
    if isinstance(plan, PlatePlan):
        return run_plate_step(job, plan, meter, is_alone=is_alone)
    return run_well(job, plan, meter, feed, on_step, is_alone=is_alone)
