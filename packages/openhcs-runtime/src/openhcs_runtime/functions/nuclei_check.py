"""A check of whether segmented objects can be nuclei."""

import logging
import math
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    special_inputs,
    special_outputs,
)

_log = logging.getLogger(__name__)

_SMALLEST_UM, _LARGEST_UM = 2.5, 60.0
_SPREAD = 25.0
"""Ratio of the 90th to the 10th percentile of areas above which objects are not of one kind."""
_ENOUGH = 10
"""The smallest number of objects whose sizes are compared."""
_MOST_COVER, _MOST_SATURATED = 0.6, 0.25


class NucleiDoubt(StrEnum):
    """Reasons why objects are unlikely to be nuclei; the value is the last part of the column name."""

    SIZE = "size"
    """Their median diameter is not that of nuclei (below 2.5 or above 60 micrometres or, if the pixel size is unknown,
    above a third of the image), or their areas differ too much."""
    COVER = "cover"
    """They cover more than 60 % of the image."""
    SATURATION = "saturation"
    """More than a quarter of their pixels have the highest value in the image: clumps can't be separated, and the
    brightness is unknown."""


@special_inputs(InputKind.LABELS, InputKind.PIXEL_SIZE_UM)
@special_outputs(OutputKind.MEASUREMENTS)
def check_nuclei(
    stack: Stack, *, labels: Stack, pixel_size_um: float | None, name: str = "nuclei"
) -> tuple[Stack, list[Measurements]]:
    """Measure whether labelled objects can be nuclei; the stack of unprocessed images is passed on.

    Doubts are also logged as warnings in the log of the run. Columns of a plane: ``<name>_doubt_size``,
    ``<name>_doubt_cover`` and ``<name>_doubt_saturation``, each 1 if there is a doubt, otherwise 0.

    Args:
        stack: The images (n, Y, X) in which the objects were found.
        labels: Integer labels (n, Y, X), from the engine.
        pixel_size_um: Edge length of a pixel in micrometres, from the engine; None if unknown.
        name: Prefix of the columns.

    Returns:
        The stack, and one ``Measurements`` for each plane.
    """
    doubts = [doubts_about(plane, marked, pixel_size_um) for plane, marked in zip(stack, labels, strict=True)]
    for doubt in sorted(set().union(*doubts)):
        _log.warning(
            "the objects found are unlikely to be %s: %s (see %s_doubt_%s)", name, _REASONS[doubt], name, doubt
        )
    return stack, [
        Measurements({f"{name}_doubt_{doubt}": int(doubt in found) for doubt in NucleiDoubt}) for found in doubts
    ]


_REASONS = {
    NucleiDoubt.SIZE: "their size is unlikely, or differs too much",
    NucleiDoubt.COVER: "they cover most of the image",
    NucleiDoubt.SATURATION: "many pixels have the highest value",
}


def doubts_about(plane: Stack, labels: Stack, pixel_size_um: float | None) -> frozenset[NucleiDoubt]:
    """Return the reasons why the labelled objects of an image (Y, X) are unlikely to be nuclei; empty without objects.

    Args:
        plane: The image (Y, X).
        labels: Integer labels (Y, X).
        pixel_size_um: Edge length of a pixel in micrometres; None if unknown.
    """
    areas: NDArray[np.int64] = np.bincount(labels.ravel())[1:]
    areas = areas[areas > 0]
    if not len(areas):
        return frozenset()
    doubts = set()
    diameter = math.sqrt(4 * float(np.median(areas)) / math.pi)
    if pixel_size_um is None:
        odd = diameter > min(plane.shape) / 3
    else:
        odd = not _SMALLEST_UM <= diameter * pixel_size_um <= _LARGEST_UM
    if odd or (len(areas) >= _ENOUGH and np.quantile(areas, 0.9) > _SPREAD * np.quantile(areas, 0.1)):
        doubts.add(NucleiDoubt.SIZE)
    if areas.sum() > _MOST_COVER * labels.size:
        doubts.add(NucleiDoubt.COVER)
    inside = plane[labels > 0]
    if float((inside == plane.max()).mean()) > _MOST_SATURATED:
        doubts.add(NucleiDoubt.SATURATION)
    return frozenset(doubts)
