"""The columns that tables take from a plate map."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs_runtime.plate_map import PlateMap
from openhcs_runtime.plate_map.values import ColumnKind, MapValue
from openhcs_runtime.tables.arrow import repeated

if TYPE_CHECKING:
    import pyarrow

_PREFIX = "map_"


@dataclass(frozen=True, slots=True)
class MapColumn:
    """A column of a table that is taken from a plate map.

    Attributes:
        name: its name in the tables; that of the plate map, after ``map_`` if a table has such a column itself.
        source: its name in the plate map.
        plate_map: the plate map.
    """

    name: str
    source: str
    plate_map: PlateMap

    @property
    def type(self) -> "pyarrow.DataType":
        """Its type in Arrow."""
        import pyarrow  # noqa: PLC0415  heavy

        match self.plate_map.kind(self.source):
            case ColumnKind.TRUTH:
                return pyarrow.bool_()
            case ColumnKind.NUMBER:
                values = [value for value in self.plate_map.values[self.source].values() if value is not None]
                whole = all(isinstance(value, int) for value in values)
                return pyarrow.int64() if whole else pyarrow.float64()
            case ColumnKind.TEXT | ColumnKind.EMPTY:
                return pyarrow.string()

    def of_well(self, well: str) -> MapValue | None:
        """Return its value for a well; None if the plate map has none."""
        return self.plate_map.value(well, self.source)

    def repeated(self, well: str, rows: int) -> "pyarrow.Array":
        """Return its value for a well in a number of rows."""
        return repeated(self.of_well(well), self.type, rows)


@dataclass(frozen=True, slots=True)
class PlateFacts:
    """What all rows of the tables of a plate have in common.

    Attributes:
        name: name of the plate.
        channels: number of each channel, by its short name.
        map_columns: columns taken from its plate map.
    """

    name: str
    channels: Mapping[str, int] = field(default_factory=dict)
    map_columns: tuple[MapColumn, ...] = ()


def map_columns(plate_map: PlateMap | None, taken: Iterable[str]) -> tuple[MapColumn, ...]:
    """Return the columns that all tables of a plate take from its plate map.

    Args:
        plate_map: the plate map; None for none.
        taken: names of the other columns of any of the tables. Some readers don't tell upper and lower case apart, so
            a name is taken in either.
    """
    used = {name.casefold() for name in taken}
    found: list[MapColumn] = []
    for source in () if plate_map is None else plate_map.columns:
        name = source
        while name.casefold() in used:
            name = _PREFIX + name
        used.add(name.casefold())
        assert plate_map is not None
        found.append(MapColumn(name, source, plate_map))
    return tuple(found)
