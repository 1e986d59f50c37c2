"""What a report is about: a run, its wells, and what the plate map says of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from openhcs_runtime.components import well_position
from openhcs_runtime.outputs.provenance import Provenance, WellRecord
from openhcs_runtime.outputs.runs import RunStatus
from openhcs_runtime.plate_map import PlateMap, describe_well, well_entries
from openhcs_runtime.results import ResultStatus
from openhcs_runtime.tables.read import Results


class WellState(StrEnum):
    """How far a well has come."""

    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_FINISHED = "not finished"


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """A run and its wells.

    Attributes:
        results: the tables.
        provenance: how it was made.
        status: how it ended.
        wells: how far each planned well has come, in plate order.
        ended: how wells ended, if the run has ended.
        plate_map: what is in the wells, if there is a plate map.
    """

    results: Results
    provenance: Provenance
    status: RunStatus
    wells: Mapping[str, WellState]
    ended: Mapping[str, WellRecord]
    plate_map: PlateMap | None

    def wells_in(self, state: WellState) -> tuple[str, ...]:
        """Return the wells in a state, in plate order."""
        return tuple(well for well, of_well in self.wells.items() if of_well is state)

    def entries(self, well: str) -> tuple[tuple[str, str], ...]:
        """Return the columns of the plate map that say something of a well, with what they say."""
        return () if self.plate_map is None else well_entries(self.plate_map, well)

    def described(self, well: str) -> str:
        """Return what the plate map says of a well, in one line; empty for nothing."""
        return "" if self.plate_map is None else describe_well(self.plate_map, well)


def read_run(results: Results) -> ReportedRun:
    """Read what is known of a run, without its measurements.

    Raises:
        OutputError: the provenance can't be read.
        PlateMapError: the plate map of the run can't be read.
    """
    provenance = results.provenance
    ended = {well.well: well for well in provenance.wells}
    done = frozenset(results.found.run.done)
    planned = sorted({*provenance.planned, *ended, *done}, key=well_position)
    return ReportedRun(
        results=results,
        provenance=provenance,
        status=results.found.run.status,
        wells={well: _state(ended.get(well), well in done) for well in planned},
        ended=ended,
        plate_map=results.plate_map,
    )


def _state(ended: WellRecord | None, is_done: bool) -> WellState:
    if ended is None:
        return WellState.COMPLETE if is_done else WellState.NOT_FINISHED
    match ended.status:
        case ResultStatus.COMPLETE:
            return WellState.COMPLETE
        case ResultStatus.FAILED:
            return WellState.FAILED
    return WellState.CANCELLED
