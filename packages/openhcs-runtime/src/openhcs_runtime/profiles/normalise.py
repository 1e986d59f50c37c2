"""Relates the measures of wells to controls or to the whole plate, plate by plate."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose
from openhcs_runtime.controls import FEWEST_VALUES, ControlMethod, Summary, beyond_rounding, summarise
from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.profiles.b_score import b_scores
from openhcs_runtime.profiles.roles import ControlKind, ControlWells
from openhcs_runtime.profiles.values import WellProfiles
from openhcs_runtime.profiles.words import Normalisation, Reference
from openhcs_runtime.tables.schema import Measure
from openhcs_runtime.wells import well_position
from zmqruntime.execution.text import plural


def normalise_profiles(
    profiles: WellProfiles,
    method: Normalisation | str = Normalisation.ROBUST_Z_SCORE,
    *,
    to: Reference | str = Reference.CONTROLS,
    controls: Mapping[ControlKind, ControlWells] | None = None,
) -> WellProfiles:
    """Return the profiles with every measure related to others of the same plate.

    The rules of ``z``, ``robust_z`` and ``percent`` are those of ``openhcs_runtime.functions.normalise``. A value is
    missing where nothing can be said: fewer than two wells to compare with, or wells without any spread.

    Args:
        profiles: the wells.
        method: how values are related.
        to: what they are compared with; ``b_score`` always compares with the plate, ``inhibition`` with controls.
        controls: the control wells by kind, as ``find_controls`` returns them.

    Returns:
        The wells, with measures named ``<measure>_<method>``; with ``none`` as they are.

    Raises:
        PlateMapError: control wells are needed and not given, or a plate has fewer than two.
        ValueError: ``method`` or ``to`` is not one of the words, or a plate has only one row or column with wells,
            which has no B scores.
    """
    method = choose(Normalisation, method, "normalisation")
    to = choose(Reference, to, "reference")
    if method is Normalisation.NONE:
        return profiles
    if method is Normalisation.B_SCORE:
        values = _by_plate_position(profiles)
    elif method is Normalisation.INHIBITION:
        values = _inhibition(profiles, controls or {})
    else:
        values = _related(profiles, ControlMethod(method.value), to, controls or {})
    unit = "percent" if method in (Normalisation.PERCENT, Normalisation.INHIBITION) else ""
    measures = {
        f"{name}_{method}": Measure(measure=f"{measure.measure}_{method}", channel=measure.channel, unit=unit)
        for name, measure in profiles.measures.items()
    }
    return replace(profiles, measures=measures, values=values)


def _related(
    profiles: WellProfiles, method: ControlMethod, to: Reference, controls: Mapping[ControlKind, ControlWells]
) -> NDArray[np.float64]:
    values = np.full_like(profiles.values, np.nan)
    for plate, rows in profiles.plate_rows().items():
        among = rows if to is Reference.PLATE else _controls_of(controls, ControlKind.NEGATIVE, plate, rows, method)
        for place in range(values.shape[1]):
            summary = summarise(profiles.values[among, place], method)
            values[rows, place] = scaled(profiles.values[rows, place], summary)
    return values


def _inhibition(profiles: WellProfiles, controls: Mapping[ControlKind, ControlWells]) -> NDArray[np.float64]:
    values = np.full_like(profiles.values, np.nan)
    for plate, rows in profiles.plate_rows().items():
        negative, positive = (
            _controls_of(controls, kind, plate, rows, Normalisation.INHIBITION)
            for kind in (ControlKind.NEGATIVE, ControlKind.POSITIVE)
        )
        for place in range(values.shape[1]):
            none, full = (_mean(profiles.values[wells, place]) for wells in (negative, positive))
            summary = Summary(none, beyond_rounding(full - none, none) / 100)
            values[rows, place] = scaled(profiles.values[rows, place], summary)
    return values


def _by_plate_position(profiles: WellProfiles) -> NDArray[np.float64]:
    values = np.full_like(profiles.values, np.nan)
    for name, rows in profiles.plate_rows().items():
        positions = np.array([well_position(profiles.wells[row]) for row in rows.tolist()])
        for axis, places in zip(("row", "column"), positions.T, strict=True):
            if len(np.unique(places)) < FEWEST_VALUES:
                raise ValueError(
                    f"b_score takes row and column effects away, and the wells of plate {name} are in a single {axis}, "
                    "of which nothing would be left: choose --normalise robust_z --to plate"
                )
        shape = tuple((positions.max(axis=0) + 1).tolist())
        for place in range(values.shape[1]):
            plate = np.full(shape, np.nan)
            plate[positions[:, 0], positions[:, 1]] = profiles.values[rows, place]
            values[rows, place] = b_scores(plate)[positions[:, 0], positions[:, 1]]
    return values


def scaled(values: NDArray[np.float64], summary: Summary) -> NDArray[np.float64]:
    """Return how far values are from a centre in units of a scale; all NaN if the scale says nothing."""
    if not summary.scale or not np.isfinite(summary.scale):
        return np.full_like(values, np.nan)
    related: NDArray[np.float64] = (values - summary.centre) / summary.scale
    return related


def _mean(values: NDArray[np.float64]) -> float:
    present = values[np.isfinite(values)]
    return float(present.mean()) if len(present) >= FEWEST_VALUES else float("nan")


def _controls_of(
    controls: Mapping[ControlKind, ControlWells], kind: ControlKind, plate: str, rows: NDArray[np.intp], method: str
) -> NDArray[np.intp]:
    """Return the rows of the controls of a plate."""
    other = "" if method == Normalisation.INHIBITION else ", or compare with the whole plate (--to plate)"
    if kind not in controls:
        raise PlateMapError(f"{method} needs {kind} controls: give them (--{kind} \"control == 'NAME'\"){other}")
    found = rows[controls[kind].chosen[rows]]
    if len(found) < FEWEST_VALUES:
        raise PlateMapError(
            f"plate {plate} has {plural(len(found), f'{kind} control well')} with results ({controls[kind].rule}), and "
            f"{method} needs at least {FEWEST_VALUES}: run wells that failed again, correct --{kind}{other}"
        )
    return found
