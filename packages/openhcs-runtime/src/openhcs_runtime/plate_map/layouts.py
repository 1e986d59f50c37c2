"""The two layouts of a plate map: a list with a row for each well, and matrices of letters by numbers with a title."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map.values import RawCell
from openhcs_runtime.wells import normal_well

_WELL_TITLES = ("well", "wells", "well_name", "well_id", "wellname", "wellid", "well_position", "position")
_ROW_TITLES = ("row", "well_row", "rowname")
_COLUMN_TITLES = ("column", "col", "well_column", "well_col", "columnname")
_ROW = re.compile(r"[A-Za-z]|A[A-Fa-f]|a[A-Fa-f]")
_FORMS = (
    "write a row for each well under a title line with a column 'well', or a block with a title, the numbers 1, 2, 3 "
    "... to its right and the letters A, B, C ... below it"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file: its number, from 1, and its cells."""

    number: int
    cells: Sequence[RawCell]

    def text(self, index: int) -> str:
        """Return a cell as text without spaces around it; empty past the end of the line."""
        cell = self.cells[index] if index < len(self.cells) else None
        if isinstance(cell, float) and cell.is_integer():
            return str(int(cell))
        return "" if cell is None else str(cell).strip()

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing but empty cells."""
        return not any(self.text(index) for index in range(len(self.cells)))


@dataclass(slots=True)
class Columns:
    """The cells of a map by column and well, and the line in which each well was found."""

    source: str
    cells: dict[str, dict[str, RawCell]] = field(default_factory=dict)
    wells: dict[str, int] = field(default_factory=dict)

    def add_column(self, title: str, number: int) -> None:
        """Add a column.

        Raises:
            PlateMapError: there is one of this name.
        """
        if title in self.cells:
            raise PlateMapError(f"{self.source}, line {number}: column {title!r} is there twice; rename one of them")
        self.cells[title] = {}


def columns_of(lines: Sequence[Line], source: str) -> Columns:
    """Return the columns of a map in either layout.

    Args:
        lines: the lines of the file.
        source: the file, for messages.

    Raises:
        PlateMapError: it has neither layout, or what is wrong with a line.
    """
    filled = [line for line in lines if not line.is_empty and not line.text(0).startswith("#")]
    if not filled:
        raise PlateMapError(f"{source} is empty: {_FORMS}")
    places = _well_columns(filled[0])
    found = Columns(source)
    if places:
        _check_only_one_names_wells(filled, places, source)
        _read_list(filled, places, found)
    else:
        _read_matrices(lines, found)
    if not found.wells:
        raise PlateMapError(f"{source} describes no wells: {_FORMS}")
    return found


def names_wells(header: Line) -> bool:
    """Return whether a title line has a column that names the wells, or columns of their rows and columns."""
    return bool(_well_columns(header))


def _well_columns(header: Line) -> tuple[int, ...]:
    """Return the place of the column of wells, or of rows and columns; empty if there are none."""
    titles = _plain_titles(header)
    wells = [index for index, title in enumerate(titles) if title in _WELL_TITLES]
    if wells:
        return (wells[0],)
    rows = [index for index, title in enumerate(titles) if title in _ROW_TITLES]
    columns = [index for index, title in enumerate(titles) if title in _COLUMN_TITLES]
    return (rows[0], columns[0]) if rows and columns else ()


def _plain_titles(header: Line) -> list[str]:
    return [header.text(index).lower().replace(" ", "_").replace("-", "_") for index in range(len(header.cells))]


def _check_only_one_names_wells(lines: Sequence[Line], places: Sequence[int], source: str) -> None:
    """Check that no other column could be meant as the one that names the wells, or rows or columns.

    Raises:
        PlateMapError: one has the same title, or names other wells under another title, such as ``position``.
    """
    header = lines[0]
    titles = _plain_titles(header)
    for index, title in enumerate(titles):
        if index in places:
            continue
        if title in {titles[place] for place in places}:
            raise PlateMapError(
                f"{source}, line {header.number}: two columns are named {header.text(index)!r}, so it is not clear "
                "which one names the wells; rename or remove one of them"
            )
        if len(places) == 1 and title in _WELL_TITLES:
            _check_same_wells(lines, places[0], index, source)


def _check_same_wells(lines: Sequence[Line], place: int, other: int, source: str) -> None:
    header = lines[0]
    for line in lines[1:]:
        try:
            one, two = normal_well(line.text(place)), normal_well(line.text(other))
        except ValueError:  # not a name of a well, so that the other column has something else
            continue
        if one != two:
            raise PlateMapError(
                f"{source}, line {line.number}: {header.text(place)!r} says well {one} and {header.text(other)!r} says "
                f"well {two}; rename the column that does not name the wells of this plate"
            )


def _read_list(lines: Sequence[Line], places: Sequence[int], found: Columns) -> None:
    header = lines[0]
    titles = {index: header.text(index) for index in range(len(header.cells)) if index not in places}
    for title in titles.values():
        if title:
            found.add_column(title, header.number)
    for line in lines[1:]:
        well = _well("".join(line.text(place) for place in places), line, found.source)
        if (known := found.wells.get(well)) is not None:
            raise PlateMapError(
                f"{found.source}, line {line.number}: well {well} is also in line {known}; "
                + ("keep only the rows of one plate" if _has_plates(titles) else "remove one of them")
            )
        found.wells[well] = line.number
        for index in range(len(line.cells)):
            if index in places:
                continue
            if titles.get(index):
                found.cells[titles[index]][well] = line.cells[index]
            elif line.text(index):
                raise PlateMapError(
                    f"{found.source}, line {line.number}: {line.text(index)!r} is in a column without a title; "
                    f"give it one in line {header.number}"
                )


def _has_plates(titles: Mapping[int, str]) -> bool:
    return any(title.casefold() == "plate" for title in titles.values())


def _well(text: str, line: Line, source: str) -> str:
    try:
        return normal_well(text)
    except ValueError as error:
        problem = str(error) if text else "the name of the well is missing"
        raise PlateMapError(f"{source}, line {line.number}: {problem}; name a well such as A01") from error


def _read_matrices(lines: Sequence[Line], found: Columns) -> None:
    index = 0
    for index, numbers in _blocks(lines):
        title = _title(lines, index, found.source)
        found.add_column(title, lines[index].number)
        for line in lines[index + 1 :]:
            if line.is_empty or not _ROW.fullmatch(line.text(0)):
                break
            for place, number in numbers.items():
                if line.text(place):
                    well = _well(f"{line.text(0)}{number}", line, found.source)
                    found.wells.setdefault(well, line.number)
                    if well in found.cells[title]:
                        raise PlateMapError(
                            f"{found.source}, line {line.number}: row {line.text(0)} of {title!r} is there twice; "
                            "remove one of them"
                        )
                    found.cells[title][well] = line.cells[place]


def _blocks(lines: Sequence[Line]) -> Iterator[tuple[int, Mapping[int, int]]]:
    """Yield the index of the line with the numbers of each block, and its numbers by place."""
    for index, line in enumerate(lines[:-1]):
        places = [place for place in range(1, len(line.cells)) if line.text(place)]
        texts = [line.text(place) for place in places]
        if not texts or not all(text.isascii() and text.isdigit() for text in texts):
            continue
        numbers = [int(text) for text in texts]
        follows = _ROW.fullmatch(lines[index + 1].text(0)) is not None
        if follows and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            yield index, dict(zip(places, numbers, strict=True))


def _title(lines: Sequence[Line], index: int, source: str) -> str:
    """Return the title of a block: the cell in its corner, or the only one in the line above."""
    if corner := lines[index].text(0):
        return corner
    above = lines[index - 1] if index else None
    texts = [above.text(place) for place in range(len(above.cells)) if above.text(place)] if above else []
    if len(texts) != 1 or (above and _ROW.fullmatch(above.text(0))):
        raise PlateMapError(
            f"{source}, line {lines[index].number}: the block has no title; write one to the left of its numbers, or "
            "in the line above"
        )
    return texts[0]
