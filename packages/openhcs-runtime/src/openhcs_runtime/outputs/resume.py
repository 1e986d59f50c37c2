"""Finds the wells that an earlier run has finished, so that a resumed one need not do them again."""

import logging
from collections.abc import Iterable
from pathlib import Path

from openhcs_runtime.exceptions import DamagedResultError
from openhcs_runtime.outputs.wells import WellPart, read_part
from openhcs_runtime.plan import WellPlan
from openhcs_runtime.results import ResultStatus, WellResult

_log = logging.getLogger(__name__)


def finished_wells(output_dir: Path, plans: Iterable[WellPlan]) -> dict[str, WellResult]:
    """The results of the wells that are done, by well.

    A well is done when its part bears the signature of the plan (the same images, pipeline and settings) and all files
    that belong to it are there. What else lies in the folder counts for nothing.
    """
    results = {plan.well: _kept(output_dir, plan) for plan in plans}
    return {well: result for well, result in results.items() if result is not None}


def earlier_seed(output_dir: Path, plans: Iterable[WellPlan]) -> int | None:
    """The seed of the run that has finished wells of these plans here, for the rest of them; None when none has."""
    for plan in plans:
        part = _readable_part(output_dir, plan.well)
        if part is not None and part.signature == plan.signature and part.seed is not None:
            return part.seed
    return None


def _kept(output_dir: Path, plan: WellPlan) -> WellResult | None:
    part = _readable_part(output_dir, plan.well)
    if part is None or part.well != plan.well or part.signature != plan.signature:
        return None
    if not all((output_dir / name).is_file() for name in part.files):
        return None
    if part.objects and (output_dir / part.objects).stat().st_size != part.objects_bytes:
        return None
    return WellResult(
        well=part.well,
        status=ResultStatus.COMPLETE,
        outputs=len(part.files),
        counts=part.counts,
        elapsed_s=part.elapsed_s,
        peak_memory_bytes=part.peak_memory_bytes,
        reused=True,
    )


def _readable_part(output_dir: Path, well: str) -> WellPart | None:
    try:
        return read_part(output_dir, well)
    except DamagedResultError as error:
        _log.warning("well %s is done again: %s", well, error)
        return None
