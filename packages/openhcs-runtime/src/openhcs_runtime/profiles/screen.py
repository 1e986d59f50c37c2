"""Everything that is said of a screen at once: profiles, assay quality, hits, dose responses, replicates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.exclusions import Exclusions, read_exclusions
from openhcs_runtime.profiles.aggregate import well_profiles
from openhcs_runtime.profiles.columns import MapColumns, MapRole
from openhcs_runtime.profiles.comparison import Comparison, usual_comparison
from openhcs_runtime.profiles.dose_response import DoseResponse, dose_responses
from openhcs_runtime.profiles.hits import HIT_THRESHOLD, Hit, find_hits
from openhcs_runtime.profiles.map_notes import map_notes
from openhcs_runtime.profiles.normalise import normalise_profiles
from openhcs_runtime.profiles.quality import AssayQuality, assay_quality
from openhcs_runtime.profiles.replicates import ReplicateCorrelation, replicate_correlation
from openhcs_runtime.profiles.roles import ControlKind, ControlWells, control_wells, find_controls, map_columns
from openhcs_runtime.profiles.values import WellProfiles
from openhcs_runtime.profiles.words import Centre, Normalisation, Reference

if TYPE_CHECKING:
    from openhcs_runtime.tables.read import Results

_STANDARD = (Normalisation.Z_SCORE, Normalisation.ROBUST_Z_SCORE, Normalisation.B_SCORE)
"""What is in numbers of standard deviations."""
_ONE_BY_ONE = 50
"""Measures that hits and dose responses are looked for in; more were rather left out by mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenRequest:
    """What is wanted of a screen.

    Attributes:
        table: name of a table; empty for the only set of objects.
        measures: only these measures; empty for all that are numbers.
        centre: whether a well has the mean or the median of its objects.
        where: only rows for which this expression is true.
        method: how values are related to others.
        to: what they are compared with; None for what is usual, see :func:`usual_comparison`.
        negative: an expression for the negative controls; empty to find them by usual names.
        positive: an expression for the positive controls; empty to find them by usual names.
        columns: columns of the plate map that have unusual names.
        hits: whether hits are looked for.
        threshold: how far from 0 a hit is at least.
        dose_response: whether dose responses are fitted.
        replicates: whether replicates are compared.
        with_excluded: whether wells that a person has excluded count all the same; see
            ``openhcs_runtime.outputs.exclusions``.
    """

    table: str = ""
    measures: tuple[str, ...] = ()
    centre: Centre = Centre.MEDIAN
    where: str = ""
    method: Normalisation = Normalisation.ROBUST_Z_SCORE
    to: Reference | None = None
    negative: str = ""
    positive: str = ""
    columns: Mapping[MapRole, str] = field(default_factory=dict)
    hits: bool = False
    threshold: float = HIT_THRESHOLD
    dose_response: bool = False
    replicates: bool = False
    with_excluded: bool = False

    @property
    def reference(self) -> Reference:
        """What values are to be compared with; without ``to``, it may be the plate where too few controls are left."""
        if self.to is not None:
            return self.to
        return Reference.PLATE if self.method is Normalisation.B_SCORE else Reference.CONTROLS


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """What is said of a screen.

    Attributes:
        profiles: the wells with their measures.
        normalised: the same wells with the measures related to others.
        columns: the columns of the plate map by what they say.
        found: those of them that there are.
        controls: the control wells by kind, as far as they are known.
        quality: how well each measure tells the controls apart; empty without both kinds.
        hits: the hits of all measures, the strongest of each first.
        responses: the dose responses.
        replication: how alike replicates are; None if it was not wanted.
        notes: which wells are excluded, and what of the plate map may be a mistake, in sentences.
        centre: whether a well has the mean or the median of its objects.
        excluded: the wells that are left out.
        comparison: what the values are compared with, and why.
    """

    profiles: WellProfiles
    normalised: WellProfiles
    columns: MapColumns
    found: Mapping[MapRole, str]
    controls: Mapping[ControlKind, ControlWells]
    quality: tuple[AssayQuality, ...]
    hits: tuple[Hit, ...]
    responses: tuple[DoseResponse, ...]
    replication: ReplicateCorrelation | None
    notes: tuple[str, ...] = ()
    centre: Centre = Centre.MEDIAN
    excluded: Exclusions = field(default_factory=Exclusions)
    comparison: Comparison = Comparison(Reference.CONTROLS)  # noqa: RUF009  it is frozen


def profile_screen(results: "Results", request: ScreenRequest) -> Screen:
    """Return what is wanted of a screen, without the wells that a person has excluded.

    Args:
        results: the results of a run.
        request: what is wanted.

    Raises:
        OutputError: there is no such table or measure, too many measures for hits and dose responses, or no replicates.
        DamagedResultError: the table or the list of excluded wells can't be read.
        PlateMapError: control wells are needed and not known, or columns of the plate map are.
        ValueError: method and reference don't go together.
    """
    _check(request)
    excluded = read_exclusions(results.found.run)
    left_out = Exclusions() if request.with_excluded else excluded
    profiles = well_profiles(
        results, request.table, measures=request.measures or None, centre=request.centre, where=request.where
    )
    profiles = profiles.without(left_out.names)
    usual = map_columns(profiles)
    columns = MapColumns(usual.names, request.columns, usual.source)
    controls = _controls(profiles, request, columns)
    comparison = Comparison(request.to) if request.to else usual_comparison(profiles, controls, request.method, columns)
    normalised = normalise_profiles(profiles, request.method, to=comparison.to, controls=controls)
    if request.hits or request.dose_response:
        _check_few(profiles)
    return Screen(
        profiles,
        normalised,
        columns,
        columns.found(),
        controls,
        assay_quality(profiles, controls) if len(controls) == len(ControlKind) else (),
        tuple(_hits(normalised, request, controls, columns)),
        tuple(_responses(normalised, request, columns)),
        replicate_correlation(normalised, chosen=~_are_controls(profiles, controls), columns=columns)
        if request.replicates
        else None,
        (*filter(None, [excluded.sentence(kept=request.with_excluded)]), *map_notes(profiles, columns)),
        request.centre,
        left_out,
        comparison,
    )


def _check(request: ScreenRequest) -> None:
    if request.method is Normalisation.B_SCORE and request.reference is Reference.CONTROLS:
        raise ValueError("b_score compares with the whole plate: leave out --to controls")
    if request.method is Normalisation.INHIBITION and request.reference is Reference.PLATE:
        raise ValueError("inhibition compares with controls: leave out --to plate, or choose another --normalise")
    if request.hits and request.method not in _STANDARD:
        raise ValueError("hits are beyond a number of standard deviations: choose --normalise z, robust_z or b_score")


def _check_few(profiles: WellProfiles) -> None:
    if len(profiles.measures) > _ONE_BY_ONE:
        raise OutputError(
            f"{profiles.source} has {len(profiles.measures)} measures, and hits and dose responses are of single ones: "
            f"choose up to {_ONE_BY_ONE} (--measure NAME)"
        )


def _controls(
    profiles: WellProfiles, request: ScreenRequest, columns: MapColumns
) -> Mapping[ControlKind, ControlWells]:
    """Return the control wells that are known; those that the method needs have to be."""
    found = find_controls(profiles, request.negative, request.positive, columns)
    needed: list[ControlKind] = []
    if request.method is Normalisation.INHIBITION:
        needed = list(ControlKind)
    elif request.method is not Normalisation.NONE and _asks_for_controls(request):
        needed = [ControlKind.NEGATIVE]
    for kind in needed:
        if kind not in found:
            control_wells(profiles, kind, columns=columns)  # says why they are not known
    return found


def _asks_for_controls(request: ScreenRequest) -> bool:
    """Return whether negative controls have to be known, and all wells can't take their place."""
    if request.to is None:
        return request.method is Normalisation.PERCENT or (
            request.reference is Reference.CONTROLS and MapRole.CONTROL in request.columns
        )
    return request.to is Reference.CONTROLS


def _hits(
    profiles: WellProfiles, request: ScreenRequest, controls: Mapping[ControlKind, ControlWells], columns: MapColumns
) -> list[Hit]:
    if not request.hits:
        return []
    is_control = _are_controls(profiles, controls)
    return [
        hit
        for measure in profiles.measures
        for hit in find_hits(profiles, measure, threshold=request.threshold, controls=is_control, columns=columns)
    ]


def _are_controls(profiles: WellProfiles, controls: Mapping[ControlKind, ControlWells]) -> NDArray[np.bool_]:
    """Return whether each row is a control of any kind (rows,)."""
    found = np.zeros(len(profiles), dtype=np.bool_)
    for wells in controls.values():
        found |= wells.chosen
    return found


def _responses(profiles: WellProfiles, request: ScreenRequest, columns: MapColumns) -> list[DoseResponse]:
    if not request.dose_response:
        return []
    return [response for measure in profiles.measures for response in dose_responses(profiles, measure, columns)]
