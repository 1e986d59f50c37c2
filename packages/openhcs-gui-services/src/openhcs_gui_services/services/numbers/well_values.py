"""One value for each well of a run, what colours the map with it, and which wells stand out. Without Qt."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from openhcs_gui_services.services.numbers.measures import MeasureChoice
from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.tables.schema import TableKind
from openhcs_runtime.tables.statistic import Statistic

if TYPE_CHECKING:
    from openhcs_runtime.profiles.values import WellProfiles
    from openhcs_runtime.tables.read import Results

__all__ = ["OUTLIER_Z", "MeasuredWells", "WellsRequest", "colours_of", "exclude", "measure_wells", "robust_limits"]

OUTLIER_Z = 3.0
"""From this distance from the median on, in robust standard deviations, a well is an outlier."""
_FEWEST = 5
"""Wells that outliers can be told from."""
_SHOWN = (2.0, 98.0)
"""Percentiles of the values that have the first and the last colour, so that a single well does not decide it."""


@dataclass(frozen=True, slots=True)
class WellsRequest:
    """Which value of each well is wanted.

    Attributes:
        choice: the measurement.
        statistic: how the objects or images of a well become one value.
        site: only of this site; None for all.
        excluded: wells that are left out.
    """

    choice: MeasureChoice
    statistic: Statistic = Statistic.MEDIAN
    site: int | None = None
    excluded: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """The value in words, such as "median nuclei: area, site 2"."""
        choice = self.choice
        name = choice.title if choice.is_count else f"{choice.table}: {choice.title}"
        statistic = f"{self.statistic} " if choice.has_statistic else ""
        return f"{statistic}{name}" + ("" if self.site is None else f", site {self.site}")


@dataclass(frozen=True, slots=True)
class MeasuredWells:
    """One value of each well.

    Attributes:
        title: the value in words.
        unit: its unit; empty for counts and camera counts.
        values: the values; wells without one, and excluded wells, are left out.
        controls: which wells are controls: "negative" or "positive".
        outliers: wells whose value stands out.
        excluded: wells that a person has excluded.
        note: why controls are not known although there is a plate map; empty otherwise.
    """

    title: str
    unit: str
    values: Mapping[str, float]
    controls: Mapping[str, str] = field(default_factory=dict)
    outliers: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    note: str = ""


def measure_wells(results: "Results", request: WellsRequest) -> MeasuredWells:
    """Read one value of each well; missing values, and those that are not finite, are left out.

    Outliers are wells that are not controls and whose value is at least ``OUTLIER_Z`` robust standard deviations
    (1.4826 x median absolute deviation) from the median of the wells that are not controls: Iglewicz & Hoaglin, How
    to detect and handle outliers, 1993.

    Raises:
        OutputError: there is no such table or measurement.
        DamagedResultError: the table can't be read.
    """
    from openhcs_runtime.profiles import well_profiles  # noqa: PLC0415  heavy
    from openhcs_runtime.profiles.words import Centre  # noqa: PLC0415  as above

    choice = request.choice
    where = f"site == {request.site}" if request.site is not None and choice.kind is not TableKind.WELLS else ""
    centre = Centre.MEAN if request.statistic is Statistic.MEAN else Centre.MEDIAN
    profiles = well_profiles(results, choice.table, measures=[choice.column], centre=centre, where=where)
    values = dict(zip(profiles.wells, profiles.column(choice.column).tolist(), strict=True))
    if request.statistic is Statistic.SUM and choice.has_statistic:
        values = _sums(results, choice, where, values)
    kept = {well: value for well, value in values.items() if math.isfinite(value) and well not in request.excluded}
    controls, note = _controls(profiles)
    return MeasuredWells(request.title, choice.unit, kept, controls, _outliers(kept, controls), request.excluded, note)


def colours_of(wells: MeasuredWells, limits: tuple[float, float] | None = None) -> WellColours:
    """Return what colours the map.

    Args:
        wells: the values.
        limits: values of the first and the last colour; None for the robust ones.
    """
    low, high = limits or robust_limits(wells.values)
    return WellColours(
        title=wells.title,
        unit=wells.unit,
        values=wells.values,
        lowest=low,
        highest=high,
        controls=wells.controls,
        outliers=wells.outliers,
        excluded=wells.excluded,
    )


def robust_limits(values: Mapping[str, float]) -> tuple[float, float]:
    """Return the values of the first and the last colour: percentiles 2 and 98 of the wells; 0 and 1 without values."""
    import numpy as np  # noqa: PLC0415  heavy

    if not values:
        return 0.0, 1.0
    low, high = np.percentile(list(values.values()), _SHOWN)
    return float(low), float(high)


def exclude(wells: MeasuredWells, excluded: frozenset[str]) -> MeasuredWells:
    """Return the values without wells that have been excluded since they were read."""
    kept = {well: value for well, value in wells.values.items() if well not in excluded}
    return replace(wells, values=kept, outliers=_outliers(kept, wells.controls), excluded=excluded)


def _sums(results: "Results", choice: MeasureChoice, where: str, wells: Mapping[str, float]) -> dict[str, float]:
    """Return the sums of a column; wells without objects have a sum of 0."""
    from openhcs_runtime.tables.well_values import well_values  # noqa: PLC0415  heavy

    found = well_values(results, choice.column, Statistic.SUM, objects=choice.table, where=where).values
    empty = 0.0 if choice.kind is TableKind.OBJECTS else math.nan
    return {well: found.get(well, empty) for well in wells}


def _controls(profiles: "WellProfiles") -> tuple[dict[str, str], str]:
    """Return which wells are controls, or why that is not known although there is a plate map."""
    from openhcs_runtime.profiles import find_controls  # noqa: PLC0415  heavy

    if not profiles.plate_map:
        return {}, ""
    try:
        found = find_controls(profiles)
    except PlateMapError as error:
        return {}, str(error)
    return {
        well: kind.value
        for kind, wells in found.items()
        for well, is_one in zip(profiles.wells, wells.chosen.tolist(), strict=True)
        if is_one
    }, ""


def _outliers(values: Mapping[str, float], controls: Mapping[str, str]) -> frozenset[str]:
    import numpy as np  # noqa: PLC0415  heavy

    from openhcs_runtime.controls import median_and_mad  # noqa: PLC0415  as above

    others = {well: value for well, value in values.items() if well not in controls}
    if len(others) < _FEWEST:
        return frozenset()
    centre, scale = median_and_mad(np.array(list(others.values()), dtype=np.float64))
    if not scale:
        return frozenset()
    return frozenset(well for well, value in others.items() if abs(value - centre) >= OUTLIER_Z * scale)
