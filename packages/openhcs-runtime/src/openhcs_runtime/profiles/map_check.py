"""Checks a plate map before there are measurements: what the comparison of wells would refuse, or may misread."""

import numpy as np

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map import PlateMap
from openhcs_runtime.profiles.columns import MapColumns, MapRole
from openhcs_runtime.profiles.doses import dose_units, in_one_unit, well_doses
from openhcs_runtime.profiles.map_notes import map_notes
from openhcs_runtime.profiles.roles import find_controls
from openhcs_runtime.profiles.treatment import treatments
from openhcs_runtime.profiles.values import WellProfiles


def check_plate_map(plate_map: PlateMap) -> tuple[str, ...]:
    """Return what ``openhcs-runtime profile`` would refuse in a plate map or may misread, a line each.

    Args:
        plate_map: the map; columns are found by their usual names.
    """
    columns = MapColumns(plate_map.columns)
    wells = WellProfiles(
        table="",
        source=plate_map.file.path,
        plates=("",) * len(plate_map.wells),
        wells=plate_map.wells,
        plate_map={
            name: tuple(plate_map.values[name].get(well) for well in plate_map.wells) for name in plate_map.columns
        },
        measures={},
        values=np.empty((len(plate_map.wells), 0)),
    )
    found: list[str] = []
    for check in (_check_controls, _check_doses, map_notes):
        try:
            found += check(wells, columns)
        except PlateMapError as error:
            found.append(str(error))
    return tuple(dict.fromkeys(found))


def _check_controls(wells: WellProfiles, columns: MapColumns) -> tuple[str, ...]:
    find_controls(wells, columns=columns)
    return ()


def _check_doses(wells: WellProfiles, columns: MapColumns) -> tuple[str, ...]:
    name = columns.find(MapRole.DOSE)
    if name is None:
        return ()
    doses = well_doses(wells, columns, "a dose response")
    units = dose_units(wells, columns)
    compound = columns.find(MapRole.COMPOUND)
    if compound is not None:
        given = np.array([value is not None for value in wells.plate_map[compound]], dtype=np.bool_) & (doses >= 0)
        for group in treatments(wells, columns, given, (MapRole.COMPOUND,)):
            of_group, treated_with = doses[group.rows], group.of[MapRole.COMPOUND]
            if (of_group > 0).any() and treated_with is not None:
                in_one_unit(treated_with, of_group, [units[row] for row in group.rows.tolist()])
    if (doses > 0).any() and not any(units):
        return (f"the doses in column {name!r} have no unit: add a column dose_unit, or name the column dose_uM",)
    return ()
