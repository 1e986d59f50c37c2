"""Finds the wells that an earlier run has finished, so that a resumed one need not do them again."""

from collections.abc import Iterable
from pathlib import Path

from openhcs_runtime.outputs.wells import read_part
from openhcs_runtime.plan import WellPlan
from openhcs_runtime.results import ResultStatus, WellResult


def finished_wells(output_dir: Path, plans: Iterable[WellPlan]) -> dict[str, WellResult]:
    """The results of the wells that are done, by well.

    A well is done when its part bears the signature of the plan (the same images, pipeline and settings) and all files
    that belong to it are there. What else lies in the folder counts for nothing.
    """
    results = {plan.well: _kept(output_dir, plan) for plan in plans}
    return {well: result for well, result in results.items() if result is not None}


def _kept(output_dir: Path, plan: WellPlan) -> WellResult | None:
    part = read_part(output_dir, plan.well)
    if part is None or part.well != plan.well or part.signature != plan.signature:
        return None
    if not all((output_dir / name).is_file() for name in part.files):
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
