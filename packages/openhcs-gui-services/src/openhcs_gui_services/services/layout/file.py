"""The file of a plate map next to its plate: where it is, how it is read, and how it is written and checked."""

import csv
import io
import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from openhcs_gui_services.exceptions import LayoutError
from openhcs_gui_services.services.layout.table import LayoutTable, table_of
from openhcs_runtime.plate_map import parse_plate_map, plate_map_if_any, plate_map_places, text_form
from openhcs_runtime.plate_map.read import EXCEL_SUFFIXES, digest_of_plate_map, read_content
from openhcs_runtime.plate_map.values import typed_column
from openhcs_runtime.stores.path import as_path

__all__ = ["LayoutFile", "MapForm", "csv_of", "find_file", "import_table", "own_place"]


class MapForm(StrEnum):
    """How a plate map is written."""

    LIST = "list"
    """Text with a row for each well: what the editor writes."""
    BLOCKS = "blocks"
    """Text with matrices of letters by numbers, or with comments, which the editor does not keep."""
    EXCEL = "Excel"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class LayoutFile:
    """The plate map of a plate as it is on disk.

    Attributes:
        plate: the folder of the plate, or its URL.
        path: the file that counts; None if there is none.
        table: what it says.
        digest: digest of its content; "" without a file.
        form: how it is written.
        delimiter: what separates its cells, for text.
        is_shared: whether other plates in the folder have the same map.
        problem: why nothing can be saved; "" if it can.
    """

    plate: str
    path: Path | None = None
    table: LayoutTable = field(default_factory=LayoutTable)
    digest: str = ""
    form: MapForm = MapForm.LIST
    delimiter: str = ","
    is_shared: bool = False
    problem: str = ""


def find_file(plate: str) -> LayoutFile:
    """Read the plate map that a run of this plate would find.

    Raises:
        PlateMapError: there are several in one place, or the file can't be read.
    """
    folder = as_path(plate)
    if not isinstance(folder, Path):
        return LayoutFile(
            plate,
            problem="a plate on the net has no plate map next to it: export the layout, and name the file when you run "
            "the plate (--platemap)",
        )
    path = plate_map_if_any(folder)
    if path is None:
        return LayoutFile(plate, problem=_place_problem(folder))
    data = read_content(path)
    form, delimiter = _form_of(data, path)
    return LayoutFile(
        plate,
        path,
        table_of(parse_plate_map(data, path)),
        digest_of_plate_map(data),
        form,
        delimiter,
        is_shared=path in plate_map_places(folder)[-1],
    )


def own_place(plate: str) -> Path:
    """Return where a plate map in CSV for this plate alone is written: next to the plate, or else into it.

    Raises:
        LayoutError: the plate is on the net.
    """
    folder = as_path(plate)
    if not isinstance(folder, Path):
        raise LayoutError("a plate on the net has no plate map next to it: export the layout")
    inside, beside, _ = (next(path for path in paths if path.suffix == ".csv") for paths in plate_map_places(folder))
    is_better = folder.is_dir() and os.access(folder, os.W_OK) and not os.access(folder.parent, os.W_OK)
    return inside if is_better else beside


def import_table(path: Path) -> LayoutTable:
    """Read a plate map in any form that runs take.

    Raises:
        PlateMapError: it can't be read.
    """
    return table_of(parse_plate_map(read_content(path), path))


def csv_of(table: LayoutTable, path: Path, delimiter: str = ",") -> bytes:
    """Return a table as the content of a file, after reading it back.

    Args:
        table: the table.
        path: the file, for messages.
        delimiter: what separates cells.

    Raises:
        LayoutError: there is nothing to write, or it would be read differently.
        PlateMapError: the runtime refuses it.
    """
    if not any(table.cells.get(column) for column in table.columns):
        raise LayoutError(f"the layout is empty: enter values, or delete {path.name} if the plate shall have no map")
    rows = [[well, *(table.text(column, well) for column in table.columns)] for well in table.wells]
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter, lineterminator="\n").writerows([["well", *table.columns], *rows])
    data = target.getvalue().encode()
    again = parse_plate_map(data, path)
    meant = {
        column: typed_column({well: table.text(column, well) for well in table.wells}, decimal_comma=delimiter != ",")
        for column in table.columns
    }
    if again.columns != table.columns or again.values != meant:
        raise LayoutError(
            f"{path.name} would be read differently from what is shown: remove unusual signs from names and values"
        )
    return data


def _form_of(data: bytes, path: Path) -> tuple[MapForm, str]:
    suffix = path.suffix.lower()
    if suffix in EXCEL_SUFFIXES:
        return MapForm.EXCEL, ","
    if suffix == ".json":
        return MapForm.JSON, ","
    form = text_form(data)
    return (MapForm.LIST if form.is_list and not form.has_comments else MapForm.BLOCKS), form.delimiter


def _place_problem(folder: Path) -> str:
    if not folder.exists():
        return f"{folder} is away: connect its disk, then choose the plate again"
    if any(os.access(place, os.W_OK) for place in (folder.parent, folder) if place.is_dir()):
        return ""
    return f"{folder.parent} can't be written: export the layout, and name the file when you run the plate (--platemap)"
