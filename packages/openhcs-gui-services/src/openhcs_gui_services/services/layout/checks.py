"""What the runtime refuses in a layout, or may misread; found by its own checks."""

from collections.abc import Sequence
from pathlib import Path

from openhcs_gui_services.exceptions import LayoutError
from openhcs_gui_services.services.layout.file import csv_of
from openhcs_gui_services.services.layout.table import LayoutTable
from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map import parse_plate_map

__all__ = ["layout_notes"]


def layout_notes(table: LayoutTable, wells: Sequence[str], path: Path, delimiter: str = ",") -> tuple[str, ...]:
    """Return what may be wrong with a layout, a line each; loads numpy.

    Args:
        table: the layout.
        wells: wells of the plate that have images; empty if they are not known.
        path: the file that it is for; messages name it.
        delimiter: what separates cells in it.
    """
    from openhcs_runtime.profiles import check_plate_map  # noqa: PLC0415  loads numpy

    if not any(table.cells.values()):
        return ()
    try:
        plate_map = parse_plate_map(csv_of(table, path, delimiter), path)
        lines = [*(plate_map.problems(wells) if wells else ()), *check_plate_map(plate_map)]
    except (PlateMapError, LayoutError) as error:
        lines = [str(error)]
    return tuple(line.replace(f"plate map {path}", "the layout").replace(str(path), path.name) for line in lines)
