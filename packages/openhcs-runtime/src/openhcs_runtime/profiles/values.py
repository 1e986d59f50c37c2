"""Profiles of wells: a row for each well, with its measures and what the plate map says of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.plate_map import MapValue, parse_where
from openhcs_runtime.plate_map.values import type_of
from openhcs_runtime.tables.schema import Measure

MapRow = Mapping[str, MapValue | None]
"""What the plate map says of a well, by column."""


@dataclass(frozen=True, slots=True, eq=False)
class WellProfiles:
    """The measures of wells.

    Attributes:
        table: name of the table that they were made from.
        source: where that table is, for messages.
        plates: plate of each row.
        wells: well of each row, such as ``A01``; rows are in plate order.
        plate_map: values of each column of the plate map (one per row); None for empty cells.
        measures: what each measure is, by name, in the order of the columns of ``values``.
        values: the measures (rows, measures), float64; NaN where a value is missing.
    """

    table: str
    source: str
    plates: tuple[str, ...]
    wells: tuple[str, ...]
    plate_map: Mapping[str, tuple[MapValue | None, ...]]
    measures: Mapping[str, Measure]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.wells)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a measure (rows,).

        Raises:
            OutputError: there is no such measure.
        """
        return self.values[:, self._place(name)]

    def only(self, names: Sequence[str]) -> "WellProfiles":
        """Return these measures, in this order.

        Raises:
            OutputError: there is no such measure.
        """
        places = [self._place(name) for name in names]
        return replace(self, measures={name: self.measures[name] for name in names}, values=self.values[:, places])

    def row(self, index: int) -> MapRow:
        """Return what the plate map says of the well in a row."""
        return {name: column[index] for name, column in self.plate_map.items()}

    def rows(self, chosen: NDArray[np.bool_]) -> "WellProfiles":
        """Return some of the rows.

        Args:
            chosen: whether a row is one of them (rows,).
        """
        places = np.flatnonzero(chosen).tolist()
        return replace(
            self,
            plates=tuple(self.plates[place] for place in places),
            wells=tuple(self.wells[place] for place in places),
            plate_map={name: tuple(column[place] for place in places) for name, column in self.plate_map.items()},
            values=self.values[chosen],
        )

    def without(self, wells: Collection[str]) -> "WellProfiles":
        """Return the rows of all wells but these."""
        return self.rows(np.array([well not in wells for well in self.wells], dtype=np.bool_)) if wells else self

    def matching(self, expression: str) -> NDArray[np.bool_]:
        """Return for which wells an expression over the plate map is true (rows,), such as ``control == 'DMSO'``.

        The columns ``plate`` and ``well`` can be used, too.

        Raises:
            PlateMapError: it is not valid, or uses a column that does not exist or has values of another kind.
        """
        where = parse_where(expression)
        columns = {"plate": self.plates, "well": self.wells, **self.plate_map}
        types = {
            name: type_of({str(row): value for row, value in enumerate(column)}) for name, column in columns.items()
        }
        where.check(types, f"the plate map in {self.source}")
        used = where.columns
        return np.array(
            [where.is_true({name: columns[name][row] for name in used}) for row in range(len(self))], dtype=np.bool_
        )

    def plate_rows(self) -> Mapping[str, NDArray[np.intp]]:
        """Return the rows of each plate."""
        plates = np.array(self.plates, dtype=object)
        return {plate: np.flatnonzero(plates == plate) for plate in dict.fromkeys(self.plates)}

    def _place(self, name: str) -> int:
        from openhcs_runtime.tables.read import closest  # noqa: PLC0415  only for errors and heavy

        names = list(self.measures)
        if name not in self.measures:
            raise OutputError(f"{self.source} has no measure {name!r}: {closest(name, names)}")
        return names.index(name)
