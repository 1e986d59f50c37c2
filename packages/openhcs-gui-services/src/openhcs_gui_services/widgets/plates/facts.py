"""The two facts about a plate, what is on disk and what its run does, and its tooltip, in words. Without Qt."""

from collections.abc import Iterable

from openhcs_gui_services.services.durations import duration_text
from openhcs_gui_services.services.plates.on_disk import clock_of
from openhcs_gui_services.services.plates.presenter import present_plate
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow
from zmqruntime.execution.text import plural

__all__ = ["costs_text", "disk_text", "elsewhere_text", "pipeline_text", "plate_lines", "results_text", "run_text"]

_MOST_PROBLEMS = 5
_NAMELESS = "pipeline"
"""What a pipeline is called in a run if it has neither a file nor a name."""


def results_text(row: PlateRow) -> str:
    """Return the results on disk for a column: ``22 of 24, 13:54``."""
    found = row.found
    if found is None:
        return ""
    when = clock_of(found.run.begun_at)
    return f"{found.done} of {_total(row)}{f', {when}' if when else ''}{' (away)' if found.is_away else ''}"


def disk_text(row: PlateRow) -> str:
    """Return the results on disk in a sentence."""
    found = row.found
    if found is None:
        if row.results is not None:
            return f"Results in {row.results}"
        return "" if row.snapshot.state.is_working else "No results yet"
    failed = f", {found.run.wells_failed} failed" if found.run.wells_failed else ""
    name = found.run.pipeline.removesuffix(".py")
    pipeline = "" if name == _NAMELESS else name
    when = clock_of(found.run.begun_at)
    parts = [f"On disk: {found.done} of {_total(row)} wells{failed}", f"pipeline {pipeline}" if pipeline else "", when]
    return ", ".join(filter(None, parts)) + ("; their folder is not there just now" if found.is_away else "")


def run_text(row: PlateRow) -> str:
    """Return what the run of the plate does, or how it ended."""
    shown = present_plate(row.snapshot)
    match row.snapshot.state:
        case PlateStatus.CREATED | PlateStatus.READY | PlateStatus.COMPILED:
            return ""
        case _:
            return f"This run: {', '.join(filter(None, [shown.text, shown.bar_text, shown.timing]))}"


def elsewhere_text(row: PlateRow) -> str:
    """Return ``Run by another program, 12 of 24 wells``; empty if no other program runs the plate."""
    run = row.elsewhere
    return "" if run is None else f"Run by another program, {len(run.done)} of {plural(run.wells_planned, 'well')}"


def pipeline_text(row: PlateRow) -> str:
    """Return the name of the pipeline, and whether it has edits that are in no file."""
    if not row.pipeline.strip():
        return "no pipeline"
    name = row.pipeline_name or "without a name"
    return f"{name} (edited, not saved to a file)" if row.is_pipeline_modified else name


def plate_lines(row: PlateRow) -> list[str]:
    """Return the lines of a plate's tooltip."""
    facts = row.facts
    lines = [row.path]
    if facts is not None:
        size = "not known" if facts.pixel_size_um is None else f"{facts.pixel_size_um:g} \u00b5m"
        lines += [
            f"{plural(len(facts.wells), 'well')}, {plural(facts.sites, 'site')}",
            f"Channels: {', '.join(facts.channels) or 'not known'}",
            f"Pixel size: {size}",
            f"Format: {facts.plate_format or 'not known'}",
        ]
    lines += [f"Pipeline: {pipeline_text(row)}", disk_text(row)]
    lines += [] if facts is None else list(_problems(row))
    return lines


def costs_text(row: PlateRow, *, longest: int = 0) -> str:
    """Return the time of each step over all wells, or of the ``longest`` ones: ``Segment 12 s of computing``."""
    costs = () if row.found is None else row.found.costs
    if longest:
        costs = tuple(sorted(costs, key=lambda cost: -cost.seconds)[:longest])
    said = ", ".join(f"{cost.step} {duration_text(cost.seconds)}" for cost in costs)
    return f"{said} of computing" if said else ""


def _problems(row: PlateRow) -> Iterable[str]:
    assert row.facts is not None
    if row.facts.missing:
        yield f"Images are missing of {', '.join(list(row.facts.missing)[:_MOST_PROBLEMS])}"
    yield from row.facts.problems[:_MOST_PROBLEMS]
    more = len(row.facts.problems) - _MOST_PROBLEMS
    if more > 0:
        yield f"and {plural(more, 'other problem')}"


def _total(row: PlateRow) -> int:
    found = row.found
    return row.well_count or (0 if found is None else found.run.wells_planned)
