"""The doses of wells with their units, and when two of them are the same."""

import math

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map import MapValue
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
