"""How a measurement of the wells moved between two runs of a plate. Without Qt."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from openhcs_runtime.components import well_position

__all__ = ["WellChange", "compare_wells"]


@dataclass(frozen=True, slots=True)
class WellChange:
    """The value of a well in two runs; NaN where it has none.

    Attributes:
        well: the well.
        old: its value in the other run.
        new: its value in the shown run.
    """

    well: str
    old: float
    new: float

    @property
    def change(self) -> float:
        """The difference, new minus old; NaN if one of them is missing."""
        return self.new - self.old

    @property
    def percent(self) -> float:
        """The difference in percent of the old value; NaN if it is 0 or one of them is missing."""
        return 100 * self.change / abs(self.old) if self.old else math.nan


def compare_wells(old: Mapping[str, float], new: Mapping[str, float]) -> tuple[WellChange, ...]:
    """Return the wells of both runs: those with a value in only one of them first, then the largest changes."""
    wells = sorted({*old, *new}, key=well_position)
    changes = (WellChange(well, old.get(well, math.nan), new.get(well, math.nan)) for well in wells)
    return tuple(sorted(changes, key=lambda one: -math.inf if math.isnan(one.change) else -abs(one.change)))
