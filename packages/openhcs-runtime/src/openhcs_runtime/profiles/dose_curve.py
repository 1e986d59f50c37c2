"""Fits a dose-response curve with four parameters, and says when the doses do not determine one."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.profiles.dose_fit import DoseFit, best_fit, curve

FEWEST_DOSES = 4
_PARAMETERS = 4
_FEWEST_FREE = 4
"""Degrees of freedom from which on a response of usual size would not be missed."""
_CONFIDENCE = 0.95
_STEEPEST = 30.0
"""A steeper curve is a step between two doses: where in between it is can't be said."""
_WIDEST = 100.0
"""A confidence interval with a larger ratio of its ends says nothing of use."""
_NEAR = 2.0
"""How far outside of the doses the EC50 of curves that fit may be, as a ratio."""
_SIGNIFICANT = 0.05
_SINGULAR = 1e-10
_ROUNDING = 1e-12
_NAN = float("nan")


class DoseOutcome(StrEnum):
    """What can be said of the response to a compound."""

    FITTED = "fitted"
    """The curve and its EC50 are determined."""
    EXTRAPOLATED = "EC50 outside the tested doses"
    """All curves that fit have an EC50 below the lowest or above the highest dose: no number is given."""
    NO_RESPONSE = "no response"
    """No curve fits better than a constant."""
    TOO_FEW_DOSES = "too few doses"
    """There are fewer than four different doses above 0."""
    TOO_FEW_VALUES = "too few values to tell"
    """There are fewer than eight values, and no curve fits them clearly better than a constant."""
    NOT_DETERMINED = "not determined"
    """There is a response, and curves with very different EC50 fit it equally well."""


@dataclass(frozen=True, slots=True)
class DoseCurve:
    """A four-parameter log-logistic curve: bottom + (top - bottom) / (1 + (EC50 / dose)^hill).

    Attributes:
        outcome: what can be said; the numbers below are NaN if no curve was determined, the EC50 also if it is outside
            the tested doses.
        ec50: dose of the half effect.
        ec50_low: lower end of its 95 % confidence interval.
        ec50_high: upper end.
        hill: slope; above 0 where values rise with the dose, below 0 where they fall.
        bottom: lower asymptote.
        top: upper asymptote.
        errors: standard errors of EC50, hill, bottom and top.
        r_squared: share of the variance that the curve explains.
        residual_sd: standard deviation of the residuals, with n - 4 degrees of freedom.
        p_value: that the values do not depend on the dose: the smaller one of the F test of the curve against a
            constant and of the t test of a trend with the logarithm of the dose, times two (Bonferroni).
        values: number of values.
        doses: number of different doses.
        lowest: lowest dose above 0.
        highest: highest dose.
        above: highest tested dose that is surely below the EC50, if there is a response without an EC50; NaN if there
            is no such dose.
        below: lowest tested dose that is surely above it.
    """

    outcome: DoseOutcome
    values: int
    doses: int
    lowest: float
    highest: float
    ec50: float = _NAN
    ec50_low: float = _NAN
    ec50_high: float = _NAN
    hill: float = _NAN
    bottom: float = _NAN
    top: float = _NAN
    errors: tuple[float, float, float, float] = (_NAN,) * 4
    r_squared: float = _NAN
    residual_sd: float = _NAN
    p_value: float = _NAN
    above: float = _NAN
    below: float = _NAN

    def at(self, doses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values of the curve at doses (n,) of 0 or more; NaN without an EC50."""
        parameters = np.array([self.hill, self.bottom, self.top, np.log(self.ec50)])
        return curve(parameters, log_doses(np.asarray(doses, dtype=np.float64)))


def fit_dose_curve(doses: NDArray[np.float64], values: NDArray[np.float64]) -> DoseCurve:
    """Fit a curve to the values at doses.

    Least squares with the logarithm of the EC50 as a parameter, started from the best curve of a grid. This is the
    model LL.4 of the R package drc (Ritz et al., Dose-response analysis using R, PLoS ONE 10, 2015), whose b is -hill,
    c is bottom, d is top and e is the EC50. The confidence interval is that of ln(EC50), from Student's t. Doses of 0
    are controls: they are at the asymptote that the curve has for vanishing doses.

    An EC50 is determined if the interval is not wider than two decades, and a step between two doses and curves with
    an EC50 outside of the doses (by more than a factor of two) fit clearly worse, by the profile of the sum of squares
    (Bates & Watts, Nonlinear Regression Analysis and Its Applications, 1988). The same profile tells between which
    doses an EC50 is that is not determined.

    Standard errors are those of the linearised model (Gauss-Newton), as ``nls`` of R has them; those of drc, from the
    observed Hessian, differ by a percent or so.

    Args:
        doses: doses of 0 or more (n,), all in one unit.
        values: the values (n,); pairs in which one is not finite are left out.

    Raises:
        ValueError: a dose is below 0.
    """
    finite = np.isfinite(doses) & np.isfinite(values)
    doses, values = np.asarray(doses, np.float64)[finite], np.asarray(values, np.float64)[finite]
    if (doses < 0).any():
        raise ValueError(
            f"{doses.min():g} is not a dose: correct the column of doses, which may have 0 but nothing less"
        )
    tested = np.unique(doses[doses > 0])
    ends = (float(tested[0]), float(tested[-1])) if len(tested) else (_NAN, _NAN)
    size = (len(values), len(np.unique(doses)), *ends)
    if len(tested) < FEWEST_DOSES:
        return DoseCurve(DoseOutcome.TOO_FEW_DOSES, *size)
    if len(values) <= _PARAMETERS:
        return DoseCurve(DoseOutcome.TOO_FEW_VALUES, *size)
    if np.ptp(values) <= _ROUNDING * np.abs(values).max():
        return DoseCurve(_without_response(len(values)), *size)
    return _described(best_fit(log_doses(doses), values), doses, values, size)


def _without_response(values: int) -> DoseOutcome:
    is_enough = values - _PARAMETERS >= _FEWEST_FREE
    return DoseOutcome.NO_RESPONSE if is_enough else DoseOutcome.TOO_FEW_VALUES


def _described(
    fit: DoseFit, doses: NDArray[np.float64], values: NDArray[np.float64], size: tuple[int, int, float, float]
) -> DoseCurve:
    """Return what a fit says."""
    from scipy.special import stdtrit  # noqa: PLC0415  heavy

    free = len(values) - _PARAMETERS
    total, variance = float(((values - values.mean()) ** 2).sum()), fit.squares / free
    p_value = min(1.0, 2 * min(_p_of_curve(total, fit.squares, free), _p_of_trend(log_doses(doses), values)))
    if p_value >= _SIGNIFICANT:
        return DoseCurve(_without_response(len(values)), *size, p_value=p_value)
    student = float(stdtrit(free, (1 + _CONFIDENCE) / 2))
    limit = fit.squares * (1 + student**2 / free)
    low, high = np.exp(np.clip(fit.reach(limit), -700, 700)).tolist()
    errors = _standard_errors(fit, variance)
    hill, bottom, top, middle = fit.parameters.tolist()
    is_vague = low < size[2] / _NEAR or high > size[3] * _NEAR or fit.step <= limit
    is_inside = size[2] <= np.exp(middle) <= size[3]
    if errors is None or is_vague or not is_inside or 2 * student * errors[3] > np.log(_WIDEST):
        is_outside = low >= size[3] or high <= size[2]
        outcome = DoseOutcome.EXTRAPOLATED if is_outside else DoseOutcome.NOT_DETERMINED
        above, below = _around(doses, low, high)
        return DoseCurve(outcome, *size, p_value=p_value, above=above, below=below)
    ec50, reach = float(np.exp(middle)), student * float(errors[3])
    return DoseCurve(
        DoseOutcome.FITTED,
        *size,
        ec50=ec50,
        ec50_low=float(np.exp(middle - reach)),
        ec50_high=float(np.exp(middle + reach)),
        hill=hill,
        bottom=bottom,
        top=top,
        errors=(ec50 * float(errors[3]), *errors[:3].tolist()),
        r_squared=1 - fit.squares / total,
        residual_sd=float(np.sqrt(variance)),
        p_value=p_value,
    )


def _around(doses: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """Return the tested doses around an interval, as far as there are some."""
    below, above = doses[(doses > 0) & (doses <= low)], doses[doses >= high]
    return float(below.max(initial=0.0)) or _NAN, float(above.min()) if len(above) else _NAN


def _p_of_curve(total: float, squares: float, free: int) -> float:
    """Return the p value of the F test of a curve against a constant."""
    from scipy.special import fdtrc  # noqa: PLC0415  heavy

    if not squares:
        return 0.0
    more = _PARAMETERS - 1
    return float(fdtrc(more, free, max(0.0, total - squares) / more / (squares / free)))


def _p_of_trend(logs: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return the p value of the t test of a trend with ln(dose) at doses above 0, on both sides."""
    from scipy.special import stdtr  # noqa: PLC0415  heavy

    of_dose = np.isfinite(logs)
    across, up = logs[of_dose] - logs[of_dose].mean(), values[of_dose] - values[of_dose].mean()
    size = float(np.sqrt((across**2).sum() * (up**2).sum()))
    share = min(abs(float(across @ up) / size), 1.0) if size else 0.0
    free = len(up) - 2
    if share == 1.0:
        return 0.0
    return float(2 * stdtr(free, -share * np.sqrt(free / (1 - share**2))))


def _standard_errors(fit: DoseFit, variance: float) -> NDArray[np.float64] | None:
    """Return the standard errors of the parameters; None if they are not determined."""
    if abs(fit.parameters[0]) > _STEEPEST:
        return None
    sizes = np.linalg.norm(fit.jacobian, axis=0)
    if not sizes.all():
        return None
    _, singular, right = np.linalg.svd(fit.jacobian / sizes, full_matrices=False)
    if singular[-1] <= _SINGULAR * singular[0]:
        return None
    spread: NDArray[np.float64] = np.sqrt(variance * ((right.T / singular) ** 2).sum(axis=1)) / sizes
    return spread


def log_doses(doses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return natural logarithms, of 0 minus infinity."""
    return np.log(doses, out=np.full(doses.shape, -np.inf), where=doses > 0)
