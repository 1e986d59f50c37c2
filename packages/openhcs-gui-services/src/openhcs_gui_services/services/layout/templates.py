"""Usual layouts to begin with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from openhcs_gui_services.services.layout.shapes import PlateShape
from openhcs_gui_services.services.layout.table import COMMON_COLUMNS, LayoutTable
from openhcs_runtime.wells import well_position

__all__ = ["TEMPLATES", "Template"]

CONTROL, NEGATIVE, POSITIVE = "control", "negative", "positive"

_Rule = Callable[[int, int, PlateShape], str]
"""Row and column from 0, and the plate; returns the kind of control, "" for none."""


@dataclass(frozen=True, slots=True)
class Template:
    """A layout to begin with.

    Attributes:
        title: its name.
        rule: the kind of control at each place; None to leave the controls as they are.
        columns: columns that it adds.
    """

    title: str
    rule: _Rule | None
    columns: Sequence[str]

    def apply(self, table: LayoutTable, shape: PlateShape, wells: Sequence[str]) -> LayoutTable:
        """Return a table with the columns and controls of this layout; other values stay.

        Args:
            table: the table before.
            shape: the plate.
            wells: wells of the plate that have images; empty for all.
        """
        chosen = wells or [shape.well(row, column) for row in range(shape.rows) for column in range(shape.columns)]
        made = table.with_columns(self.columns)
        if (rule := self.rule) is None:
            return made
        return made.with_values(CONTROL, {well: rule(*well_position(well), shape) for well in chosen})


def _two_and_two(row: int, column: int, shape: PlateShape) -> str:
    width = 2 if shape.columns >= 8 else 1
    return NEGATIVE if column < width else POSITIVE if column >= shape.columns - width else ""


def _one_and_one(row: int, column: int, shape: PlateShape) -> str:
    return NEGATIVE if column == 0 else POSITIVE if column == shape.columns - 1 else ""


def _alternating(row: int, column: int, shape: PlateShape) -> str:
    if column not in (0, shape.columns - 1):
        return ""
    return NEGATIVE if (row + (column > 0)) % 2 == 0 else POSITIVE


def _negative_only(row: int, column: int, shape: PlateShape) -> str:
    return NEGATIVE if column < (2 if shape.columns >= 8 else 1) else ""


_SCREEN: Final = ("compound", "dose", "dose_unit", CONTROL)

TEMPLATES: Final = (
    Template("Empty, with the usual columns", None, COMMON_COLUMNS),
    Template("Negative controls in the first two columns", _negative_only, _SCREEN),
    Template("Negative first two columns, positive last two", _two_and_two, _SCREEN),
    Template("Negative first column, positive last", _one_and_one, _SCREEN),
    Template("Both controls alternating in the first and last column", _alternating, _SCREEN),
)
"""The layouts, in the order in which they are offered. Plates with fewer than 8 columns have controls in one column."""
