"""What the plate map makes of the measures: controls, dose responses and replicates."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import OutputError, PlateMapError
from openhcs_runtime.profiles import (
    AssayQuality,
    ControlKind,
    ControlWells,
    DoseResponse,
    Normalisation,
    Reference,
    ReplicateCorrelation,
    WellProfiles,
    assay_quality,
    dose_responses,
    find_controls,
    normalise_profiles,
    replicate_correlation,
    well_profiles,
)
from openhcs_runtime.profiles.map_notes import map_notes
from openhcs_runtime.profiles.roles import map_columns
from openhcs_runtime.report.measures import WELLS, ChosenMeasures
from openhcs_runtime.report.run import ReportedRun

MOST_FITTED = 3
"""Measures for which curves are fitted, if several are asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class PlateStatistics:
    """What the plate map makes of the measures.

    Attributes:
        controls: the control wells by kind.
        quality: how well each measure tells the controls apart.
        responses: the response to each compound, by measure.
        replicates: how alike replicates are; None if that can't be said.
        wells: the wells of the table.
        present: how many control wells of each kind have a value of any measure.
        notes: what of the plate map may be a mistake, in sentences.
        no_controls: why there are no statistics of controls, in a sentence; empty if there are some.
        no_responses: why there are no dose responses.
        no_replicates: why nothing is said of replicates.
    """

    controls: Mapping[ControlKind, ControlWells] = field(default_factory=dict)
    quality: tuple[AssayQuality, ...] = ()
    responses: Mapping[str, Sequence[DoseResponse]] = field(default_factory=dict)
    replicates: ReplicateCorrelation | None = None
    wells: tuple[str, ...] = ()
    present: Mapping[ControlKind, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    no_controls: str = ""
    no_responses: str = ""
    no_replicates: str = ""

    def wells_of(self, kind: ControlKind) -> tuple[str, ...]:
        """Return the control wells of a kind, in plate order."""
        if kind not in self.controls:
            return ()
        return tuple(well for well, is_one in zip(self.wells, self.controls[kind].chosen, strict=True) if is_one)


def read_statistics(
    run: ReportedRun,
    chosen: ChosenMeasures,
    named: Sequence[str],
    negative: str,
    positive: str,
    excluded: Collection[str] = (),
) -> PlateStatistics:
    """Read the measures of wells, and relate them to the plate map.

    Args:
        run: the run.
        chosen: the measures that are shown.
        named: the measures that were asked for; curves are fitted for these, or for the main one.
        negative: expression for the negative controls; empty to find them by the usual names.
        positive: expression for the positive controls.
        excluded: wells that are left out.

    Raises:
        DamagedResultError: the table of wells can't be read.
        PlateMapError: an expression is not valid, or no well matches it.
    """
    if not chosen.shown:
        return PlateStatistics(
            no_controls="There are no statistics of controls, as there are no measures of wells.",
            no_responses="There are no dose responses, as there are no measures of wells.",
            no_replicates="Nothing is said of replicates, as there are no measures of wells.",
        )
    shown = [measure.column for measure in chosen.shown]
    profiles = well_profiles(run.results, WELLS, measures=shown).without(excluded)
    has_values: NDArray[np.bool_] = np.isfinite(profiles.values).sum(axis=1) > 0
    controls, why = _controls(profiles, negative, positive)
    responses, no_responses = _responses(profiles, list(named)[:MOST_FITTED] or shown[:1])
    replicates, no_replicates = _replicates(run, profiles, controls, excluded)
    return PlateStatistics(
        controls=controls,
        quality=assay_quality(profiles, controls) if len(controls) == len(ControlKind) else (),
        responses=responses,
        replicates=replicates,
        wells=profiles.wells,
        present={kind: int(has_values[wells.chosen].sum()) for kind, wells in controls.items()},
        notes=_notes(profiles),
        no_controls=why,
        no_responses=no_responses,
        no_replicates=no_replicates,
    )


def _notes(profiles: WellProfiles) -> tuple[str, ...]:
    try:
        return map_notes(profiles, map_columns(profiles))
    except PlateMapError as error:
        return (f"{error}.",)


def _controls(profiles: WellProfiles, negative: str, positive: str) -> tuple[dict[ControlKind, ControlWells], str]:
    try:
        found = find_controls(profiles, negative, positive)
    except PlateMapError as error:
        if negative or positive:
            raise
        return {}, f"There are no statistics of controls: {error}."
    missing = [kind for kind in ControlKind if kind not in found]
    if not missing:
        return found, ""
    if not profiles.plate_map:
        return found, "There are no statistics of controls, as the plate has no plate map."
    kinds = " and ".join(missing)
    options = " and ".join(f"--{kind}" for kind in missing)
    return (
        found,
        f"There are no statistics of controls, as the {kinds} controls are not known: name them with {options}.",
    )


def _responses(profiles: WellProfiles, measures: Sequence[str]) -> tuple[dict[str, list[DoseResponse]], str]:
    if not profiles.plate_map:
        return {}, "There are no dose responses, as the plate has no plate map."
    try:
        found = {measure: dose_responses(profiles, measure) for measure in measures}
    except PlateMapError as error:
        return {}, f"There are no dose responses: {error}."
    if not any(found.values()):
        return {}, "There are no dose responses, as no well has a compound and a dose."
    return found, ""


def _replicates(
    run: ReportedRun, shown: WellProfiles, controls: Mapping[ControlKind, ControlWells], excluded: Collection[str]
) -> tuple[ReplicateCorrelation | None, str]:
    """Compare replicates by all measures, in units of the spread of the negative controls, or else of the plate."""
    if not shown.plate_map:
        return None, "Nothing is said of replicates, as the plate has no plate map."
    profiles = well_profiles(run.results, WELLS).without(excluded)
    compared = np.logical_and.reduce([~wells.chosen for wells in controls.values()] or [np.ones(len(profiles), bool)])
    has_negative = ControlKind.NEGATIVE in controls and controls[ControlKind.NEGATIVE].chosen.sum() > 1
    to = Reference.CONTROLS if has_negative else Reference.PLATE
    try:
        normalised = normalise_profiles(profiles, Normalisation.ROBUST_Z_SCORE, to=to, controls=controls)
        return replicate_correlation(normalised, chosen=compared), ""
    except (OutputError, PlateMapError) as error:
        return None, f"Nothing is said of replicates: {error}."
