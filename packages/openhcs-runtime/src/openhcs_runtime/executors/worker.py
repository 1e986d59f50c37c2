"""What runs in a worker process: one well after the other, until the other end of its pipe is closed."""

import contextlib
import importlib
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from openhcs_runtime.pipeline.neighbours import importable
from openhcs_runtime.pipeline.packing import PackedJob, unpack_job
from openhcs_runtime.plan import PlateJob, WellPlan
from openhcs_runtime.printing import logs_to_tasks, prints_to_tasks
from openhcs_runtime.results import ResultStatus, WellResult
from openhcs_runtime.viewing.feed import ViewerFeed
from openhcs_runtime.wells import run_well
from zmqruntime.execution import TaskLink, die_with_parent, join_task
from zmqruntime.execution.usage import UsageMeter

PRELOAD = "openhcs_runtime.executors.preload"
"""What makes a process ready to be a worker; imported once, before workers are forked, where they are."""


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
class EndOfRun:
    """The task is about to end: leave it, when all that was reported to it has arrived."""


def serve(connection: "Connection[object, object]") -> None:
    """Work on what comes through the pipe."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it cancels
    importlib.import_module(PRELOAD)
    logs_to_tasks()
    meter = UsageMeter()
    with contextlib.suppress(EOFError, OSError), prints_to_tasks():
        while True:
            connection.send(Ready())
            _run_wells(connection, meter)


def _run_wells(connection: "Connection[object, object]", meter: UsageMeter) -> None:
    """One run: the wells up to `EndOfRun`. They share one way to their task, since each costs a millisecond or two."""
    work = connection.recv()
    if not isinstance(work, WellTask):
        return
    with join_task(work.link), contextlib.closing(ViewerFeed(connection.send)) as feed:
        while isinstance(work, WellTask):
            connection.send(_run(work, meter, feed))
            work = connection.recv()


def _run(work: WellTask, meter: UsageMeter, feed: ViewerFeed) -> WellResult:
    with importable(work.job.modules_dir):
        return run_loaded(lambda: unpack_job(work.job), work.plan, meter, feed)


def run_loaded(
    load: Callable[[], PlateJob], plan: WellPlan, meter: UsageMeter | None, feed: ViewerFeed | None = None
) -> WellResult:
    """Work on one well in the current task; a job that can't be loaded here is a failure of the well."""
    try:
        job = load()
    except Exception as error:  # noqa: BLE001  it imports the user's modules
        return WellResult(
            well=plan.well,
            status=ResultStatus.FAILED,
            error=f"the pipeline can't be loaded in a worker process: {type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
        )
    return run_well(job, plan, meter, feed)
