"""Blocks and lists of values, from and to spreadsheets: cells separated by tabs."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from openhcs_gui_services.exceptions import LayoutError
from openhcs_gui_services.services.layout.shapes import PlateShape
from openhcs_gui_services.services.layout.table import LayoutTable, table_of
from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map import parse_plate_map, text_form
from openhcs_runtime.wells import well_position

__all__ = ["block_text", "list_text", "paste"]

_SOURCE: Final = Path("the pasted cells.tsv")
_ROW: Final = re.compile(r"[A-Za-z]|[Aa][A-Fa-f]")


def block_text(table: LayoutTable, column: str, wells: Sequence[str]) -> str:
    """Return the values of wells as the smallest block that has them all, cells separated by tabs.

    Args:
        table: the table.
        column: the column.
        wells: the wells; others in the block are empty.
    """
    places = {well_position(well): well for well in wells}
    rows = range(min(row for row, _ in places), max(row for row, _ in places) + 1)
    columns = range(min(each for _, each in places), max(each for _, each in places) + 1)
    return _written(
        [[table.text(column, places[row, each]) if (row, each) in places else "" for each in columns] for row in rows]
    )


def list_text(table: LayoutTable, wells: Sequence[str]) -> str:
    """Return all columns of wells as a list with a title line, cells separated by tabs."""
    ordered = sorted(wells, key=well_position)
    rows = [[well, *(table.text(column, well) for column in table.columns)] for well in ordered]
    return _written([["well", *table.columns], *rows])


def paste(
    table: LayoutTable, text: str, column: str, wells: Sequence[str], shape: PlateShape
) -> tuple[LayoutTable, tuple[str, ...]]:
    """Return a table with pasted cells, and the wells that got some.

    A list with a column of wells, or matrices with letters and numbers at their edges, go where they say, into columns
    of their titles. A single value goes into all chosen wells, and any other block begins at the first chosen well; if
    whole copies of it fill the chosen wells, it is repeated.

    Args:
        table: the table before.
        text: the cells, as a spreadsheet copies them.
        column: the column for blocks.
        wells: the chosen wells.
        shape: the plate.

    Raises:
        LayoutError: there is nothing to paste, or it does not fit.
    """
    block = [list(row) for row in csv.reader(io.StringIO(text.rstrip("\r\n")), delimiter="\t")]
    if not any(cell.strip() for row in block for cell in row):
        raise LayoutError("the clipboard has no cells: copy some in a spreadsheet first")
    if _names_wells(text) or _is_titled_matrix(block):
        return _merged(table, text, shape)
    if _is_matrix(block):
        return _placed(table, block, column, shape)
    if not wells:
        raise LayoutError("no well is selected: select the first well of the block")
    return _filled(table, block, column, wells, shape)


def _filled(
    table: LayoutTable, block: Sequence[Sequence[str]], column: str, wells: Sequence[str], shape: PlateShape
) -> tuple[LayoutTable, tuple[str, ...]]:
    places = [well_position(well) for well in wells]
    top, left = min(row for row, _ in places), min(each for _, each in places)
    height, width = len(block), max(map(len, block))
    selected = max(row for row, _ in places) - top + 1, max(each for _, each in places) - left + 1
    is_whole = len(places) == selected[0] * selected[1] and not (selected[0] % height or selected[1] % width)
    rows, columns = selected if is_whole else (height, width)
    if top + rows > shape.rows or left + columns > shape.columns:
        raise LayoutError(
            f"the block has {height} rows and {width} columns and does not fit at {shape.well(top, left)}: select a "
            "well further up or left"
        )
    texts = {}
    for row in range(rows):
        cells = block[row % height]
        for each in range(columns):
            texts[shape.well(top + row, left + each)] = cells[each % width] if each % width < len(cells) else ""
    return table.with_values(column, texts), tuple(texts)


def _placed(
    table: LayoutTable, block: Sequence[Sequence[str]], column: str, shape: PlateShape
) -> tuple[LayoutTable, tuple[str, ...]]:
    """Place a matrix with letters and numbers at its edges and no title, into one column."""
    title = [column, *block[0][1:]]
    return _merged(table, _written([title, *block[1:]]), shape)


def _merged(table: LayoutTable, text: str, shape: PlateShape) -> tuple[LayoutTable, tuple[str, ...]]:
    try:
        found = table_of(parse_plate_map(text.encode(), _SOURCE))
    except PlateMapError as error:
        raise LayoutError(str(error)) from error
    beyond = [well for well in found.wells if not shape.has(well)]
    if beyond:
        raise LayoutError(
            f"the pasted cells have well {beyond[0]}, which a plate with {shape.size} wells lacks: choose a larger "
            "plate"
        )
    names = {name.casefold(): name for name in table.columns}
    for name in found.columns:
        table = table.with_values(names.get(name.casefold(), name), found.cells[name])
    return table, found.wells


def _names_wells(text: str) -> bool:
    try:
        return "\t" in text.partition("\n")[0] and text_form(text.encode()).is_list
    except PlateMapError:
        return False


def _is_matrix(block: Sequence[Sequence[str]]) -> bool:
    """Return whether a block has an empty corner, numbers 1, 2, 3 above and letters to the left."""
    return not block[0][0].strip() and _has_edges(block)


def _is_titled_matrix(block: Sequence[Sequence[str]]) -> bool:
    return bool(block[0][0].strip()) and not block[0][0].strip().isdigit() and _has_edges(block)


def _has_edges(block: Sequence[Sequence[str]]) -> bool:
    numbers = [cell.strip() for cell in block[0][1:]]
    letters = [row[0].strip() for row in block[1:] if row]
    return (
        bool(numbers and letters)
        and all(map(_ROW.fullmatch, letters))
        and all(text.isascii() and text.isdigit() for text in numbers)
    )


def _written(rows: Sequence[Sequence[str]]) -> str:
    target = io.StringIO()
    csv.writer(target, delimiter="\t", lineterminator="\n").writerows(rows)
    return target.getvalue()
