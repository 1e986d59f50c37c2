"""The results of a plate on disk: its newest run with finished wells, and how each well ended in it.

Each run has its own folder, so checking, a failed check, a stopped run or a run that waits change nothing here.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec

from openhcs_runtime.outputs.costs import StepTotal, step_totals
from openhcs_runtime.outputs.runs import PROVENANCE_NAME, RunStatus, RunSummary, list_runs
from openhcs_runtime.results import ResultStatus, StepCost
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["PlateDisk", "ResultsOnDisk", "clock_of", "counts_of", "read_disk", "read_results_in"]

_STATES = {
    ResultStatus.COMPLETE: AxisState.COMPLETE,
    ResultStatus.FAILED: AxisState.FAILED,
    ResultStatus.CANCELLED: AxisState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class ResultsOnDisk:
    """What a plate has on disk.

    Attributes:
        run: the newest run that has ended by itself with finished wells, else the newest with finished wells.
        wells: how each of its wells ended; complete wells of earlier runs of the same pipeline follow.
        steps: the names of its steps; empty if they are not known.
        costs: what each step has cost, over all wells of the run.
        is_away: whether the folder has gone since it was read.
    """

    run: RunSummary
    wells: tuple[AxisProgress, ...]
    steps: tuple[str, ...] = ()
    costs: tuple[StepTotal, ...] = ()
    is_away: bool = False

    @property
    def done(self) -> int:
        """Number of complete wells, with those of earlier runs of the same pipeline."""
        return sum(well.state is AxisState.COMPLETE for well in self.wells)

    def away(self) -> "ResultsOnDisk":
        """Return the same results after their folder has gone, as when a drive is not connected."""
        return replace(self, is_away=True)


@dataclass(frozen=True, slots=True)
class PlateDisk:
    """The folder of the runs of a plate: its results, if there are any, and the newest run if that is going on."""

    found: ResultsOnDisk | None = None
    running: RunSummary | None = None


class _Well(msgspec.Struct):
    well: str
    status: str
    error: str = ""
    step: str = ""
    steps: tuple[StepCost, ...] = ()


class _Wells(msgspec.Struct):
    """The part of a provenance that is needed here; the rest is skipped."""

    wells: list[_Well] = []


def read_results_in(root: Path) -> ResultsOnDisk | None:
    """Read the results in a folder of runs; None if no run in it has finished any wells.

    Raises:
        OutputError: the folder cannot be listed.
    """
    return read_disk(root).found


def read_disk(root: Path) -> PlateDisk:
    """Read a folder of runs; empty if there is no such folder.

    Raises:
        OutputError: the folder cannot be listed.
    """
    runs = list_runs(root) if root.is_dir() else ()
    running = runs[0] if runs and runs[0].status is RunStatus.RUNNING else None
    return PlateDisk(_found(runs), running)


def _found(runs: Sequence[RunSummary]) -> ResultsOnDisk | None:
    with_wells = [run for run in runs if run.done]
    whole = (run for run in with_wells if run.status in (RunStatus.COMPLETE, RunStatus.FAILED))
    newest = next(whole, None) or next(iter(with_wells), None)
    if newest is None:
        return None
    ended = _ended_wells(newest.folder)
    longest = max((well.steps for well in ended.values()), key=len, default=())
    steps = tuple(cost.step for cost in longest)
    own = [_progress(name, ended.get(name), newest, len(steps)) for name in _names(newest, ended)]
    return ResultsOnDisk(
        newest,
        (*own, *_earlier(newest, runs, len(steps))),
        steps,
        step_totals(well.steps for well in ended.values() if well.steps),
    )


def counts_of(run: RunSummary) -> Mapping[str, int]:
    """Return the sum of each ``..._count`` column over the complete wells of a run; for a worker thread.

    Empty if the record of a well can't be read: a sum without it would be wrong.
    """
    from openhcs_runtime.exceptions import OutputError  # noqa: PLC0415
    from openhcs_runtime.outputs.wells import read_part  # noqa: PLC0415  loads numpy, which a window doesn't need yet

    total: Counter[str] = Counter()
    try:
        for well in run.done:
            part = read_part(run.folder, well)
            if part is None:
                return {}
            total.update(part.counts)
    except OutputError:
        return {}
    return dict(total)


def clock_of(when: str) -> str:
    """Return an ISO 8601 time as local time: ``13:47`` if it is today, else with the date; empty if not valid."""
    with contextlib.suppress(ValueError):
        local = datetime.fromisoformat(when).astimezone()
        is_today = local.date() == datetime.now().astimezone().date()
        return local.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")
    return ""


def _ended_wells(folder: Path) -> Mapping[str, _Well]:
    """Return the wells that the provenance lists; a run that has not ended lists none yet."""
    with contextlib.suppress(OSError, msgspec.DecodeError):  # it was removed or replaced since it was listed
        found = msgspec.json.decode((folder / PROVENANCE_NAME).read_bytes(), type=_Wells)
        return {well.well: well for well in found.wells}
    return {}


def _names(run: RunSummary, ended: Mapping[str, _Well]) -> Iterable[str]:
    return dict.fromkeys([*(run.planned or {}), *ended, *run.done])


def _progress(name: str, well: _Well | None, run: RunSummary, total: int) -> AxisProgress:
    if well is None:
        return _complete(name, run, total) if name in run.done else AxisProgress(name, total_steps=total)
    state = _STATES[ResultStatus(well.status)] if well.status in set(ResultStatus) else AxisState.WAITING
    if state is AxisState.COMPLETE:
        return _complete(name, run, total or len(well.steps))
    index = max(0, len(well.steps) - 1) if well.step else 0
    return AxisProgress(name, state, well.step, index, max(total, index + 1) if well.step else total, error=well.error)


def _complete(name: str, run: RunSummary, total: int) -> AxisProgress:
    when = clock_of(run.begun_at)
    message = f"in the run of {when}" if when else "in an earlier run"
    return AxisProgress(
        name,
        AxisState.COMPLETE,
        total_steps=total,
        percent=100.0,
        is_taken_over=True,
        message=message,
    )


def _earlier(newest: RunSummary, runs: Sequence[RunSummary], total: int) -> Iterable[AxisProgress]:
    """Yield the wells that earlier runs of the same pipeline have finished, and the newest has not."""
    seen = set(newest.done)
    for run in runs[runs.index(newest) + 1 :]:
        if not run.basis or run.basis != newest.basis:
            continue
        for name in run.done:
            if name not in seen:
                seen.add(name)
                yield _complete(name, run, total)
