"""Limits of the quality of images, from all images of a channel, and the flags of images beyond them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import Component
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    plate_inputs,
    plate_output,
    special_inputs,
    special_outputs,
)

if TYPE_CHECKING:
    from openhcs_runtime.engine.plate_data import PlateData

MAD_TO_SD = 1.4826
FEWEST = 5
"""With fewer images of a channel, none can be called an outlier."""
COUNT_SUFFIX = "_count"
_SIDES = {
    "focus_score": (-1,),
    "focus_slope": (-1, 1),
    "background_mean": (-1, 1),
    "illumination_range_percent": (1,),
}
"""Columns in which an image can be an outlier, and in which directions; and all counts, which can be too low."""

Limits = tuple[float, float]
"""The lowest and the highest value that is not an outlier; infinite where there is no limit."""


def limits_of(values: NDArray[np.float64], sides: Iterable[int], cutoff: float) -> Limits:
    """Return the limits of values at a robust z-score (Iglewicz & Hoaglin, 1993).

    Args:
        values: One value for each image; those that are not finite are left out.
        sides: -1 for a lower limit, 1 for an upper one.
        cutoff: Median absolute deviations, times 1.4826, from the median to the limit.
    """
    known = values[np.isfinite(values)]
    middle = float(np.median(known)) if len(known) else 0.0
    spread = MAD_TO_SD * float(np.median(np.abs(known - middle))) if len(known) >= FEWEST else 0.0
    reach = cutoff * spread if spread else np.inf
    chosen = set(sides)
    return (middle - reach if -1 in chosen else -np.inf, middle + reach if 1 in chosen else np.inf)


@plate_output("quality_limits", per=Component.CHANNEL)
def find_quality_limits(
    plate: "PlateData", *, cutoff: float = 4.0, most_saturated_percent: float = 1.0
) -> dict[int, dict[str, list[float | None]]]:
    """Find the limits of quality and counts for each channel, from all images of the plate, for ``flag_quality``.

    An image is an outlier if its focus score or a count is too low, its focus slope or background too low or too high,
    or its illumination too uneven, by a robust z-score (median and 1.4826 x median absolute deviation); and it is
    saturated above a fixed limit. There are no outliers among fewer than five images, or without a spread.

    Args:
        plate: The measurements so far, from the engine.
        cutoff: Robust z-score from which an image is an outlier.
        most_saturated_percent: Most pixels of an image that may be saturated, in percent.

    Returns:
        For each channel the lowest and the highest value of each column, None for no limit.

    Raises:
        ValueError: If quality was not measured before.
    """
    table = plate.measurements()
    if "focus_score" not in table:
        raise ValueError("quality was not measured before this step: put FunctionStep(measure_quality) before it")
    judged = {name: sides for name, sides in _SIDES.items() if name in table}
    judged |= {name: (-1,) for name in table if name.endswith(COUNT_SUFFIX)}
    found: dict[int, dict[str, list[float | None]]] = {}
    for channel in np.unique(table["channel"]).tolist():
        here = table["channel"] == channel
        limits = {name: limits_of(table[name][here], sides, cutoff) for name, sides in judged.items()}
        limits["saturated_percent"] = (-np.inf, most_saturated_percent)
        found[channel] = {
            name: [None if np.isinf(limit) else float(limit) for limit in both] for name, both in limits.items()
        }
    return found


@special_inputs(InputKind.MEASUREMENTS)
@special_outputs(OutputKind.MEASUREMENTS)
@plate_inputs("quality_limits")
def flag_quality(
    stack: Stack,
    *,
    measurements: Sequence[Mapping[str, Any]],
    quality_limits: Sequence[Mapping[str, Sequence[float | None]]],
) -> tuple[Stack, list[Measurements]]:
    """Flag each image whose quality or count is beyond the limits that ``find_quality_limits`` has found.

    Columns: ``quality_flag`` (True for an image to look at or leave out) and ``quality_reason``, which names each value
    and its limit. A value that is missing is not judged.

    Args:
        stack: The images (n, Y, X), which are passed on.
        measurements: The measurements of each image so far, from the engine.
        quality_limits: The limits for the channel of each image, from the engine.

    Returns:
        The stack, and one ``Measurements`` for each plane.
    """
    planes = zip(measurements, quality_limits, strict=True)
    reasons = [_reasons(values, limits) for values, limits in planes]
    return stack, [Measurements({"quality_flag": bool(found), "quality_reason": "; ".join(found)}) for found in reasons]


def _reasons(values: Mapping[str, Any], limits: Mapping[str, Sequence[float | None]]) -> list[str]:
    found = []
    for name, (lowest, highest) in limits.items():
        value = values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if lowest is not None and value < lowest:
            found.append(f"{name} {value:.4g} is below {lowest:.4g}")
        if highest is not None and value > highest:
            found.append(f"{name} {value:.4g} is above {highest:.4g}")
    return found
