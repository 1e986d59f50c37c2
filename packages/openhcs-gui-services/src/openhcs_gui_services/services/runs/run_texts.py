"""What a window says about the end of a check and of a run, in one line."""

from collections.abc import Mapping
from typing import Final

from openhcs_gui_services.services.durations import duration_text
from openhcs_gui_services.services.plates.on_disk import clock_of
from openhcs_gui_services.services.plates.record import PlateRecord
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_runtime.results import PlateResult
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.tasks import CompileReport
from zmqruntime.execution import AxisState
from zmqruntime.execution.text import plural

__all__ = ["checked_text", "ended_text"]

_ENDINGS: Final = {
    PlateStatus.COMPLETE: "complete",
    PlateStatus.FAILED: "failed",
    PlateStatus.CANCELLED: "stopped",
    PlateStatus.INTERRUPTED: "interrupted",
}
_NAMED: Final = 6
_COUNT: Final = "_count"


def checked_text(record: PlateRecord, report: CompileReport) -> str:
    """Return ``p6 checked: 24 wells, 4 steps; nothing was written``."""
    wells, steps = plural(len(report.wells), "well"), plural(len(report.steps), "step")
    lacking = len(report.incomplete_wells)
    missing = f"; {plural(lacking, 'well')} lack{'s' if lacking == 1 else ''} images" if lacking else ""
    return f"{record.name} checked: {wells}, {steps}{missing}; nothing was written"


def ended_text(record: PlateRecord, execution: PlateExecution | None, counts: Mapping[str, int]) -> str:
    """Return how a run ended: time, wells, counts, failed wells, and what was taken over.

    Args:
        record: the plate.
        execution: how its execution ended.
        counts: the counts of the run on disk, for an execution that ended without a result; empty if not known.
    """
    snapshot = record.row(is_lost=False).snapshot
    taken = f" after {duration_text(snapshot.elapsed_seconds)}" if snapshot.elapsed_seconds is not None else ""
    plate = None if execution is None or execution.refusal is not None else execution.plate
    of_disk = _well_parts(record, counts) if counts else []
    parts = [snapshot.error, *(of_disk if plate is None else _result_parts(record, plate))]
    said = "; ".join(filter(None, parts))
    return f"{record.name} {_ENDINGS[record.state]}{taken}{': ' if said else ''}{said}"


def _result_parts(record: PlateRecord, plate: PlateResult) -> list[str]:
    return [*_well_parts(record, plate.counts), _taken_over(plate)]


def _well_parts(record: PlateRecord, of_plate: Mapping[str, int]) -> list[str]:
    wells = record.wells
    counts = ", ".join(f"{name.removesuffix(_COUNT)} {count:,}" for name, count in of_plate.items())
    failed = wells.names_with(AxisState.FAILED)
    named = f"failed: {', '.join(failed[:_NAMED])}{f' and {len(failed) - _NAMED} more' if failed[_NAMED:] else ''}"
    return [f"{wells.done} of {plural(len(wells), 'well')} done", counts, named if failed else ""]


def _taken_over(plate: PlateResult) -> str:
    taken = [well.taken_from for well in plate.wells if well.taken_from]
    if not taken:
        return ""
    runs = dict.fromkeys(taken)
    when = _clock_of_run(taken[0]) if len(runs) == 1 else ""
    source = f"the run of {when}" if when else "an earlier run" if len(runs) == 1 else "earlier runs"
    return f"{len(taken)} of {plural(len(plate.wells), 'well')} taken over from {source}"


def _clock_of_run(folder: str) -> str:
    """Return the time in the name of a run's folder, such as ``2026-11-30_134700_nuclei_count``."""
    date, _, rest = folder.partition("_")
    time = rest.partition("_")[0]
    return clock_of(f"{date}T{time[:2]}:{time[2:4]}:{time[4:6]}")
