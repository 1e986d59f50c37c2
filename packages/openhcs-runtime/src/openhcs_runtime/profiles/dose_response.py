"""The response to each compound of a plate map: doses in one unit, and a curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.plate_map import MapValue
from openhcs_runtime.profiles.columns import MapColumns, MapRole
from openhcs_runtime.profiles.dose_curve import DoseCurve, fit_dose_curve
from openhcs_runtime.profiles.doses import dose_units, in_one_unit, well_doses
from openhcs_runtime.profiles.roles import map_columns
from openhcs_runtime.profiles.treatment import Treatment, treatments
from openhcs_runtime.profiles.values import WellProfiles

_PURPOSE = "a dose response"


@dataclass(frozen=True, slots=True, eq=False)
class DoseResponse:
    """The response to a compound.

    Attributes:
        compound: the compound.
        cell_line: the cells; None if the plate map does not say.
        measure: what responds.
        unit: unit of the doses; empty if the plate map has none.
        doses: dose of each well that was used (n,), in that unit.
        values: the measure in these wells (n,).
        curve: the fitted curve.
    """

    compound: MapValue
    cell_line: MapValue | None
    measure: str
    unit: str
    doses: NDArray[np.float64]
    values: NDArray[np.float64]
    curve: DoseCurve

    @property
    def said(self) -> str:
        """The outcome in words, with the doses that the EC50 is between as far as they are known."""
        above, below = (f"{dose:.3g} {self.unit}".rstrip() for dose in (self.curve.above, self.curve.below))
        outcome = self.curve.outcome.value
        match math.isnan(self.curve.above), math.isnan(self.curve.below):
            case False, False:
                return f"{outcome}: EC50 between {above} and {below}"
            case False, True:
                return f"{outcome}: EC50 above {above}"
            case True, False:
                return f"{outcome}: EC50 below {below}"
        return outcome


def dose_responses(profiles: WellProfiles, measure: str, columns: MapColumns | None = None) -> list[DoseResponse]:
    """Fit a curve for each compound (and cell line) that has doses.

    The unit is in a column such as ``dose_unit`` or at the end of the name of the column with doses, as in ``dose_uM``.
    Doses of a compound in several units are converted to the first one. Wells without a compound or a dose are left
    out, and so are compounds without a dose above 0, which are controls.

    Args:
        profiles: the wells.
        measure: a measure of them.
        columns: the columns of the plate map by what they say; None for the usual names.

    Raises:
        OutputError: there is no such measure.
        PlateMapError: there is no column with compounds or doses, doses are not numbers of 0 or more, or units of a
            compound can't be converted or contradict each other.
    """
    columns = columns or map_columns(profiles)
    values = profiles.column(measure)
    compound = columns.need(MapRole.COMPOUND, _PURPOSE)
    doses = well_doses(profiles, columns, _PURPOSE)
    named = np.array([value is not None for value in profiles.plate_map[compound]], dtype=np.bool_)
    groups = treatments(
        profiles, columns, named & np.isfinite(doses) & np.isfinite(values), (MapRole.COMPOUND, MapRole.CELL_LINE)
    )
    units = dose_units(profiles, columns)
    return [
        _response(group, doses, values, measure, [units[row] for row in group.rows.tolist()])
        for group in groups
        if (doses[group.rows] > 0).any()
    ]


def _response(
    group: Treatment, doses: NDArray[np.float64], values: NDArray[np.float64], measure: str, units: Sequence[str]
) -> DoseResponse:
    compound = group.of[MapRole.COMPOUND]
    assert compound is not None
    of_group = doses[group.rows]
    unit, in_unit = in_one_unit(compound, of_group, units)
    curve = fit_dose_curve(in_unit, values[group.rows])
    return DoseResponse(compound, group.of.get(MapRole.CELL_LINE), measure, unit, in_unit, values[group.rows], curve)
