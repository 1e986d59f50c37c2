"""Dose responses: curves with the published numbers of R's drc, and what is not reported as a number."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.profiles import DoseOutcome, WellProfiles, dose_responses, fit_dose_curve
from openhcs_runtime.profiles.dose_fit import curve
from openhcs_runtime.profiles.units import conversion
from openhcs_runtime.tables.schema import Measure
from openhcs_runtime.wells import well_name

RYEGRASS_DOSES = np.repeat([0, 0.94, 1.88, 3.75, 7.5, 15, 30], [6, 3, 3, 3, 3, 3, 3])
RYEGRASS = np.array(
    [
        *(7.5800000, 8.0000000, 8.3285714, 7.2500000, 7.3750000, 7.9625000),
        *(8.3555556, 6.9142857, 7.7500000),
        *(6.8714286, 6.4500000, 5.9222222),
        *(1.9250000, 2.8857143, 4.2333333),
        *(1.1875000, 0.8571429, 1.0571429),
        *(0.6875000, 0.5250000, 0.8250000),
        *(0.2500000, 0.2200000, 0.4400000),
    ]
)
"""Root lengths of ryegrass by concentration of ferulic acid (mM): Inderjit, Streibig & Olofsdotter, Physiologia
Plantarum 114, 2002; the data set ``ryegrass`` of the R package drc."""


def test_the_curve_of_ryegrass_is_that_of_drc() -> None:
    """``drm(rootl ~ conc, data = ryegrass, fct = LL.4())``: b 2.98222, c 0.48141, d 7.79296, e 3.05795."""
    curve = fit_dose_curve(RYEGRASS_DOSES, RYEGRASS)
    assert curve.outcome is DoseOutcome.FITTED
    assert (curve.ec50, -curve.hill, curve.bottom, curve.top) == pytest.approx(
        (3.05795, 2.98222, 0.48141, 7.79296), abs=1e-4
    )
    assert curve.errors == pytest.approx((0.18573, 0.46506, 0.21219, 0.18857), rel=0.02)
    assert curve.residual_sd == pytest.approx(0.5196256, abs=1e-6)  # on 20 degrees of freedom
    low, high = np.exp(np.log(3.05795) + np.array([-1, 1]) * 2.085963 * 0.18573 / 3.05795)
    assert (curve.ec50_low, curve.ec50_high) == pytest.approx((low, high), rel=0.005)
    assert curve.at(np.array([0.0, curve.ec50])) == pytest.approx([curve.top, (curve.top + curve.bottom) / 2])


@pytest.mark.parametrize(("hill", "scale"), [(1.0, 1.0), (-2.0, 1e-9), (0.7, 1e6)])
def test_known_curves_are_found_at_any_scale(hill: float, scale: float) -> None:
    doses = np.repeat(10.0 ** np.arange(-2, 4), 2)
    noise = np.tile([0.01, -0.01], 6)
    values = 5 + 90 / (1 + (2.5 / doses) ** hill) + noise
    curve = fit_dose_curve(doses * scale, values * scale)
    assert curve.outcome is DoseOutcome.FITTED
    assert curve.hill == pytest.approx(hill, rel=0.01)
    assert (curve.ec50, curve.bottom, curve.top) == pytest.approx((2.5 * scale, 5 * scale, 95 * scale), rel=0.02)
    assert curve.ec50_low < 2.5 * scale < curve.ec50_high
    assert curve.r_squared > 0.9999


FOUR = np.repeat([1.0, 3, 10, 30, 100], 3)


@pytest.mark.parametrize(
    ("doses", "values", "outcome"),
    [
        (FOUR[:9], FOUR[:9], DoseOutcome.TOO_FEW_DOSES),
        (np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 4]), DoseOutcome.TOO_FEW_VALUES),
        (10.0 ** np.arange(5), np.array([1.0, 0, 2, 1, 0]), DoseOutcome.TOO_FEW_VALUES),
        (10.0 ** np.arange(5), np.array([0, 10.0, 50, 80, 99]), DoseOutcome.NOT_DETERMINED),
        (FOUR, 0.3 + np.tile([0, 5e-17, -5e-17], 5), DoseOutcome.NO_RESPONSE),
        (FOUR, np.random.default_rng(0).normal(size=15), DoseOutcome.NO_RESPONSE),
        (FOUR, np.ones(15), DoseOutcome.NO_RESPONSE),
        (FOUR, FOUR / (FOUR + 2000) + np.tile([0, 1e-3, -1e-3], 5), DoseOutcome.EXTRAPOLATED),
        (FOUR, np.where(FOUR > 20, 9, 0) + np.tile([0, 0.1, -0.1], 5), DoseOutcome.NOT_DETERMINED),
    ],
)
def test_an_ec50_that_is_not_determined_is_not_a_number(
    doses: np.ndarray[Any, Any], values: np.ndarray[Any, Any], outcome: DoseOutcome
) -> None:
    curve = fit_dose_curve(doses, values)
    assert curve.outcome is outcome
    assert np.isnan([curve.ec50, curve.ec50_low, curve.ec50_high]).all()


EIGHT = np.repeat([0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30], 2)


@pytest.mark.parametrize(
    ("acting", "above", "below"), [(30, 10, np.nan), (1, 0.3, 1), (0.03, np.nan, 0.03)], ids=["top", "middle", "low"]
)
def test_a_step_is_a_response_between_two_doses(acting: float, above: float, below: float) -> None:
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 2, 16)
        curve = fit_dose_curve(EIGHT, np.where(acting <= EIGHT, 60, 0) + noise)
        if curve.outcome is not DoseOutcome.FITTED or acting != 1:
            assert curve.outcome is DoseOutcome.NOT_DETERMINED
            assert (curve.above, curve.below) == pytest.approx((above, below), nan_ok=True)
        else:
            assert 0.3 <= curve.ec50 <= 1


def test_intervals_are_narrow_or_not_given_and_have_the_truth_in_95_percent() -> None:
    doses, held = np.repeat(10.0 ** np.linspace(-2, 2, 8), 2), []
    for seed in range(200):
        random = np.random.default_rng(seed)
        ec50, hill = 10 ** random.uniform(-2.5, 2.5), random.uniform(0.4, 4) * random.choice([-1, 1])
        curve = fit_dose_curve(doses, 10 + 80 / (1 + (ec50 / doses) ** hill) + random.normal(0, 6, 16))
        if curve.outcome is DoseOutcome.FITTED:
            assert curve.ec50_high < 100 * curve.ec50_low
            held.append(curve.ec50_low <= ec50 <= curve.ec50_high)
    assert len(held) > 70
    assert np.mean(held) > 0.9


@pytest.mark.parametrize("values", [np.random.default_rng(5).normal(size=16), 100 / (1 + 1 / EIGHT)])
def test_a_fit_takes_few_evaluations(values: np.ndarray[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(parameters: np.ndarray[Any, Any], logs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        calls.append(1)
        return curve(parameters, logs)

    monkeypatch.setattr("openhcs_runtime.profiles.dose_fit.curve", counted)
    fit_dose_curve(EIGHT, values)
    assert len(calls) < 200


def test_doses_below_0_are_refused() -> None:
    with pytest.raises(ValueError, match="-1 is not a dose"):
        fit_dose_curve(np.array([-1.0, 1]), np.array([1.0, 2]))


def profiles_of(rows: list[dict[str, Any]], values: list[float]) -> WellProfiles:
    wells = tuple(well_name(place // 12, place % 12) for place in range(len(rows)))
    return WellProfiles(
        table="nuclei",
        source="table nuclei",
        plates=("P1",) * len(rows),
        wells=wells,
        plate_map={name: tuple(row[name] for row in rows) for name in rows[0]},
        measures={"length": Measure(measure="length")},
        values=np.array(values, dtype=np.float64)[:, None],
    )


def test_a_curve_for_each_compound_with_doses_in_one_unit() -> None:
    acid = [
        {"Drug": "ferulic acid", "dose": dose if dose > 5 else dose * 1000, "dose_unit": "mM" if dose > 5 else "µM"}
        for dose in RYEGRASS_DOSES.tolist()
    ]
    rest = [{"Drug": name, "dose": dose, "dose_unit": "uM"} for name, dose in (("DMSO", 0), ("X", 1.0), (None, 2.0))]
    profiles = profiles_of([*acid, *rest], [*RYEGRASS, 8.0, 8.0, 8.0])
    found = dose_responses(profiles, "length")
    step = fit_dose_curve(EIGHT, np.where(EIGHT == 30, 60.0, 0) + np.tile([1, -1], 8))
    assert dataclasses.replace(found[0], curve=step).said == "not determined: EC50 above 10 µM"
    assert [(response.compound, response.unit, response.curve.outcome) for response in found] == [
        ("ferulic acid", "µM", DoseOutcome.FITTED),
        ("X", "uM", DoseOutcome.TOO_FEW_DOSES),
    ]
    assert found[0].curve.ec50 == pytest.approx(3057.95, abs=0.1)
    assert found[0].curve.doses == 7


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{"compound": "X", "dose": "10 uM"}], "column 'dose' has '10 uM' in well A01, which is not a dose"),
        ([{"compound": "X", "dose": -6.0}], "a dose can't be below 0: if it is a logarithm"),
        ([{"compound": "X"}], "a dose response needs a column dose"),
        (
            [{"compound": "X", "dose": 1, "unit": "uM"}, {"compound": "X", "dose": 1, "unit": "mg/mL"}],
            "doses of X are in uM and in mg/mL, which can't be compared",
        ),
        (
            [{"compound": "X", "dose_uM": 0, "unit": "nM"}, {"compound": "X", "dose_uM": 1, "unit": "nM"}],
            "column 'dose_uM' are in uM by its name, and in nM by column 'unit' in well A02",
        ),
    ],
)
def test_doses_that_can_not_be_used_are_refused(rows: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(PlateMapError, match=problem):
        dose_responses(profiles_of(rows, [1.0] * len(rows)), "length")


@pytest.mark.parametrize(
    ("one", "other", "factor"),
    [("uM", "nM", 1000), ("mM", "M", 1e-3), ("ug/mL", "ng/ul", 1), ("mg/L", "ug/ml", 1), ("cups", "cups", 1)],
)
def test_units(one: str, other: str, factor: float) -> None:
    assert conversion(one, other) == pytest.approx(factor)
    assert conversion("uM", "ug/mL") is None
