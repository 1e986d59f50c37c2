"""Finds wells that don't have to be redone: finished in this run, or identical in an earlier one."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from openhcs_runtime.atomic import sync_files
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.runs import RunStatus, RunSummary
from openhcs_runtime.outputs.wells import WellRecord, copy_file, lost_file, read_part, write_part
from openhcs_runtime.pipeline.plan import WellPlan
from openhcs_runtime.results import ResultStatus, WellResult

_log = logging.getLogger(__name__)


def finished_wells(output_dir: Path, plans: Iterable[WellPlan]) -> dict[str, WellResult]:
    """Return the results of the wells that are finished in a folder, by well.

    A well is finished if its record has the signature of the plan (the same images, pipeline and settings), all its
    files exist with the size they were written with, and the files its functions read have not changed. A damaged
    record is logged, and its well is redone.
    """
    found: dict[str, WellResult] = {}
    for plan in plans:
        part = _part_of(output_dir, plan)
        if (
            part is not None
            and _is_made_with(part, plan)
            and not lost_file(output_dir, part)
            and not part.used.changed()
        ):
            found[plan.well] = _result(part)
    return found


def take_over(
    output_dir: Path,
    plans: Sequence[WellPlan],
    earlier: Iterable[RunSummary],
    seed: int,
    is_cancelled: Callable[[], bool],
) -> dict[str, WellResult]:
    """Copy wells that earlier runs made from the same images, with the same pipeline and settings.

    Each file is checked against its recorded digest; a well with a missing or changed file is not copied. Neither is
    a well whose functions read a file, folder or module that has changed since, started a process or opened a
    connection.

    Args:
        output_dir: folder of the run that takes over the wells.
        plans: the wells it still has to process.
        earlier: runs to copy from, in order of preference.
        seed: seed of the run that takes over the wells; wells made with another seed are not copied.
        is_cancelled: called before each well.

    Returns:
        The results of the copied wells.

    Raises:
        OutputError: a file cannot be written.
    """
    found: dict[str, WellResult] = {}
    for run in earlier:
        if run.status is RunStatus.DAMAGED or run.folder == output_dir:
            continue
        for plan in plans:
            if is_cancelled():
                return found
            if plan.well in found or (run.planned and run.planned.get(plan.well) != plan.signature):
                continue
            part = _part_of(run.folder, plan)
            if part is None or part.seed not in (None, seed) or not _is_made_with(part, plan):
                continue
            if not _is_still_true(part):
                continue
            if _copy(run.folder, output_dir, part):
                found[plan.well] = replace(_result(part), taken_from=run.folder.name)
    return found


def _is_still_true(part: WellRecord) -> bool:
    """Return whether everything a well was made from is known and unchanged."""
    if changed := part.used.changed():
        _log.info("well %s was not taken over: %s has changed", part.well, changed)
        return False
    return part.used.is_all


def _part_of(folder: Path, plan: WellPlan) -> WellRecord | None:
    try:
        part = read_part(folder, plan.well)
    except OutputError as error:
        _log.warning("earlier results of well %s are not used: %s", plan.well, error)
        return None
    return part if part is not None and part.well == plan.well and part.signature == plan.signature else None


def _is_made_with(part: WellRecord, plan: WellPlan) -> bool:
    """Return whether a well was made with the values of steps over the plate that it has to be made with now."""
    return part.values == (plan.work.values if plan.work else {})


def _copy(source: Path, target: Path, part: WellRecord) -> bool:
    """Copy the files of a well, then its record; return False, leaving no files, if one has changed."""
    for file in part.files:
        if not copy_file(source / file.name, target / file.name, file):
            _log.warning(
                "well %s was not taken over: %s has changed since it was written", part.well, source / file.name
            )
            for copied in part.files:
                (target / copied.name).unlink(missing_ok=True)
            return False
    sync_files(target / file.name for file in part.files)
    write_part(target, part)
    return True


def earlier_seed(run: RunSummary, plans: Iterable[WellPlan]) -> int | None:
    """Return the seed with which a run finished wells of these plans; None if it finished none of them."""
    for plan in plans:
        if not run.planned or run.planned.get(plan.well) == plan.signature:
            part = _part_of(run.folder, plan)
            if part is not None and part.seed is not None:
                return part.seed
    return None


def _result(part: WellRecord) -> WellResult:
    return WellResult(
        well=part.well,
        status=ResultStatus.COMPLETE,
        outputs=len(part.files),
        counts=part.counts,
        elapsed_s=part.elapsed_s,
        peak_memory_bytes=part.peak_memory_bytes,
        reused=True,
        steps=part.steps,
        reused_steps=part.reused_steps,
        reused_from=part.reused_from,
    )
