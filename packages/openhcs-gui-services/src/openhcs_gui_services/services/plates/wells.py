"""The wells of one plate of a window, across all of its executions."""

from collections.abc import Iterable
from typing import Final

import msgspec

from openhcs_runtime.results import PlateResult, ResultStatus, WellResult
from zmqruntime.execution import AxisProgress, AxisState, Work
from zmqruntime.execution.progress.axes import AxisTable, settle_axis
from zmqruntime.messages import ExecutionStatus

__all__ = ["PlateWells"]

_ENDS: Final = {
    ResultStatus.COMPLETE: AxisState.COMPLETE,
    ResultStatus.FAILED: AxisState.FAILED,
    ResultStatus.CANCELLED: AxisState.CANCELLED,
}


class PlateWells:
    """The state of the wells, from the progress and the results of executions.

    Methods that change wells return the wells that changed.
    """

    def __init__(self) -> None:
        self._table = AxisTable()
        self._current = ""

    def rows(self) -> tuple[AxisProgress, ...]:
        """Return all known wells, in plate order."""
        return self._table.rows()

    def __len__(self) -> int:
        return len(self._table)

    @property
    def percent(self) -> float:
        """The progress of the whole plate, 0 to 100; a failed well counts as done."""
        return self._table.percent

    @property
    def failed(self) -> int:
        """The number of failed wells."""
        return self._table.count(AxisState.FAILED)

    @property
    def done(self) -> int:
        """The number of complete wells."""
        return self._table.count(AxisState.COMPLETE)

    @property
    def ended(self) -> int:
        """The number of wells that are complete, failed or cancelled."""
        return sum(self._table.count(state) for state in AxisState if state.has_ended)

    @property
    def taken_over(self) -> int:
        """The number of complete wells that an earlier run has computed."""
        return sum(well.is_taken_over and well.state is AxisState.COMPLETE for well in self._table)

    @property
    def has_begun(self) -> bool:
        """Whether any well has been started."""
        return self._table.count(AxisState.WAITING) < len(self._table)

    def names_with(self, state: AxisState) -> tuple[str, ...]:
        """Return the wells in this state."""
        return tuple(well.axis_id for well in self._table if well.state is state)

    @property
    def current_well(self) -> AxisProgress | None:
        """A running well to show for the plate; it stays the same until it has ended."""
        well = self._table.get(self._current)
        return well if well is not None and well.state is AxisState.RUNNING else None

    def work(self, since: float | None) -> Work:
        """Return the work of the current run, which started its first well at ``since``."""
        return self._table.work(since)

    def reset(self, wells: Iterable[str] = ()) -> tuple[AxisProgress, ...]:
        """Replace all wells by these, none of them started."""
        self._table.clear()
        self._current = ""
        return self._table.put(map(AxisProgress, wells))

    def restore(self, wells: Iterable[AxisProgress]) -> None:
        """Show the wells of an earlier run again, as they have ended."""
        self._table.clear()
        self._current = ""
        self._table.put(wells)

    def begin_again(self) -> tuple[AxisProgress, ...]:
        """Start over for a resumed execution: complete wells are kept, all others are waiting."""
        return self._table.begin_again()

    def apply(self, wells: Iterable[AxisProgress]) -> tuple[AxisProgress, ...]:
        """Apply the progress of these wells."""
        changed = self._table.put(wells)
        if self.current_well is None:
            running = (well for well in (*reversed(changed), *self._table) if well.state is AxisState.RUNNING)
            self._current = next((well.axis_id for well in running), "")
        return changed

    def settle(self, status: ExecutionStatus, result: PlateResult | None, error: str) -> tuple[AxisProgress, ...]:
        """Apply the end of the execution; its result, if any, takes precedence for the wells that it lists."""
        changed = self._table.put([self._ended(well) for well in (() if result is None else result.wells)])
        return changed + self._table.put([settle_axis(well, status, error) for well in self._table])

    def _ended(self, well: WellResult) -> AxisProgress:
        known = self._table.get(well.well) or AxisProgress(well.well)
        state = _ENDS[well.status]
        is_complete = state is AxisState.COMPLETE
        return msgspec.structs.replace(
            known,
            state=state,
            step_name=well.step or known.step_name,
            percent=100.0 if is_complete else known.percent,
            error=well.error,
            is_taken_over=is_complete and (known.is_taken_over or bool(well.taken_from)),
        )
