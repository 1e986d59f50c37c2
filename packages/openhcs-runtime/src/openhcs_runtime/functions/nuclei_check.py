"""Says when what was found can hardly be nuclei."""

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
"""Ratio of areas, that of the tenth and the ninetieth of a hundred, above which objects are not of one kind."""
_ENOUGH = 10
"""From as many objects on their sizes are compared."""
_MOST_COVER, _MOST_SATURATED = 0.6, 0.25


class NucleiDoubt(StrEnum):
    """Why objects can hardly be nuclei; the value is the end of the name of its column."""

    SIZE = "size"
    """Their median diameter is none of nuclei (below 2.5 or above 60 micrometres; where the size of a pixel is not
    known, above a third of the picture), or their areas differ too much."""
    COVER = "cover"
    """They cover more than 60 % of the picture."""
    SATURATION = "saturation"
    """More than a quarter of their pixels have the highest value of the picture: clumps can't be told apart, and
    brightness is not known."""


@special_inputs(InputKind.LABELS, InputKind.PIXEL_SIZE_UM)
@special_outputs(OutputKind.MEASUREMENTS)
def check_nuclei(
    stack: Stack, *, labels: Stack, pixel_size_um: float | None, name: str = "nuclei"
) -> tuple[Stack, list[Measurements]]:
    """Measure whether labelled objects can be nuclei; the stack, of the pictures as taken, is passed on.

    Doubts are also a warning in the run's log. Columns of a plane: `<name>_doubt_size`, `<name>_doubt_cover`,
    `<name>_doubt_saturation`, each 1 where there is the doubt and else 0.

    Args:
        stack: (n, Y, X), the pictures in which the objects were found.
        labels: From the engine, integers (n, Y, X).
        pixel_size_um: Edge of a pixel in micrometres, from the engine; None where it is not known.
        name: What the columns begin with.

    Returns:
        The stack, and one `Measurements` for each plane.
    """
    doubts = [doubts_about(plane, marked, pixel_size_um) for plane, marked in zip(stack, labels, strict=True)]
    for doubt in sorted(set().union(*doubts)):
        _log.warning("what was found can hardly be %s: %s (see %s_doubt_%s)", name, _REASONS[doubt], name, doubt)
    return stack, [
        Measurements({f"{name}_doubt_{doubt}": int(doubt in found) for doubt in NucleiDoubt}) for found in doubts
    ]


_REASONS = {
    NucleiDoubt.SIZE: "of an unlikely size, or too unequal",
    NucleiDoubt.COVER: "most of the picture is covered",
    NucleiDoubt.SATURATION: "many pixels are at the highest value",
}


def doubts_about(plane: Stack, labels: Stack, pixel_size_um: float | None) -> frozenset[NucleiDoubt]:
    """What speaks against the labelled objects of a picture (Y, X) being nuclei; nothing when there are none."""
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
