"""Steps through a plate: the next well in a direction, the next value of a list, a few wells of all."""

from collections.abc import Sequence
from typing import TypeVar

from openhcs_runtime.wells import well_position

__all__ = ["next_value", "next_well", "sampled_wells"]

_WELLS = 6
"""Wells whose images set the contrast of all."""

Value = TypeVar("Value")


def next_well(wells: Sequence[str], here: str, down: int, right: int) -> str | None:
    """Return the nearest well in a direction, in the same row or column; None at the edge.

    Args:
        wells: wells of the plate.
        here: the well to start from.
        down: 1 for down, -1 for up, 0 for neither.
        right: 1 for right, -1 for left, 0 for neither.
    """
    row, column = well_position(here)

    def distance(well: str) -> int:
        """Return the number of steps to a well; 0 or less if it does not lie in this direction."""
        other_row, other_column = well_position(well)
        if (down and other_column != column) or (right and other_row != row):
            return 0
        return (other_row - row) * down + (other_column - column) * right

    ahead = [(steps, well) for well in wells if (steps := distance(well)) > 0]
    return min(ahead)[1] if ahead else None


def next_value(values: Sequence[Value], here: Value, by: int) -> Value | None:
    """Return the value that lies so many places further on; None beyond the ends."""
    if here not in values:
        return values[0] if values else None
    place = values.index(here) + by
    return values[place] if 0 <= place < len(values) else None


def sampled_wells(wells: Sequence[str], most: int = _WELLS) -> tuple[str, ...]:
    """Return a few wells, evenly over the plate, whose images set the contrast of all."""
    if len(wells) <= most:
        return tuple(wells)
    return tuple(wells[round(number * (len(wells) - 1) / (most - 1))] for number in range(most))
