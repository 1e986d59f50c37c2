"""How the wells of a run ended, as the panel of a plate is sent it."""

import msgspec

from openhcs_runtime.results import PlateResult, ResultStatus, WellResult
from openhcs_runtime.tasks import CompileReport, Refusal, read_result
from zmqruntime.execution.clean import clean, clean_line
from zmqruntime.messages import ExecutionSnapshot

__all__ = ["FailedWell", "MeasureList", "PlateOutcome", "outcome_of"]

_MOST_TEXT = 2_000
_MOST_TRACEBACKS = 100


class FailedWell(msgspec.Struct, frozen=True):
    """A well that failed."""

    well: str
    error: str
    step: str
    file: str
    traceback: str


class MeasureList(msgspec.Struct, frozen=True):
    """What can be drawn: table and column of each measurement."""

    measures: tuple[tuple[str, str], ...]


class PlateOutcome(msgspec.Struct, frozen=True):
    """What a run has come to; empty while it is running.

    Attributes:
        kind: ``plate`` for a run, ``compiled`` for a check, ``refused``, or empty.
        wells: state of each well.
        counts: sums over the plate, such as of nuclei.
        well_counts: the same for each well.
        failed: the failed wells.
        problems: why it was refused, or what else went wrong.
        folder: where the results are.
        tables: names of its tables.
        reused: number of wells that were taken over from earlier runs.
    """

    kind: str = ""
    wells: dict[str, str] = {}
    counts: dict[str, int] = {}
    well_counts: dict[str, dict[str, int]] = {}
    failed: list[FailedWell] = []
    problems: list[str] = []
    folder: str = ""
    tables: list[str] = []
    reused: int = 0


def outcome_of(execution: ExecutionSnapshot) -> PlateOutcome:
    """Return the outcome of an execution; one of another release, or none, is empty."""
    try:
        result = read_result(execution.result)
    except msgspec.ValidationError:
        return PlateOutcome()
    match result:
        case None:
            return PlateOutcome()
        case CompileReport():
            waiting = dict.fromkeys(map(clean_line, result.wells), "waiting")
            return PlateOutcome(kind="compiled", wells=waiting, problems=[clean(one) for one in result.warnings])
        case Refusal():
            return PlateOutcome(kind="refused", problems=[clean(one, _MOST_TEXT) for one in result.problems])
        case PlateResult():
            return _of_plate(result)


def _of_plate(result: PlateResult) -> PlateOutcome:
    failed = result.wells_with(ResultStatus.FAILED)
    return PlateOutcome(
        kind="plate",
        wells={clean_line(well.well): well.status.value for well in result.wells},
        counts=result.counts,
        well_counts={clean_line(well.well): dict(well.counts) for well in result.wells if well.counts},
        failed=[_failed(well, number) for number, well in enumerate(failed)],
        problems=[clean(result.error, _MOST_TEXT)] if result.error else [],
        folder=clean_line(result.output_dir, _MOST_TEXT),
        tables=[clean_line(name) for name in result.tables],
        reused=sum(well.reused or bool(well.taken_from) for well in result.wells),
    )


def _failed(well: WellResult, number: int) -> FailedWell:
    traceback = clean(well.traceback) if number < _MOST_TRACEBACKS else ""
    return FailedWell(
        well.well, clean(well.error, _MOST_TEXT), clean_line(well.step), clean_line(well.file, _MOST_TEXT), traceback
    )
