"""What runs in a worker process: one well after the other, until the other end of its pipe is closed."""

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

from openhcs_runtime.engine.printing import logs_to_tasks, prints_to_tasks
from openhcs_runtime.engine.well_run import OnStep, run_well
from openhcs_runtime.pipeline.neighbour_modules import importable
from openhcs_runtime.pipeline.pickling import PackedJob, unpack_job
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan
from openhcs_runtime.pipeline.process_state import process_keeper
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.results import ResultStatus, WellResult
from openhcs_runtime.text import error_text, writable
from openhcs_runtime.viewers.live import ViewerFeed
from zmqruntime.execution import TaskLink, die_with_parent, join_task
from zmqruntime.execution.workers.usage import UsageMeter

PRELOAD = "openhcs_runtime.engine.executors.preload"
"""What makes a process ready to be a worker; imported once, before workers are forked, where they are."""
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker can take work: its first word, and its answer to `EndOfRun`."""


@dataclass(frozen=True, slots=True)
class WellTask:
    """One well to work on as a part of a task."""

    link: TaskLink
    job: PackedJob
    plan: WellPlan


@dataclass(frozen=True, slots=True)
class Begun:
    """The well in hand has come to a step."""

    step: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """The worker ends after the result that follows: a function has changed its process for good."""


@dataclass(frozen=True, slots=True)
class EndOfRun:
    """The task is about to end: leave it, when all that was reported to it has arrived."""


def serve(connection: "Connection[object, object]") -> None:
    """Work on what comes through the pipe."""
    die_with_parent()
    _be_a_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it cancels
    importlib.import_module(PRELOAD)
    logs_to_tasks()
    meter = UsageMeter()
    with contextlib.suppress(EOFError, OSError), prints_to_tasks():
        while not process_keeper.is_spoilt:
            connection.send(Ready())
            _run_wells(connection, meter)
    _end_children()


def _run_wells(connection: "Connection[object, object]", meter: UsageMeter) -> None:
    """One run: the wells up to `EndOfRun`. They share one way to their task, since each costs a millisecond or two."""
    work = connection.recv()
    if not isinstance(work, WellTask):
        return
    with join_task(work.link), contextlib.closing(ViewerFeed(connection.send)) as feed:
        while isinstance(work, WellTask):
            result = _run(work, meter, feed, lambda step: connection.send(Begun(step)))
            if process_keeper.is_spoilt:
                connection.send(Leaving())
            connection.send(result)
            work = None if process_keeper.is_spoilt else connection.recv()


def _be_a_parent() -> None:
    """Let functions start processes of their own, which end when this one does."""
    multiprocessing.current_process().daemon = False  # daemonic processes may have no children
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # so that what they start can be ended together with this process
    if sys.platform == "linux":
        forked = _ForkedHere()
        os.register_at_fork(before=forked.note, after_in_child=forked.follow)


class _ForkedHere:
    """Ties processes that the main thread forks to this one: the kernel kills them when it ends, however it does.

    Not those that other threads fork: it would kill them when the thread ends (prctl(2), PR_SET_PDEATHSIG).
    """

    def __init__(self) -> None:
        self._is_main = False
        self._library = ctypes.CDLL(None)

    def note(self) -> None:
        self._is_main = threading.current_thread() is threading.main_thread()

    def follow(self) -> None:
        if self._is_main:
            self._library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _end_children() -> None:
    """What functions have started and left."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()


def _run(work: WellTask, meter: UsageMeter, feed: ViewerFeed, on_step: OnStep) -> WellResult:
    with importable(work.job.modules_dir):
        return run_loaded(lambda: unpack_job(work.job), work.plan, meter, feed, on_step)


def run_loaded(
    load: Callable[[], PlateJob],
    plan: WellPlan,
    meter: UsageMeter | None,
    feed: ViewerFeed | None = None,
    on_step: OnStep | None = None,
    *,
    is_alone: bool = True,
) -> WellResult:
    """Work on one well in the current task; a job that can't be loaded here is a failure of the well."""
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
    return run_well(job, plan, meter, feed, on_step, is_alone=is_alone)
