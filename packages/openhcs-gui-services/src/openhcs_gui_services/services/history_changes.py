"""Which two runs are compared for what is selected in a history, and their difference."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openhcs_gui_services.services.history import HistoryRow
from openhcs_gui_services.services.numbers.run_diff import Change, RunDifference, other_runs, run_difference
from openhcs_runtime.exceptions import OpenHCSError

__all__ = ["ComparedRuns", "compare_runs", "moved_by", "runs_to_compare"]


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """Two result folders of one plate, or why none can be compared.

    Attributes:
        plate: name of the plate.
        new: folder of the newer run.
        old: folder of the older run; None to take the run before from disk.
        problem: why there is nothing to compare, and what to do; "" if there is.
    """

    plate: str = ""
    new: Path = Path()
    old: Path | None = None
    problem: str = ""


def runs_to_compare(selected: Sequence[HistoryRow], known: Sequence[HistoryRow]) -> ComparedRuns:
    """Return which runs are compared.

    Args:
        selected: the selected rows: one, which is compared with the run before it, or two of one plate.
        known: all rows that are loaded.
    """
    if not selected:
        return ComparedRuns(problem="Select a run to see what changed since the run before, or two runs of one plate.")
    if len(selected) > 2:
        return ComparedRuns(problem=f"{len(selected)} rows are selected: select one run, or two of one plate.")
    ordered = sorted(selected, key=lambda row: row.ended_at)
    missing = [row for row in ordered if not row.output]
    if missing:
        return ComparedRuns(problem=f"The {missing[0].what.lower()} that ended {missing[0].ended_text} has no results.")
    if len({row.plate_path for row in ordered}) > 1:
        return ComparedRuns(problem="The runs are of different plates: select two runs of one plate.")
    new = ordered[-1]
    if len(ordered) > 1:
        return ComparedRuns(new.name, Path(new.output), Path(ordered[0].output))
    before = [
        row
        for row in known
        if row.plate_path == new.plate_path and row.ended_at < new.ended_at and row.output not in ("", new.output)
    ]
    last = max(before, key=lambda row: row.ended_at, default=None)
    return ComparedRuns(new.name, Path(new.output), None if last is None else Path(last.output))


async def compare_runs(compared: ComparedRuns) -> RunDifference | str:
    """Return the difference of two runs, or why there is none. Reads from disk, in a thread."""
    if compared.problem:
        return compared.problem
    return await asyncio.to_thread(_compare, compared)


def _compare(compared: ComparedRuns) -> RunDifference | str:
    try:
        old = compared.old or _before(compared.new)
        if old is None:
            return f"This is the first run of {compared.plate}: there is none before it to compare it with."
        return run_difference(old, compared.new)
    except OpenHCSError as error:
        return str(error)


def _before(new: Path) -> Path | None:
    """Return the last run on disk that began before this one; None if there is none."""
    from openhcs_runtime.outputs.runs import read_run  # noqa: PLC0415  one module with the rest

    begun = read_run(new).begun_at
    earlier = [run for run in other_runs(new) if run.begun_at < begun]
    return max(earlier, key=lambda run: run.begun_at).folder if earlier else None


def moved_by(change: Change) -> str:
    """Return by how much a number changed, such as ``+12 (+0.8 %)``; "" for what is not a number."""
    try:
        old, new = (int(text.replace(",", "")) for text in (change.old or "0", change.new or "0"))
    except ValueError:
        return ""
    share = f" ({(new - old) / old:+.1%})".replace("%", " %") if old else ""
    return f"{new - old:+,}{share}"
