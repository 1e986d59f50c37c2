"""Wells that got the same: replicates, by compound, dose and cell line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.plate_map import MapValue
from openhcs_runtime.profiles.columns import MapColumns, MapRole
from openhcs_runtime.profiles.doses import dose_units, same_dose
from openhcs_runtime.profiles.values import WellProfiles

TREATED_BY = (MapRole.COMPOUND, MapRole.DOSE, MapRole.DOSE_UNIT, MapRole.CELL_LINE)
"""What equal wells have in common."""


@dataclass(frozen=True, slots=True, eq=False)
class Treatment:
    """Wells that got the same.

    Attributes:
        of: what they got, by column of the plate map; empty for a well that the map does not describe.
        rows: their rows in the profiles, in plate order (n,).
    """

    of: Mapping[MapRole, MapValue | None]
    rows: NDArray[np.intp]


def treatments(
    profiles: WellProfiles,
    columns: MapColumns,
    chosen: NDArray[np.bool_] | None = None,
    by: Sequence[MapRole] = TREATED_BY,
) -> list[Treatment]:
    """Return the wells grouped by what they got, in the order of their first well.

    A well without a compound is a group of its own, as nothing says what it is equal to. Doses in different units are
    equal if they are the same amount, as 1 uM and 1000 nM.

    Args:
        profiles: the wells.
        columns: the columns of the plate map by what they say.
        chosen: whether a row counts (rows,); None for all.
        by: what equal wells have in common; columns that the map lacks are left out.

    Raises:
        PlateMapError: a column can't be told from another, or two columns give doses different units.
    """
    names = {role: name for role in by if (name := columns.find(role)) is not None}
    compound = names.get(MapRole.COMPOUND)
    units = dose_units(profiles, columns) if MapRole.DOSE in names else []
    found: dict[tuple[object, ...], list[int]] = {}
    for row in range(len(profiles)):
        if chosen is None or chosen[row]:
            known = compound is not None and profiles.plate_map[compound][row] is not None
            of_well = {role: profiles.plate_map[name][row] for role, name in names.items()}
            dose = same_dose(of_well.pop(MapRole.DOSE), units[row]) if units else ()
            if units:
                of_well.pop(MapRole.DOSE_UNIT, None)
            key = (*dose, *of_well.values())
            found.setdefault(key if known else (*key, row), []).append(row)
    return [
        Treatment({role: profiles.plate_map[name][rows[0]] for role, name in names.items()}, np.array(rows))
        for rows in found.values()
    ]
