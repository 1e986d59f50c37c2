"""The wells of one plate of a window, over all of its executions."""

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
    """The state of the wells, from the progress of executions and the results of those that have ended.

    Methods that change wells return those that are different now.
    """

    def __init__(self) -> None:
        self._table = AxisTable()
        self._current = ""

    def rows(self) -> tuple[AxisProgress, ...]:
        """All wells that are known, in the order in which they became known: that of the plate."""
        return self._table.rows()

    def __len__(self) -> int:
        return len(self._table)

    @property
    def percent(self) -> float:
        """Of the whole plate, 0 to 100; a failed well needs no more work and counts as done."""
        return self._table.percent

    @property
    def failed(self) -> int:
        """How many wells have failed."""
        return self._table.count(AxisState.FAILED)

    @property
    def current_well(self) -> AxisProgress | None:
        """The well to name for the plate: one that is running, the same until it has ended."""
        well = self._table.get(self._current)
        return well if well is not None and well.state is AxisState.RUNNING else None

    def work(self, since: float | None) -> Work:
        """What the present run, which has worked on wells since this time, has done and has left."""
        return self._table.work(since)

    def reset(self, wells: Iterable[str] = ()) -> tuple[AxisProgress, ...]:
        """Make these the only wells, none of them started."""
        self._table.clear()
        self._current = ""
        return self._table.put(map(AxisProgress, wells))

    def begin_again(self) -> tuple[AxisProgress, ...]:
        """Another execution does what is left: it takes complete wells over, and all others wait again."""
        return self._table.begin_again()

    def apply(self, wells: Iterable[AxisProgress]) -> tuple[AxisProgress, ...]:
        """Apply the progress of these wells."""
        changed = self._table.put(wells)
        if self.current_well is None:
            running = (well for well in (*reversed(changed), *self._table) if well.state is AxisState.RUNNING)
            self._current = next((well.axis_id for well in running), "")
        return changed

    def settle(self, status: ExecutionStatus, result: PlateResult | None, error: str) -> tuple[AxisProgress, ...]:
        """Apply the end of the execution; its result, if there is one, decides about the wells that it names."""
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
