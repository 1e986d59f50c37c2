"""The rules by which measurements are related to those of control wells, or of a whole plate."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAD_TO_SD = 1.4826
"""Standard deviations in a median absolute deviation, for a normal distribution."""
FEWEST_VALUES = 2
"""Values that a centre and a scale can be taken from."""

_ROUNDING = 1e-9
"""Differences of values that are smaller, relative to them, may come from rounding."""


class ControlMethod(StrEnum):
    """How measurements are related to those of the controls."""

    Z_SCORE = "z"
    """(value - mean) / standard deviation (of a sample)."""
    ROBUST_Z_SCORE = "robust_z"
    """(value - median) / (1.4826 x median absolute deviation); see Birmingham et al., Nature Methods 6, 2009."""
    PERCENT = "percent"
    """100 x value / mean."""


class Summary(NamedTuple):
    """Where values are, and how far they spread.

    Attributes:
        centre: what is subtracted from a value.
        scale: what the difference is divided by; 0 if nothing can be said.
    """

    centre: float
    scale: float


def mean_and_sd(values: NDArray[np.float64]) -> Summary:
    """Return mean and standard deviation (of a sample) of finite values (n,)."""
    middle = float(values.mean())
    return Summary(middle, beyond_rounding(float(values.std(ddof=1)), middle))


def median_and_mad(values: NDArray[np.float64]) -> Summary:
    """Return median and 1.4826 x median absolute deviation of finite values (n,)."""
    middle = float(np.median(values))
    return Summary(middle, beyond_rounding(float(MAD_TO_SD * np.median(np.abs(values - middle))), middle))


def beyond_rounding(difference: float, size: float) -> float:
    """Return a difference of values; 0 if it may be a rounding error.

    Args:
        difference: what is left after the subtraction.
        size: how large the values are.
    """
    return difference if abs(difference) > _ROUNDING * abs(size) else 0.0


def summarise(column: NDArray[np.float64], method: ControlMethod) -> Summary:
    """Return what is subtracted from a value and what it is divided by.

    Args:
        column: values of the controls (n,); those that are not finite are left out.
        method: how values are related to them.
    """
    values = column[np.isfinite(column)]
    if len(values) < FEWEST_VALUES:
        return Summary(0.0, 0.0)
    match method:
        case ControlMethod.Z_SCORE:
            return mean_and_sd(values)
        case ControlMethod.ROBUST_Z_SCORE:
            return median_and_mad(values)
        case ControlMethod.PERCENT:
            return Summary(0.0, beyond_rounding(float(values.mean()), float(np.abs(values).mean())) / 100)
