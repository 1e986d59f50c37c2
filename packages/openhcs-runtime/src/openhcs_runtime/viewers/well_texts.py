"""What the wells of a run contain, from the copy of its plate map, for the titles of viewers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map import describe_well, read_plate_map
from openhcs_runtime.tables.places import plate_map_copy

__all__ = ["WellDescriptions", "describe_wells"]


@dataclass(frozen=True, slots=True)
class WellDescriptions:
    """What the plate map says of each well.

    Attributes:
        texts: a line for each well of the plate map.
        problem: why they are missing; empty if they are not, or if the plate has no plate map.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    def of(self, well: str) -> str:
        """Return the line of a well; empty if there is none."""
        return self.texts.get(well, "")


def describe_wells(results: Path) -> WellDescriptions:
    """Read what the plate map of a run says of its wells."""
    path = plate_map_copy(results)
    if path is None:
        return WellDescriptions()
    try:
        plate_map = read_plate_map(path)
        return WellDescriptions({well: describe_well(plate_map, well) for well in plate_map.wells})
    except PlateMapError as error:
        return WellDescriptions(problem=f"the plate map is left out: {error}")
