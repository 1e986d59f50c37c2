"""The formats of plates, and the wells at their rows and columns."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from openhcs_runtime.wells import well_name, well_position

__all__ = ["SHAPES", "PlateShape", "shape_for"]


@dataclass(frozen=True, slots=True)
class PlateShape:
    """Rows and columns of a plate."""

    rows: int
    columns: int

    @property
    def size(self) -> int:
        """Number of wells."""
        return self.rows * self.columns

    def well(self, row: int, column: int) -> str:
        """Return the well at a row and a column, from 0."""
        return well_name(row, column)

    def has(self, well: str) -> bool:
        """Return whether a well is on the plate."""
        row, column = well_position(well)
        return row < self.rows and column < self.columns


SHAPES: Final = tuple(
    PlateShape(rows, columns) for rows, columns in ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
)
"""Plates with 6, 12, 24, 48, 96, 384 and 1,536 wells (ANSI SLAS 4-2004)."""


def shape_for(wells: Iterable[str]) -> PlateShape:
    """Return the smallest plate that has all of these wells."""
    known = list(wells)
    return next(shape for shape in SHAPES if all(shape.has(well) for well in known))
