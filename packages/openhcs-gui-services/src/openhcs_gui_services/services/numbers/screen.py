"""What the plate map makes of a measurement: assay quality, hits and dose responses, each or why not. Without Qt."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs_gui_services.services.numbers.well_values import WellsRequest
from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.tables.schema import TableKind
from openhcs_runtime.tables.statistic import Statistic

if TYPE_CHECKING:
    from openhcs_runtime.profiles.comparison import Comparison
    from openhcs_runtime.profiles.dose_response import DoseResponse
    from openhcs_runtime.profiles.hits import Hit
    from openhcs_runtime.profiles.quality import AssayQuality
    from openhcs_runtime.profiles.roles import ControlKind, ControlWells
    from openhcs_runtime.profiles.values import WellProfiles
    from openhcs_runtime.tables.read import Results

__all__ = ["ScreenNumbers", "read_screen"]


@dataclass(frozen=True, slots=True)
class ScreenNumbers:
    """What is said of a measurement.

    Attributes:
        title: the measurement in words.
        unit: its unit.
        has_map: whether the run has a plate map; without one, the rest is empty.
        roles: what the controls are, in words, one line each.
        quality: how well the controls can be told apart; None if that is not known.
        no_quality: why it is not known.
        hits: the hits, the strongest first.
        compared_with: what the values of hits are compared with, in words.
        compared_because: why these are not the negative controls; empty if they are.
        no_hits: why hits are not known.
        responses: the dose responses.
        no_responses: why there are none.
        excluded: wells that are left out.
        centre: how objects become the value of a well.
    """

    title: str
    unit: str
    has_map: bool = True
    roles: tuple[str, ...] = ()
    quality: "AssayQuality | None" = None
    no_quality: str = ""
    hits: "tuple[Hit, ...]" = ()
    compared_with: str = ""
    compared_because: str = ""
    no_hits: str = ""
    responses: "tuple[DoseResponse, ...]" = ()
    no_responses: str = ""
    excluded: frozenset[str] = frozenset()
    centre: str = ""


def read_screen(results: "Results", request: WellsRequest) -> ScreenNumbers:
    """Relate a measurement to the plate map of the run.

    Raises:
        OutputError: there is no such measurement.
        DamagedResultError: the table can't be read.
    """
    from openhcs_runtime.profiles import well_profiles  # noqa: PLC0415  heavy
    from openhcs_runtime.profiles.words import Centre  # noqa: PLC0415  as above

    choice = request.choice
    if results.plate_map is None:
        return ScreenNumbers(request.title, choice.unit, has_map=False)
    centre = Centre.MEAN if request.statistic is Statistic.MEAN else Centre.MEDIAN
    where = f"site == {request.site}" if request.site is not None and choice.kind is not TableKind.WELLS else ""
    profiles = well_profiles(results, choice.table, measures=[choice.column], centre=centre, where=where)
    profiles = profiles.without(request.excluded)
    controls, no_controls = _controls(profiles)
    quality, no_quality = _quality(profiles, controls, no_controls)
    hits, comparison, no_hits = _hits(profiles, controls, no_controls)
    responses, no_responses = _responses(profiles, choice.column)
    return ScreenNumbers(
        title=request.title,
        unit=choice.unit,
        roles=tuple(_role(wells) for wells in controls.values()),
        quality=quality,
        no_quality=no_quality,
        hits=hits,
        compared_with="" if comparison is None else comparison.name,
        compared_because="" if comparison is None else comparison.reason,
        no_hits=no_hits,
        responses=responses,
        no_responses=no_responses,
        excluded=request.excluded,
        centre=centre.value if choice.has_statistic else "",
    )


def _controls(profiles: "WellProfiles") -> "tuple[Mapping[ControlKind, ControlWells], str]":
    from openhcs_runtime.profiles import find_controls  # noqa: PLC0415  heavy

    try:
        return find_controls(profiles), ""
    except PlateMapError as error:
        return {}, str(error)


def _role(wells: "ControlWells") -> str:
    count = int(wells.chosen.sum())
    return f"{wells.kind.value.capitalize()} controls: {count} {'well' if count == 1 else 'wells'}, {wells.rule}"


def _quality(
    profiles: "WellProfiles", controls: "Mapping[ControlKind, ControlWells]", why: str
) -> "tuple[AssayQuality | None, str]":
    from openhcs_runtime.profiles import ControlKind, assay_quality  # noqa: PLC0415  heavy

    missing = [kind.value for kind in ControlKind if kind not in controls]
    if missing:
        return None, why or (
            f"the plate map names no {' and no '.join(missing)} controls: write {' and '.join(missing)} into a column "
            "control, and run again"
        )
    return assay_quality(profiles, controls)[0], ""


def _hits(
    profiles: "WellProfiles", controls: "Mapping[ControlKind, ControlWells]", why: str
) -> "tuple[tuple[Hit, ...], Comparison | None, str]":
    import numpy as np  # noqa: PLC0415  heavy

    from openhcs_runtime.profiles import find_hits, normalise_profiles, usual_comparison  # noqa: PLC0415  as above
    from openhcs_runtime.profiles.words import Normalisation  # noqa: PLC0415  as above

    if why:
        return (), None, why
    is_control = np.logical_or.reduce([wells.chosen for wells in controls.values()] or [np.zeros(len(profiles), bool)])
    try:
        comparison = usual_comparison(profiles, controls)
        normalised = normalise_profiles(profiles, Normalisation.ROBUST_Z_SCORE, to=comparison.to, controls=controls)
        found = find_hits(normalised, next(iter(normalised.measures)), controls=is_control)
    except (PlateMapError, ValueError) as error:
        return (), None, str(error)
    return tuple(found), comparison, ""


def _responses(profiles: "WellProfiles", column: str) -> "tuple[tuple[DoseResponse, ...], str]":
    from openhcs_runtime.profiles import dose_responses  # noqa: PLC0415  heavy

    try:
        found = tuple(dose_responses(profiles, column))
    except PlateMapError as error:
        return (), str(error)
    return found, "" if found else "no well has a compound and a dose above 0"
