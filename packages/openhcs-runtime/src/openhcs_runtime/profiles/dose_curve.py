"""Fits a dose-response curve with four parameters, and says when the doses do not determine one."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FEWEST_DOSES = 4
_CONFIDENCE = 0.95
_STEEPEST = 30.0
"""A steeper curve is a step between two doses: where in between it is can't be said."""
_SIGNIFICANT = 0.05
_SINGULAR = 1e-10
_EVALUATIONS = 2000
_CLOSE = 1e-12


class DoseOutcome(StrEnum):
    """What can be said of the response to a compound."""

    FITTED = "fitted"
    """The curve and its EC50 are determined."""
    EXTRAPOLATED = "EC50 outside the tested doses"
    """A curve fits, and its EC50 is not between the lowest and the highest dose: no number is given."""
    NO_RESPONSE = "no response"
    """No curve fits better than a constant."""
    TOO_FEW_DOSES = "too few doses"
    """There are fewer than four different doses above 0, or not more values than parameters."""
    NOT_DETERMINED = "not determined"
    """No curve was found, or many fit equally well."""


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
        p_value: of the F test of the curve against a constant.
        values: number of values.
        doses: number of different doses.
        lowest: lowest dose above 0.
        highest: highest dose.
    """

    outcome: DoseOutcome
    values: int
    doses: int
    lowest: float
    highest: float
    ec50: float = float("nan")
    ec50_low: float = float("nan")
    ec50_high: float = float("nan")
    hill: float = float("nan")
    bottom: float = float("nan")
    top: float = float("nan")
    errors: tuple[float, float, float, float] = (float("nan"),) * 4
    r_squared: float = float("nan")
    residual_sd: float = float("nan")
    p_value: float = float("nan")

    def at(self, doses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values of the curve at doses (n,) of 0 or more; NaN without an EC50."""
        parameters = np.array([self.hill, self.bottom, self.top, np.log(self.ec50)])
        return _curve(parameters, _log(np.asarray(doses, dtype=np.float64)))


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    parameters: NDArray[np.float64]
    """hill, bottom, top, ln(EC50)."""
    jacobian: NDArray[np.float64]
    squares: float


def fit_dose_curve(doses: NDArray[np.float64], values: NDArray[np.float64]) -> DoseCurve:
    """Fit a curve to the values at doses.

    Least squares with the logarithm of the EC50 as a parameter, started from rising and falling curves. This is the
    model LL.4 of the R package drc (Ritz et al., Dose-response analysis using R, PLoS ONE 10, 2015), whose b is -hill,
    c is bottom, d is top and e is the EC50. The confidence interval is that of ln(EC50), from Student's t. Doses of 0
    are controls: they are at the asymptote that the curve has for vanishing doses.

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
    ends = (float(tested[0]), float(tested[-1])) if len(tested) else (float("nan"), float("nan"))
    size = (len(values), len(np.unique(doses)), *ends)
    if len(tested) < FEWEST_DOSES or len(values) <= FEWEST_DOSES:
        return DoseCurve(DoseOutcome.TOO_FEW_DOSES, *size)
    if np.ptp(values) == 0:
        return DoseCurve(DoseOutcome.NO_RESPONSE, *size)
    fit = _best_fit(_log(doses), values)
    return DoseCurve(DoseOutcome.NOT_DETERMINED, *size) if fit is None else _described(fit, values, size)


def _described(fit: _Fit, values: NDArray[np.float64], size: tuple[int, int, float, float]) -> DoseCurve:
    """Return what a fit says."""
    from scipy.special import fdtrc, stdtrit  # noqa: PLC0415  heavy

    free = len(values) - len(fit.parameters)
    total = float(((values - values.mean()) ** 2).sum())
    variance = fit.squares / free
    gain = max(0.0, total - fit.squares) / (len(fit.parameters) - 1)
    p_value = float(fdtrc(len(fit.parameters) - 1, free, gain / variance)) if variance else 0.0
    if p_value >= _SIGNIFICANT:
        return DoseCurve(DoseOutcome.NO_RESPONSE, *size, p_value=p_value)
    errors = _standard_errors(fit, variance)
    if errors is None:
        return DoseCurve(DoseOutcome.NOT_DETERMINED, *size, p_value=p_value)
    hill, bottom, top, middle = fit.parameters.tolist()
    ec50, reach = float(np.exp(middle)), float(stdtrit(free, (1 + _CONFIDENCE) / 2) * errors[3])
    inside = size[2] <= ec50 <= size[3]
    nowhere = float("nan")
    return DoseCurve(
        DoseOutcome.FITTED if inside else DoseOutcome.EXTRAPOLATED,
        *size,
        ec50=ec50 if inside else nowhere,
        ec50_low=float(np.exp(middle - reach)) if inside else nowhere,
        ec50_high=float(np.exp(min(middle + reach, 700.0))) if inside else nowhere,
        hill=hill,
        bottom=bottom,
        top=top,
        errors=(ec50 * float(errors[3]) if inside else nowhere, *errors[:3].tolist()),
        r_squared=1 - fit.squares / total,
        residual_sd=float(np.sqrt(variance)),
        p_value=p_value,
    )


def _best_fit(logs: NDArray[np.float64], values: NDArray[np.float64]) -> _Fit | None:
    """Return the fit with the smallest sum of squares; None if none converges."""
    fits = [fit for start in _starts(logs, values) if (fit := _fit(start, logs, values)) is not None]
    return min(fits, key=lambda fit: fit.squares, default=None)


def _starts(logs: NDArray[np.float64], values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    low, high = float(values.min()), float(values.max())
    tested = np.unique(logs[np.isfinite(logs)])
    return [
        np.array([hill, low, high, middle])
        for hill in (1.0, -1.0, 4.0, -4.0)
        for middle in np.quantile(tested, [0.25, 0.5, 0.75]).tolist()
    ]


def _fit(start: NDArray[np.float64], logs: NDArray[np.float64], values: NDArray[np.float64]) -> _Fit | None:
    from scipy.optimize import least_squares  # noqa: PLC0415  heavy

    def residuals(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return _curve(parameters, logs) - values

    def derivatives(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return _jacobian(parameters, logs)

    found = least_squares(
        residuals, start, jac=derivatives, method="lm", xtol=_CLOSE, ftol=_CLOSE, gtol=_CLOSE, max_nfev=_EVALUATIONS
    )
    if found.status <= 0 or not np.isfinite(found.x).all():
        return None
    parameters = found.x if found.x[1] <= found.x[2] else found.x[[0, 2, 1, 3]] * [-1, 1, 1, 1]
    return _Fit(parameters, _jacobian(parameters, logs), float(2 * found.cost))


def _standard_errors(fit: _Fit, variance: float) -> NDArray[np.float64] | None:
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


def _log(doses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return natural logarithms, of 0 minus infinity."""
    return np.log(doses, out=np.full(doses.shape, -np.inf), where=doses > 0)


def _curve(parameters: NDArray[np.float64], logs: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import expit  # noqa: PLC0415  heavy

    hill, bottom, top, middle = parameters
    values: NDArray[np.float64] = bottom + (top - bottom) * expit(hill * (logs - middle))
    return values


def _jacobian(parameters: NDArray[np.float64], logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the derivatives by hill, bottom, top and ln(EC50) (n, 4)."""
    from scipy.special import expit  # noqa: PLC0415  heavy

    hill, bottom, top, middle = parameters
    share = expit(hill * (logs - middle))
    slope = (top - bottom) * share * (1 - share)
    distance = np.where(np.isfinite(logs), logs - middle, 0.0)  # the slope at a dose of 0 is 0
    return np.column_stack([slope * distance, 1 - share, share, -hill * slope])
