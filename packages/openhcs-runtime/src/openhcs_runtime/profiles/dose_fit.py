"""Finds the log-logistic curve with the least squares: a grid over slope and EC50, then a refinement.

For a given hill and EC50 the best bottom and top follow from a linear regression, so that only two parameters are
searched: variable projection, Golub & Pereyra, SIAM Journal on Numerical Analysis 10, 1973.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_HILLS = np.geomspace(0.05, 60.0, 40)
_OUTSIDE = np.log(1000.0)
"""How far outside of the tested doses an EC50 is looked for, in ln(dose)."""
_POINTS_OUTSIDE = 24
_POINTS_BETWEEN, _MOST_BETWEEN = 8, 128
"""Points of the grid between two doses, and between all of them."""
_STEP = np.array([1e6])
"""A hill that makes a step between any two doses."""
_SMALLEST = 1e-4
"""Share of the curve that the doses have to reach for a refinement to start there."""
_ROUNDING = 1e-9
_EVALUATIONS = 150
_CLOSE = 1e-12

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DoseFit:
    """The curve with the least squares.

    Attributes:
        parameters: hill, bottom, top and ln(EC50) (4,); bottom is not above top.
        jacobian: derivatives of the curve by these (n, 4).
        squares: sum of squared residuals.
        places: values of ln(EC50), rising (m,).
        profile: least sum of squared residuals with each of these (m,).
        step: least sum of squared residuals of a step between two doses.
    """

    parameters: Floats
    jacobian: Floats
    squares: float
    places: Floats
    profile: Floats
    step: float

    def reach(self, limit: float) -> tuple[float, float]:
        """Return the lowest and the highest ln(EC50) with a sum of squares up to a limit, on the safe side.

        Args:
            limit: the sum of squares.

        Returns:
            Both ends, to the next point of the grid outwards; infinite where the curve is as good up to its end.
        """
        middle = float(self.parameters[3])
        good = np.flatnonzero(self.profile <= limit).tolist()
        at = int(np.searchsorted(self.places, middle))
        low, high = min([*good, at]) - 1, max([*good, at - 1]) + 1
        return (
            float(self.places[low]) if low >= 0 else -np.inf,
            float(self.places[high]) if high < len(self.places) else np.inf,
        )


def best_fit(logs: Floats, values: Floats) -> DoseFit:
    """Return the curve with the least squares.

    Args:
        logs: ln(dose) (n,), minus infinity for a dose of 0; at least two different ones are finite.
        values: the values (n,), not all equal.
    """
    tested = np.unique(logs[np.isfinite(logs)])
    places = _places(tested)
    squares, range_of_share = _grid(logs, values, _HILLS, places)
    steps, _ = _grid(logs, values, _STEP, (tested[1:] + tested[:-1]) / 2)
    start = _with_asymptotes(*_lowest(np.where(range_of_share > _SMALLEST, squares, np.inf), places), logs, values)
    parameters = _refined(start, logs, values)
    least = _squares(parameters, logs, values)
    if squares.min() < least * (1 - _ROUNDING):  # only a part of a curve far outside of the doses fits as well
        parameters, least = _with_asymptotes(*_lowest(squares, places), logs, values), float(squares.min())
    if parameters[1] > parameters[2]:
        parameters = parameters[[0, 2, 1, 3]] * [-1, 1, 1, 1]
    return DoseFit(parameters, jacobian(parameters, logs), least, places, squares.min(axis=0), float(steps.min()))


def curve(parameters: Floats, logs: Floats) -> Floats:
    """Return the values of a curve at ln(dose) (n,); minus infinity is a dose of 0."""
    from scipy.special import expit  # noqa: PLC0415  heavy

    hill, bottom, top, middle = parameters
    values: Floats = bottom + (top - bottom) * expit(hill * (logs - middle))
    return values


def jacobian(parameters: Floats, logs: Floats) -> Floats:
    """Return the derivatives by hill, bottom, top and ln(EC50) (n, 4)."""
    from scipy.special import expit  # noqa: PLC0415  heavy

    hill, bottom, top, middle = parameters
    share = expit(hill * (logs - middle))
    slope = (top - bottom) * share * (1 - share)
    distance = np.where(np.isfinite(logs), logs - middle, 0.0)  # the slope at a dose of 0 is 0
    return np.column_stack([slope * distance, 1 - share, share, -hill * slope])


def _places(tested: Floats) -> Floats:
    """Return values of ln(EC50) to look at (m,): evenly between the doses, and some outside of them."""
    between = min(_POINTS_BETWEEN * (len(tested) - 1), _MOST_BETWEEN)
    inside = np.interp(np.linspace(0, len(tested) - 1, between + 1), np.arange(len(tested)), tested)
    steps = np.linspace(0, _OUTSIDE, _POINTS_OUTSIDE + 1)[1:]
    return np.concatenate([inside[0] - steps[::-1], inside, inside[-1] + steps])


def _grid(logs: Floats, values: Floats, hills: Floats, places: Floats) -> tuple[Floats, Floats]:
    """Return the least sum of squares for each hill and ln(EC50) (hills, places), and how far the curve gets (same).

    The share of a curve far outside of the doses is tiny, and its shape still counts: it is relative to the largest.
    """
    from scipy.special import log_expit  # noqa: PLC0415  heavy

    doses, inverse, counts = np.unique(logs, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, values - values.mean()) / counts
    total = float(((values - values.mean()) ** 2).sum())
    exponents = hills[:, None, None] * (doses - places[:, None])
    exponents *= np.where(exponents.min(axis=2, keepdims=True) > 0, -1.0, 1.0)
    logarithms = log_expit(exponents)
    largest = logarithms.max(axis=2, keepdims=True)
    shares = np.exp(logarithms - largest)
    shares -= (shares @ counts / counts.sum())[..., None]
    sizes = shares**2 @ counts
    fitted = (shares @ (counts * means)) ** 2
    explained = np.divide(fitted, sizes, out=np.zeros_like(sizes), where=sizes > _ROUNDING)
    return np.maximum(total - explained, 0.0), np.exp(largest[..., 0])


def _lowest(squares: Floats, places: Floats) -> tuple[float, float]:
    """Return hill and ln(EC50) of the lowest point of a grid (hills, places)."""
    hill, place = np.unravel_index(int(np.argmin(squares)), squares.shape)
    return float(_HILLS[hill]), float(places[place])


def _squares(parameters: Floats, logs: Floats, values: Floats) -> float:
    return float(((curve(parameters, logs) - values) ** 2).sum())


def _with_asymptotes(hill: float, middle: float, logs: Floats, values: Floats) -> Floats:
    """Return parameters with the best bottom and top for a slope and ln(EC50)."""
    share = curve(np.array([hill, 0.0, 1.0, middle]), logs)
    asymptotes, *_ = np.linalg.lstsq(np.column_stack([1 - share, share]), values, rcond=None)
    return np.array([hill, *asymptotes.tolist(), middle])


def _refined(start: Floats, logs: Floats, values: Floats) -> Floats:
    """Return better parameters, by Levenberg-Marquardt; those of the start if there are none."""
    from scipy.optimize import least_squares  # noqa: PLC0415  heavy

    def residuals(parameters: Floats) -> Floats:
        return curve(parameters, logs) - values

    def derivatives(parameters: Floats) -> Floats:
        return jacobian(parameters, logs)

    found = least_squares(
        residuals,
        start,
        jac=derivatives,
        method="lm",
        xtol=_CLOSE,
        ftol=_CLOSE,
        gtol=_CLOSE,
        max_nfev=_EVALUATIONS,
    )
    parameters: Floats = found.x if np.isfinite(found.x).all() else start
    return parameters
