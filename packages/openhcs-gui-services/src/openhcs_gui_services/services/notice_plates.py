"""The end of a batch as notices tell it, from the plates of a window."""

from collections.abc import Callable, Sequence

from openhcs_gui_services.services.notices import BatchEnd, PlateEnd
from openhcs_gui_services.services.plates import values
from openhcs_gui_services.services.plates.values import PlateRow
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["batch_end_of"]

_COMPLETE, _FAILED = "complete", "failed"


def batch_end_of(
    end: values.BatchEnd, rows: Sequence[PlateRow], wells: Callable[[str], Sequence[AxisProgress]]
) -> BatchEnd:
    """Return how a batch ended, with the errors of failed wells.

    Args:
        end: what the workspace says of it.
        rows: the plates of the window.
        wells: returns the wells of the plate at a path.
    """
    left = list(rows)
    plates = []
    for name in end.plates:
        row = next((row for row in left if name in (row.name, row.path)), None)
        if row is None:  # it was removed in the meantime
            failed = end.failed.get(name, ())
            state = _FAILED if name in end.unfinished else _COMPLETE
            plates.append(PlateEnd(name, "", state, 0, 0, tuple((well, "") for well in failed)))
        else:
            left.remove(row)
            plates.append(_plate_end(row, wells(row.path)))
    return BatchEnd(tuple(plates), end.seconds)


def _plate_end(row: PlateRow, wells: Sequence[AxisProgress]) -> PlateEnd:
    failed = tuple((well.axis_id, well.error) for well in wells if well.state is AxisState.FAILED)
    done = sum(well.state is AxisState.COMPLETE for well in wells)
    return PlateEnd(row.name, row.path, row.snapshot.state.value, done, len(wells), failed, row.snapshot.error)
