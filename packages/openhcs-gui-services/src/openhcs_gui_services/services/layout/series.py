"""A series of values over wells: doses of a dilution, or numbers that grow by a step."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from openhcs_gui_services.exceptions import LayoutError
from openhcs_runtime.wells import well_position

__all__ = ["Direction", "Operation", "Series"]

_MOST: Final = 1e12
_LEAST: Final = 1e-15


class Operation(enum.StrEnum):
    """How a value follows from the one before."""

    DIVIDE = "divide"
    MULTIPLY = "multiply"
    ADD = "add"


class Direction(enum.StrEnum):
    """How the series goes over the selected wells."""

    RIGHT = "right"
    """Each selected row has the series, from left to right."""
    LEFT = "left"
    """Each selected row has the series, from right to left."""
    DOWN = "down"
    """Each selected column has the series, from top to bottom."""
    UP = "up"
    """Each selected column has the series, from bottom to top."""
    ROW_BY_ROW = "row_by_row"
    """One series over all selected wells, row by row."""
    COLUMN_BY_COLUMN = "column_by_column"
    """One series over all selected wells, column by column."""


_KEYS: Final[dict[Direction, Callable[[tuple[int, int]], tuple[int, ...]]]] = {
    Direction.RIGHT: lambda place: (place[1],),
    Direction.LEFT: lambda place: (-place[1],),
    Direction.DOWN: lambda place: (place[0],),
    Direction.UP: lambda place: (-place[0],),
    Direction.ROW_BY_ROW: lambda place: place,
    Direction.COLUMN_BY_COLUMN: lambda place: (place[1], place[0]),
}
"""What wells are ordered by; wells with the same key have the same value."""


@dataclass(frozen=True, slots=True)
class Series:
    """A series of numbers.

    Attributes:
        start: the first value.
        amount: what each value is divided by or multiplied with, or what is added to it.
        operation: which of these.
        direction: how it goes over the wells.
        replicates: how many neighbours get the same value before the next one.
        points: after how many values the series begins again; 0 for never.
    """

    start: float
    amount: float
    operation: Operation = Operation.DIVIDE
    direction: Direction = Direction.RIGHT
    replicates: int = 1
    points: int = 0

    def values(self, wells: Sequence[str]) -> dict[str, str]:
        """Return the text of each well, numbers with six digits.

        Args:
            wells: the wells, in any order.

        Raises:
            LayoutError: a number can't be used.
        """
        self._check()
        places = {well: well_position(well) for well in wells}
        key = _KEYS[self.direction]
        ranks = {found: rank for rank, found in enumerate(sorted({key(place) for place in places.values()}))}
        return {well: self.text(ranks[key(place)] // self.replicates) for well, place in places.items()}

    def text(self, number: int) -> str:
        """Return a value of the series by its number, from 0.

        Raises:
            LayoutError: it is too large or too small for a dose.
        """
        step = number % self.points if self.points else number
        try:
            match self.operation:
                case Operation.DIVIDE:
                    value = self.start / self.amount**step
                case Operation.MULTIPLY:
                    value = self.start * self.amount**step
                case Operation.ADD:
                    value = self.start + self.amount * step
        except OverflowError:
            value = float("inf")
        if abs(value) > _MOST or (self.operation is not Operation.ADD and abs(value) < _LEAST and self.start):
            raise LayoutError(f"value {number + 1} of the series would be {value:.3g}: begin again after fewer values")
        return f"{value:.6g}"

    def _check(self) -> None:
        if self.operation is not Operation.ADD and self.amount <= 0:
            raise LayoutError("the factor is not above 0: enter a number such as 3")
        if self.replicates < 1 or self.points < 0:
            raise LayoutError("the number of equal wells is not 1 or more: enter a number from 1")
