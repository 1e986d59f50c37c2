"""How well an assay tells its positive from its negative controls: Z', SSMD and their kin."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.controls import FEWEST_VALUES, Summary, beyond_rounding, mean_and_sd, median_and_mad
from openhcs_runtime.profiles.roles import ControlKind, ControlWells
from openhcs_runtime.profiles.values import WellProfiles

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class AssayQuality:
    """How well a measure tells the controls of a plate apart; NaN where it can't be said.

    Attributes:
        plate: the plate.
        measure: the measure.
        negatives: negative control wells with a value.
        positives: positive control wells with a value.
        z_prime: Z' factor, at most 1; above 0.5 an assay is called excellent.
        robust_z_prime: the same with median and 1.4826 x MAD in place of mean and standard deviation.
        ssmd: strictly standardized mean difference, positive minus negative.
        robust_ssmd: the same with median and 1.4826 x MAD.
        signal_to_background: mean of positive controls / mean of negative controls.
        cv_negative: coefficient of variation of negative controls, in percent.
        cv_positive: coefficient of variation of positive controls, in percent.
    """

    plate: str
    measure: str
    negatives: int
    positives: int
    z_prime: float
    robust_z_prime: float
    ssmd: float
    robust_ssmd: float
    signal_to_background: float
    cv_negative: float
    cv_positive: float


def assay_quality(profiles: WellProfiles, controls: Mapping[ControlKind, ControlWells]) -> tuple[AssayQuality, ...]:
    """Return the quality of each measure on each plate, from profiles that are not normalised.

    Args:
        profiles: the wells.
        controls: the control wells of both kinds, as ``find_controls`` returns them.

    Raises:
        KeyError: a kind of controls is not given.
    """
    negative, positive = controls[ControlKind.NEGATIVE].chosen, controls[ControlKind.POSITIVE].chosen
    return tuple(
        control_quality(
            profiles.values[rows[negative[rows]], place], profiles.values[rows[positive[rows]], place], plate, name
        )
        for plate, rows in profiles.plate_rows().items()
        for place, name in enumerate(profiles.measures)
    )


def control_quality(
    negative: NDArray[np.float64], positive: NDArray[np.float64], plate: str = "", measure: str = ""
) -> AssayQuality:
    """Return how well values of negative and positive controls can be told apart.

    Args:
        negative: values of negative controls (n,); those that are not finite are left out.
        positive: values of positive controls (m,).
        plate: the plate they are of.
        measure: the measure.
    """
    none, full = negative[np.isfinite(negative)], positive[np.isfinite(positive)]
    if min(len(none), len(full)) < FEWEST_VALUES:
        return AssayQuality(plate, measure, len(none), len(full), *[_NAN] * 7)
    low, high, low_robust, high_robust = (
        mean_and_sd(none),
        mean_and_sd(full),
        median_and_mad(none),
        median_and_mad(full),
    )
    return AssayQuality(
        plate=plate,
        measure=measure,
        negatives=len(none),
        positives=len(full),
        z_prime=z_prime(low, high),
        robust_z_prime=z_prime(low_robust, high_robust),
        ssmd=ssmd(low, high),
        robust_ssmd=ssmd(low_robust, high_robust),
        signal_to_background=_ratio(high.centre, low.centre),
        cv_negative=100 * _ratio(low.scale, abs(low.centre)),
        cv_positive=100 * _ratio(high.scale, abs(high.centre)),
    )


def z_prime(negative: Summary, positive: Summary) -> float:
    """Return the Z' factor: 1 - 3 (SD of positives + SD of negatives) / |difference of means|.

    Zhang, Chung & Oldenburg, A simple statistical parameter for use in evaluation and validation of high throughput
    screening assays, Journal of Biomolecular Screening 4, 1999. With medians and MADs it is the robust one.
    """
    return 1 - 3 * _ratio(negative.scale + positive.scale, abs(_difference(negative, positive)))


def ssmd(negative: Summary, positive: Summary) -> float:
    """Return the strictly standardized mean difference of independent groups: positive minus negative.

    The difference of means by the square root of the sum of variances: Zhang, A pair of new statistical parameters for
    quality control in RNA interference high-throughput screening assays, Genomics 89, 2007. With medians and MADs it
    is the robust one.
    """
    return _ratio(_difference(negative, positive), float(np.hypot(negative.scale, positive.scale)))


def _difference(negative: Summary, positive: Summary) -> float:
    return beyond_rounding(positive.centre - negative.centre, negative.centre)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else _NAN
