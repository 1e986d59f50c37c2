"""The cells of a plate map while it is edited: a frozen table of texts by column and well."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from openhcs_gui_services.exceptions import LayoutError
from openhcs_runtime.plate_map import MapValue, PlateMap
from openhcs_runtime.wells import well_position

__all__ = ["COMMON_COLUMNS", "LayoutTable", "table_of"]

COMMON_COLUMNS: Final = ("compound", "dose", "dose_unit", "control", "replicate", "cell_line")
"""Columns that have a meaning for ``openhcs-runtime profile``, in the order in which they are offered."""

_EXACT: Final = 2**53


@dataclass(frozen=True, slots=True)
class LayoutTable:
    """What is in each well, as texts; each edit returns another table.

    Attributes:
        columns: names of the columns, in order.
        cells: the texts by column and well, without empty ones.
        listed: wells that the file has a row for, even if the row is empty.
    """

    columns: tuple[str, ...] = ()
    cells: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()

    @property
    def wells(self) -> tuple[str, ...]:
        """Wells with a value or a row in the file, in plate order."""
        return tuple(sorted(self.listed.union(*self.cells.values()), key=well_position))

    def text(self, column: str, well: str) -> str:
        """Return the text of a well in a column; "" for an empty cell."""
        return self.cells.get(column, {}).get(well, "")

    def values(self, column: str) -> dict[str, tuple[str, ...]]:
        """Return the wells of each text of a column, in the order of their first well."""
        found: dict[str, list[str]] = {}
        cells = self.cells.get(column, {})
        for well in sorted(cells, key=well_position):
            found.setdefault(cells[well], []).append(well)
        return {text: tuple(wells) for text, wells in found.items()}

    def with_values(self, column: str, texts: Mapping[str, str]) -> "LayoutTable":
        """Return the table with these texts by well in a column, which is added if it is new; "" empties a cell."""
        table = self if column in self.columns else self.with_column(column)
        plain = {well: " ".join(text.splitlines()).strip() for well, text in texts.items()}
        merged = {**table.cells.get(column, {}), **plain}
        return replace(table, cells={**table.cells, column: {well: text for well, text in merged.items() if text}})

    def with_column(self, name: str) -> "LayoutTable":
        """Return the table with another column, at the end.

        Raises:
            LayoutError: the name can't be used.
        """
        name = self._checked(name)
        return replace(self, columns=(*self.columns, name), cells={**self.cells, name: {}})

    def with_columns(self, names: Iterable[str]) -> "LayoutTable":
        """Return the table with those of these columns that it lacks added."""
        table = self
        for name in names:
            if name not in table.columns:
                table = table.with_column(name)
        return table

    def renamed(self, old: str, new: str) -> "LayoutTable":
        """Return the table with another name for a column.

        Raises:
            LayoutError: the name can't be used.
        """
        if new.strip() == old:
            return self
        new = self._checked(new)
        names = {name: new if name == old else name for name in self.columns}
        return replace(
            self,
            columns=tuple(names.values()),
            cells={names[name]: texts for name, texts in self.cells.items() if name in names},
        )

    def without_column(self, name: str) -> "LayoutTable":
        """Return the table without a column."""
        return replace(
            self,
            columns=tuple(each for each in self.columns if each != name),
            cells={each: texts for each, texts in self.cells.items() if each != name},
        )

    def _checked(self, name: str) -> str:
        name = " ".join(name.split())
        if not name:
            raise LayoutError("the column has no name: enter one, such as compound")
        if name.casefold() in ("well", "wells"):
            raise LayoutError(f"the wells have the column {name!r} already: enter another name")
        if any(letter in name for letter in ";\t\n,#") or not name.isprintable():
            raise LayoutError(f"{name!r} can't be the name of a column: leave out commas, semicolons and #")
        if name.casefold() in {known.casefold() for known in self.columns}:
            raise LayoutError(f"there is a column {name!r} already: enter another name")
        return name


def table_of(plate_map: PlateMap) -> LayoutTable:
    """Return a plate map as a table that gives the same values when it is written and read again."""
    return LayoutTable(
        columns=plate_map.columns,
        cells={
            name: {well: _text(value) for well, value in plate_map.values[name].items() if value is not None}
            for name in plate_map.columns
        },
        listed=frozenset(plate_map.wells),
    )


def _text(value: MapValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return value if isinstance(value, str) else repr(value)
