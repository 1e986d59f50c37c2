"""B scores: values without the effects of their row and column on the plate."""

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.controls import FEWEST_VALUES, median_and_mad

_ROUNDS = 100
_ENOUGH = 1e-6
"""Relative change of the sum of absolute residuals at which the polish ends."""


def median_polish(plate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is left of values when row and column effects are taken away.

    Tukey's two-way median polish (Exploratory Data Analysis, 1977): the medians of rows, then of columns, are
    subtracted until the sum of absolute residuals does not change.

    Args:
        plate: values (rows, columns); NaN for wells without one.

    Returns:
        The residuals (rows, columns); NaN where there was no value.
    """
    left = plate.copy()
    rows, columns = np.isfinite(left).any(axis=1), np.isfinite(left).any(axis=0)
    before = np.inf
    for _ in range(_ROUNDS):
        left[rows] -= np.nanmedian(left[rows], axis=1, keepdims=True)
        left[:, columns] -= np.nanmedian(left[:, columns], axis=0, keepdims=True)
        total = float(np.nansum(np.abs(left)))
        if total == 0 or abs(before - total) <= _ENOUGH * total:
            break
        before = total
    return left


def b_scores(plate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the B scores of a plate.

    A residual of the median polish divided by the median absolute deviation of all residuals: Brideau et al., Improved
    statistical methods for hit selection in high-throughput screening, Journal of Biomolecular Screening 8, 2003; Malo
    et al., Statistical practice in high-throughput screening data analysis, Nature Biotechnology 24, 2006. The
    deviation is multiplied by 1.4826, so that scores are on the scale of robust z scores.

    Args:
        plate: values (rows, columns); NaN for wells without one.

    Returns:
        The scores (rows, columns); NaN where there was no value, or everywhere if residuals have no spread.
    """
    left = median_polish(plate)
    present = left[np.isfinite(left)]
    scale = median_and_mad(present).scale if len(present) >= FEWEST_VALUES else 0.0
    floor = np.finfo(np.float64).eps * float(np.nanmax(np.abs(plate), initial=0.0)) * plate.size
    scores: NDArray[np.float64] = left / scale if scale > floor else np.full_like(plate, np.nan)
    return scores
