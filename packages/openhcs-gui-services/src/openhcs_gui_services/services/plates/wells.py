"""The wells of one plate from the progress of its execution, kept up at the cost of what has changed."""

from collections.abc import Iterable
from typing import Final

from openhcs_gui_services.services.plates.values import WellRow, WellState
from openhcs_runtime.results import PlateResult, ResultStatus, WellResult
from zmqruntime.execution.progress.channels import ProgressChannel, channel_of, is_newer
from zmqruntime.execution.progress.projection import AxisProgress, AxisState, project_axis
from zmqruntime.messages import ExecutionStatus, ProgressUpdate

__all__ = ["WellProjection"]

_STATES: Final = {
    AxisState.WAITING: WellState.PENDING,
    AxisState.RUNNING: WellState.RUNNING,
    AxisState.COMPLETE: WellState.COMPLETE,
    AxisState.FAILED: WellState.FAILED,
    AxisState.CANCELLED: WellState.CANCELLED,
}
_ENDS: Final = {
    ResultStatus.COMPLETE: WellState.COMPLETE,
    ResultStatus.FAILED: WellState.FAILED,
    ResultStatus.CANCELLED: WellState.CANCELLED,
}
_OPEN: Final = (WellState.PENDING, WellState.RUNNING)


class WellProjection:
    """Rows of wells, and their sums over the plate.

    Methods that change wells give those that are different now.
    """

    def __init__(self) -> None:
        self._updates: dict[str, dict[ProgressChannel, ProgressUpdate]] = {}
        self._rows: dict[str, WellRow] = {}
        self._done = 0.0
        self._failed = 0
        self._speaker = ""

    def rows(self) -> tuple[WellRow, ...]:
        """All wells that are known, in the order in which they became known: that of the plate."""
        return tuple(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def percent(self) -> float:
        """Of the whole plate, 0 to 100; a failed well needs no more work and counts as done."""
        return min(100.0, max(0.0, self._done / len(self._rows))) if self._rows else 0.0

    @property
    def failed(self) -> int:
        """How many wells have failed."""
        return self._failed

    @property
    def speaker(self) -> WellRow | None:
        """The well to name for the plate: one that is worked on, the same until it has ended."""
        row = self._rows.get(self._speaker)
        return row if row is not None and row.state is WellState.RUNNING else None

    def reset(self, wells: Iterable[str] = ()) -> tuple[WellRow, ...]:
        """Begin anew: these wells are all there are, and none has begun."""
        self._updates.clear()
        self._rows.clear()
        self._done, self._failed, self._speaker = 0.0, 0, ""
        return self.announce(wells)

    def reopen(self) -> tuple[WellRow, ...]:
        """Another execution does what is left over: wells that are complete stay, all others have not begun."""
        self._updates.clear()
        left = [row for row in self._rows.values() if row.state is not WellState.COMPLETE]
        return self._put(WellRow(row.axis_id, WellState.PENDING) for row in left)

    def announce(self, wells: Iterable[str]) -> tuple[WellRow, ...]:
        """There are these wells, too."""
        return self._put(WellRow(well, WellState.PENDING) for well in wells if well not in self._rows)

    def apply(self, updates: Iterable[ProgressUpdate]) -> tuple[WellRow, ...]:
        """Take in progress; what is older than what is known changes nothing."""
        touched: dict[str, None] = {}
        newest: ProgressUpdate | None = None
        for update in updates:
            if not update.axis_id:
                continue
            channels = self._updates.setdefault(update.axis_id, {})
            channel = channel_of(update.phase)
            if is_newer(update, channels.get(channel)):
                channels[channel] = update
                touched[update.axis_id] = None
                newest = update if is_newer(update, newest) else newest
        changed = self._put(_row(project_axis(axis_id, self._updates[axis_id])) for axis_id in touched)
        if self.speaker is None:
            self._choose_speaker(newest)
        return changed

    def settle(self, status: ExecutionStatus, result: PlateResult | None, error: str) -> tuple[WellRow, ...]:
        """The execution has ended: nothing runs any more. A result has the last word on its wells.

        Without one, the wells that were worked on share the fate of the execution; those that were not are left
        as pending, or cancelled with it.
        """
        changed = self._put(self._ended(well) for well in (() if result is None else result.wells))
        return changed + self._put(self._abandoned(row, status, error) for row in self.rows() if row.state in _OPEN)

    def interrupt(self) -> tuple[WellRow, ...]:
        """The server ended: what it worked on has to be done again."""
        running = [row for row in self._rows.values() if row.state is WellState.RUNNING]
        return self._put(WellRow(row.axis_id, WellState.PENDING) for row in running)

    def _ended(self, well: WellResult) -> WellRow:
        known = self._rows.get(well.well) or WellRow(well.well, WellState.PENDING)
        state = _ENDS[well.status]
        return WellRow(
            well.well,
            state,
            step_name=well.step or known.step_name,
            step_index=known.step_index,
            total_steps=known.total_steps,
            percent=100.0 if state is WellState.COMPLETE else known.percent,
            error=well.error,
        )

    def _abandoned(self, row: WellRow, status: ExecutionStatus, error: str) -> WellRow:
        match status:
            case ExecutionStatus.CANCELLED:
                state = WellState.CANCELLED
            case ExecutionStatus.COMPLETE:
                state = WellState.COMPLETE
            case ExecutionStatus.FAILED if row.state is WellState.RUNNING:
                state = WellState.FAILED
            case _:
                state = WellState.PENDING
        return WellRow(
            row.axis_id,
            state,
            step_name=row.step_name,
            step_index=row.step_index,
            total_steps=row.total_steps,
            percent=100.0 if state is WellState.COMPLETE else row.percent,
            error=error if state is WellState.FAILED else "",
        )

    def _put(self, rows: Iterable[WellRow]) -> tuple[WellRow, ...]:
        changed = []
        for row in rows:
            known = self._rows.get(row.axis_id)
            if row == known:
                continue
            if known is not None:
                self._count(known, -1)
            self._count(row, 1)
            self._rows[row.axis_id] = row
            changed.append(row)
        return tuple(changed)

    def _count(self, row: WellRow, sign: int) -> None:
        has_failed = row.state is WellState.FAILED
        self._failed += sign * has_failed
        self._done += sign * (100.0 if has_failed else row.percent)

    def _choose_speaker(self, newest: ProgressUpdate | None) -> None:
        if newest is not None and self._rows[newest.axis_id].state is WellState.RUNNING:
            self._speaker = newest.axis_id
            return
        self._speaker = next((row.axis_id for row in self._rows.values() if row.state is WellState.RUNNING), "")


def _row(axis: AxisProgress) -> WellRow:
    return WellRow(
        axis.axis_id,
        _STATES[axis.state],
        step_name=axis.step_name,
        step_index=axis.step_index,
        total_steps=axis.total_steps,
        percent=axis.percent,
        error=axis.error,
    )
