"""A plate map: columns such as compound and dose, with a value for each well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map.expression import Where, parse_where
from openhcs_runtime.plate_map.values import ColumnKind, MapValue, kind_of, type_of
from openhcs_runtime.wells import normal_well

_NAMED = 5


@dataclass(frozen=True, slots=True)
class PlateMapFile:
    """The file that a plate map was read from.

    Attributes:
        path: its path.
        digest: BLAKE2b digest (16 bytes, hexadecimal) of its content.
    """

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class PlateMap:
    """What is in each well of a plate.

    Attributes:
        file: the file it was read from.
        columns: names of the columns, in the order of the file, without the one that names the wells.
        wells: wells that it describes, in plate order.
        values: the values by column and well; None for an empty cell.
        decimal_comma: whether numbers of the file may have a comma, as in ``0,5``.
    """

    file: PlateMapFile
    columns: tuple[str, ...]
    wells: tuple[str, ...]
    values: Mapping[str, Mapping[str, MapValue | None]]
    decimal_comma: bool = False

    def value(self, well: str, column: str) -> MapValue | None:
        """Return what a column says of a well; None for an empty cell and for a well that is not in the map.

        Raises:
            PlateMapError: there is no such column, or ``well`` is not the name of a well.
        """
        try:
            return self._column(column).get(normal_well(well))
        except ValueError as error:
            raise PlateMapError(str(error)) from error

    def kind(self, column: str) -> ColumnKind:
        """Return what the values of a column are.

        Raises:
            PlateMapError: there is no such column.
        """
        return kind_of(list(self._column(column).values()))

    def matching(self, expression: str | Where) -> tuple[str, ...]:
        """Return the wells for which an expression such as ``control == 'DMSO' and dose > 1`` is true, in plate order.

        Raises:
            PlateMapError: the expression is not valid, or uses a column that does not exist or has values of another
                kind.
        """
        where = parse_where(expression) if isinstance(expression, str) else expression
        types = {name: type_of(self.values[name], decimal_comma=self.decimal_comma) for name in self.columns}
        where.check(types, self.file.path)
        return tuple(
            well for well in self.wells if where.is_true({name: self.values[name].get(well) for name in self.columns})
        )

    def problems(self, wells: Sequence[str]) -> tuple[str, ...]:
        """Compare the map with the wells of a plate.

        Args:
            wells: wells of the plate that have images.

        Returns:
            A line for wells that only the map has, one for those that only the plate has, and one if the map is of
            several plates.

        Raises:
            PlateMapError: the map has none of the wells.
        """
        unknown = [well for well in self.wells if well not in set(wells)]
        if len(unknown) == len(self.wells):
            raise PlateMapError(
                f"plate map {self.file.path} describes {_listed(unknown)}, and the plate has {_listed(wells)}: "
                "give the map of this plate (--platemap)"
            )
        missing = [well for well in wells if well not in set(self.wells)]
        lines = []
        if unknown:
            lines.append(f"the plate has no images of {_listed(unknown)}, which plate map {self.file.path} describes")
        if missing:
            lines.append(f"plate map {self.file.path} does not describe {_listed(missing)}")
        return (*lines, *self._several_plates())

    def _several_plates(self) -> tuple[str, ...]:
        """Return a line if a column ``plate`` names several plates, of which only one can be this plate."""
        for name in self.columns:
            plates = sorted({str(value) for value in self.values[name].values() if value is not None})
            if name.casefold() == "plate" and len(plates) > 1:
                return (
                    f"column {name!r} of plate map {self.file.path} has several plates ({_listed(plates, 'plates')}): "
                    "keep only the rows of this plate",
                )
        return ()

    def _column(self, name: str) -> Mapping[str, MapValue | None]:
        try:
            return self.values[name]
        except KeyError:
            raise PlateMapError(
                f"plate map {self.file.path} has no column {name!r}: choose {', '.join(self.columns)}"
            ) from None


def _listed(wells: Sequence[str], what: str = "wells") -> str:
    more = f" and {len(wells) - _NAMED} more {what}" if len(wells) > _NAMED else ""
    return ", ".join(wells[:_NAMED]) + more
