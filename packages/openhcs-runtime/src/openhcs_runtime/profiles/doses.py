"""The doses of wells with their units, and when two of them are the same."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map import ColumnKind, MapValue
from openhcs_runtime.plate_map.values import kind_of
from openhcs_runtime.profiles.columns import MapColumns, MapRole
from openhcs_runtime.profiles.units import conversion, dose_unit
from openhcs_runtime.profiles.values import WellProfiles


def dose_units(profiles: WellProfiles, columns: MapColumns) -> list[str]:
    """Return the unit of the dose in each well, from its own column or the name of that with doses; empty without one.

    Args:
        profiles: the wells.
        columns: the columns of the plate map by what they say.

    Raises:
        PlateMapError: the name of the column with doses has another unit than the column of units.
    """
    in_name, name = columns.unit_in_name(), columns.find(MapRole.DOSE_UNIT)
    if name is None:
        return [in_name] * len(profiles)
    found = [in_name if value is None else str(value).strip() for value in profiles.plate_map[name]]
    dose = columns.find(MapRole.DOSE)
    if in_name and dose is not None:
        for well, unit, value in zip(profiles.wells, found, profiles.plate_map[dose], strict=True):
            if value and not math.isclose(conversion(unit, in_name) or 0.0, 1.0):
                raise PlateMapError(
                    f"the doses of column {dose!r} are in {in_name} by its name, and in {unit} by column {name!r} in "
                    f"well {well}: correct one of the two columns"
                )
    return found


def same_dose(dose: MapValue | None, unit: str) -> tuple[MapValue | None, str]:
    """Return what doses have in common that are the same, such as 1 uM and 1000 nM.

    Args:
        dose: the dose.
        unit: its unit; empty for none.

    Returns:
        The dose in a common unit, rounded to nine digits, and the kind of unit; as it is if the unit is not known.
    """
    known = dose_unit(unit)
    if dose is None or isinstance(dose, str | bool):
        return dose, unit
    if not dose:
        return 0.0, ""  # nothing, in any unit
    if known is None:
        return float(f"{dose:.9g}"), unit
    return float(f"{dose * known.factor:.9g}"), known.kind.value


def well_doses(profiles: WellProfiles, columns: MapColumns, purpose: str) -> NDArray[np.float64]:
    """Return the dose in each well (rows,), NaN for wells without one.

    Args:
        profiles: the wells.
        columns: the columns of the plate map by what they say.
        purpose: what needs doses, for the message.

    Raises:
        PlateMapError: there is no column with doses, or they are not numbers of 0 or more.
    """
    name = columns.need(MapRole.DOSE, purpose)
    column = profiles.plate_map[name]
    if kind_of(column) not in (ColumnKind.NUMBER, ColumnKind.EMPTY):
        wrong = next(place for place, value in enumerate(column) if isinstance(value, str | bool))
        raise PlateMapError(
            f"column {name!r} has {column[wrong]!r} in well {profiles.wells[wrong]}, which is not a dose: write "
            "numbers, and units in a column dose_unit"
        )
    doses = np.array([np.nan if value is None else float(value) for value in column], dtype=np.float64)
    if (doses < 0).any():
        wrong = int(np.flatnonzero(doses < 0)[0])
        raise PlateMapError(
            f"column {name!r} has {column[wrong]} in well {profiles.wells[wrong]}, and a dose can't be below 0: if it "
            "is a logarithm, write the dose itself"
        )
    return doses


def in_one_unit(
    compound: MapValue, doses: NDArray[np.float64], units: Sequence[str]
) -> tuple[str, NDArray[np.float64]]:
    """Return the unit of the first dose above 0 of a compound, and all its doses in that unit.

    Args:
        compound: the compound.
        doses: its doses (n,), of which at least one is above 0.
        units: the unit of each dose; empty for none.

    Raises:
        PlateMapError: two units can't be converted into each other.
    """
    unit = next(text for text, dose in zip(units, doses.tolist(), strict=True) if dose > 0)
    factors = [1.0 if not dose else conversion(text, unit) for text, dose in zip(units, doses.tolist(), strict=True)]
    if None in factors:
        other = units[factors.index(None)]
        raise PlateMapError(
            f"doses of {compound} are in {unit or 'no unit'} and in {other or 'no unit'}, which can't be compared: "
            "correct the plate map"
        )
    return unit, doses * np.array(factors, dtype=np.float64)
