"""The plate map of a plate, as ``info`` shows it before a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openhcs_runtime.exceptions import PlateMapError, printable
from openhcs_runtime.plate_map import PlateMap, plate_map_if_any, read_plate_map
from openhcs_runtime.plates import Plate

__all__ = ["MapView", "map_view"]


@dataclass(frozen=True, slots=True)
class MapView:
    """What is known of a plate map.

    Attributes:
        plate_map: the plate map; None if there is none, or it can't be read.
        problems: wells that only the map or only the plate has, or why the map can't be used.
    """

    plate_map: PlateMap | None
    problems: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Its name and its columns in one line."""
        if self.plate_map is None:
            return "can't be used, see below" if self.problems else "none"
        name = Path(self.plate_map.file.path).name
        return printable(f"{name}: {', '.join(self.plate_map.columns) or 'no columns'}")

    def document(self) -> dict[str, Any] | None:
        """What is known, for programs; None if there is no plate map."""
        if self.plate_map is None and not self.problems:
            return None
        known = self.plate_map
        return {
            "path": known.file.path if known else None,
            "columns": list(known.columns) if known else [],
            "wells": list(known.wells) if known else [],
            "problems": list(self.problems),
        }


def map_view(plate: Plate) -> MapView:
    """Read the plate map that a run of the plate would use."""
    try:
        path = plate_map_if_any(plate.path)
        if path is None:
            return MapView(None)
        found = read_plate_map(path)
        return MapView(found, found.problems(plate.wells))
    except PlateMapError as error:
        return MapView(None, (str(error),))
