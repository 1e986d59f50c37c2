"""Quality of images, judged for each well in comparison with the whole plate."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import Component
from openhcs_runtime.functions.quality import measure_image
from openhcs_runtime.functions.quality_limits import COUNT_SUFFIX, limits_of
from openhcs_runtime.pipeline.decorators import (
    Measurements,
    OutputKind,
    Stack,
    plate_inputs,
    plate_output,
    special_outputs,
)

if TYPE_CHECKING:
    from openhcs_runtime.engine.plate_data import PlateData

_SIDES = {"focus_score": (-1,), "background_mean": (-1, 1)}
"""Columns in which an image can be an outlier, and in which directions; and all counts, which can be too low."""


@special_outputs(OutputKind.MEASUREMENTS)
def measure_quality(stack: Stack) -> tuple[Stack, list[Measurements]]:
    """Measure sharpness, saturation and background of each image; the stack is passed on.

    Columns: ``focus_score`` (variance of the Laplacian divided by the squared mean, Pech-Pacheco et al., ICPR 2000;
    lower is less sharp), ``focus_slope`` (of the logarithm of the power spectrum, Bray et al., J. Biomolecular
    Screening 17(2), 2012; lower is less sharp, and it depends less on the number of cells), ``saturated_percent``
    (pixels with the highest value of the image, if that is the largest of a camera of 8, 10, 12, 14, 16 or 32 bits,
    such as 4095, or of one that shifts its bits up, such as 65520 for 12 bits in 16; 0 for types other than unsigned
    integers), ``background_mean`` (5th percentile, in counts) and
    ``illumination_range_percent`` (range of a smooth surface through the background, relative to its mean).

    Args:
        stack: The images (n, Y, X), as the camera has made them.

    Returns:
        The stack, and one ``Measurements`` for each plane.
    """
    return stack, [Measurements(measure_image(plane)) for plane in stack]


@plate_output("verdict", per=Component.WELL)
def judge_quality(
    plate: "PlateData", *, cutoff: float = 4.0, most_saturated_percent: float = 1.0, most_flagged: float = 0.5
) -> dict[str, dict[str, Any]]:
    """Judge the quality of each well from ``measure_quality`` and from counts, in comparison with the whole plate.

    An image is flagged if its focus score, background or a count is an outlier among the images of its channel (a
    robust z-score beyond the cutoff: median and 1.4826 x median absolute deviation), or if it is saturated. A well
    passes unless more than a fraction of its images is flagged.

    Args:
        plate: The measurements so far, from the engine.
        cutoff: Robust z-score from which an image is an outlier.
        most_saturated_percent: Most pixels of an image that may be saturated, in percent.
        most_flagged: Largest fraction of flagged images of a well that passes.

    Returns:
        For each well ``passed``, and ``reason``: what was flagged, and in how many images.

    Raises:
        ValueError: If quality was not measured before.
    """
    table = plate.measurements()
    if "focus_score" not in table:
        raise ValueError("quality was not measured before this step: put FunctionStep(measure_quality) before it")
    wells = table["well"].astype(str)
    flags = {name: np.zeros(len(wells), bool) for name in table if name in _SIDES or name.endswith(COUNT_SUFFIX)}
    for channel in np.unique(table["channel"]):
        here = table["channel"] == channel
        for name, flagged in flags.items():
            flagged[here] = _outliers(table[name][here], _SIDES.get(name, (-1,)), cutoff)
    flags["saturated_percent"] = table["saturated_percent"] > most_saturated_percent
    verdicts = {}
    for well in plate.wells:
        here = wells == well
        parts = {name: int(flagged[here].sum()) for name, flagged in flags.items() if flagged[here].any()}
        share = np.any([flagged[here] for flagged in flags.values()], axis=0).mean() if here.any() else 0.0
        reason = ", ".join(f"{name} in {count} of {here.sum()} images" for name, count in parts.items())
        verdicts[well] = {"passed": bool(share <= most_flagged), "reason": reason}
    return verdicts


@special_outputs(OutputKind.MEASUREMENTS)
@plate_inputs("verdict")
def quality_gate(
    stack: Stack, *, verdict: Mapping[str, Any], on_failure: Literal["flag", "fail"] = "flag"
) -> tuple[Stack, list[Measurements]]:
    """Add the verdict of ``judge_quality`` to the measurements, or stop the well if it did not pass.

    Columns: ``quality_passed`` and ``quality_reason``.

    Args:
        stack: The images (n, Y, X), which are passed on.
        verdict: The verdict on the well, from the engine.
        on_failure: "flag" only adds the columns; "fail" fails a well that did not pass, so that later steps don't run.

    Returns:
        The stack, and one ``Measurements`` for each plane.

    Raises:
        ValueError: If the well did not pass, and ``on_failure`` is "fail".
    """
    if on_failure not in ("flag", "fail"):
        raise ValueError(f"unknown on_failure {on_failure!r}; choose flag or fail")
    if on_failure == "fail" and not verdict["passed"]:
        raise ValueError(f"the well did not pass quality control: {verdict['reason']}")
    row = {"quality_passed": verdict["passed"], "quality_reason": verdict["reason"]}
    return stack, [Measurements(row) for _ in stack]


def _outliers(values: NDArray[np.float64], sides: Sequence[int], cutoff: float) -> NDArray[np.bool_]:
    lowest, highest = limits_of(values, sides, cutoff)
    return np.asarray((values < lowest) | (values > highest))
