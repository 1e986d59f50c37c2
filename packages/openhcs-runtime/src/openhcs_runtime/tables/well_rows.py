"""The rows of the table of wells: how each ended, sums of counts, and means over its images and its objects."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs_runtime.pipeline.cells import COUNT_SUFFIX, Cell, ColumnKind, is_missing
from openhcs_runtime.results import WellResult
from openhcs_runtime.tables.columns import column_of
from openhcs_runtime.tables.join import ObjectTable
from openhcs_runtime.tables.rows import Row
from openhcs_runtime.tables.schema import Measure

if TYPE_CHECKING:
    import pyarrow

_STATUS, _ERROR, _IMAGES = OWN_COLUMNS = ("status", "error", "image_count")
_NUMBERS = (ColumnKind.INT, ColumnKind.WIDE, ColumnKind.FLOAT, ColumnKind.EMPTY)


@dataclass(slots=True)
class ObjectMeans:
    """The means of the measures of objects in each well, collected while the tables of objects are written.

    Attributes:
        values: means by well and column.
        measures: what the columns are.
        tables: the column of wells for each column of the tables of objects.
    """

    values: dict[str, dict[str, Cell]] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    tables: dict[str, dict[str, Measure]] = field(default_factory=dict)

    def add(self, table: ObjectTable, well: str, rows: "pyarrow.Table") -> None:
        """Add the objects of a well, of which missing values are left out."""
        from pyarrow import compute  # noqa: PLC0415  heavy

        if table.name not in self.tables:
            self.tables[table.name] = mean_columns(table)
            self.measures |= {column_of(mean): mean for mean in self.tables[table.name].values()}
        of_well = self.values.setdefault(well, {})
        for name, mean in self.tables[table.name].items():
            of_well[column_of(mean)] = compute.mean(rows.column(name)).as_py()


def mean_columns(table: ObjectTable) -> dict[str, Measure]:
    """Return the measures of the table of wells for those columns of a table of objects that have a mean."""
    return {
        name: Measure(measure=f"{table.name}_{measure.measure}", channel=measure.channel, unit=measure.unit)
        for name, measure in table.measures.items()
        if table.kinds[name] in _NUMBERS and measure.is_quantity
    }


def well_rows(
    wells: Iterable[WellResult], images: Sequence[Row], measures: Mapping[str, Measure], means: ObjectMeans
) -> tuple[list[Row], dict[str, Measure]]:
    """Return the rows of the table of wells, and what their columns are.

    Args:
        wells: how each well ended.
        images: the rows of the table of images. Counts are summed up over the images of a well; of other numbers it is
            the mean.
        measures: what the columns of images are.
        means: the means over objects, which take the place of the means and standard deviations of each image.
    """
    by_well: dict[str, list[Row]] = {}
    for row in images:
        by_well.setdefault(row.well, []).append(row)
    prefixes = tuple(f"{table}_" for table in means.tables)
    numbers = {
        name: measure
        for name, measure in measures.items()
        if _has_numbers(name, images)
        and not (measure.measure.startswith(prefixes) and measure.measure.endswith(("_mean", "_std")))
    }
    rows = []
    for well in wells:
        of_well = by_well.get(well.well, [])
        values: dict[str, Cell] = {_STATUS: well.status.value, _ERROR: well.error, _IMAGES: len(of_well)}
        for name, measure in numbers.items():
            cells = [row.values[name] for row in of_well if not is_missing(row.values.get(name))]
            values[name] = _combined([cell for cell in cells if isinstance(cell, int | float)], measure)
        rows.append(Row(well.well, (), values | means.values.get(well.well, {})))
    own = {name: Measure(measure=name) for name in (_STATUS, _ERROR, _IMAGES)}
    found = own | numbers | means.measures
    for row in rows:
        row.values = {name: row.values.get(name) for name in found}
    return rows, found


def _has_numbers(name: str, images: Iterable[Row]) -> bool:
    """Return whether a column of images has numbers, or nothing."""
    cells = (row.values.get(name) for row in images)
    return all(is_missing(cell) or (isinstance(cell, int | float) and not isinstance(cell, bool)) for cell in cells)


def _combined(cells: Sequence[int | float], measure: Measure) -> Cell:
    """Return the sum of counts, and the mean of other numbers; None if there are none."""
    if not cells:
        return None
    if measure.measure.endswith(COUNT_SUFFIX) and not measure.unit:
        return sum(cells)
    return math.fsum(cells) / len(cells)
