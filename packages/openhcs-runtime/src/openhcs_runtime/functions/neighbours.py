"""Measures the neighbours of labelled objects, which do not depend on the channel."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.arguments import length_problems
from openhcs_runtime.functions.features.lengths import in_pixels
from openhcs_runtime.functions.features.neighbours import neighbours
from openhcs_runtime.functions.features.regions import Regions
from openhcs_runtime.functions.features.shape import in_micrometres
from openhcs_runtime.functions.naming import prefixes
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    checked_by,
    special_inputs,
    special_outputs,
)

_DISTANCE_PX = 5.0


def _problems(distance_px: float | None = None, distance_um: float | None = None, **_arguments: Any) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step."""
    yield from length_problems("distance", distance_px, distance_um)


@special_inputs(InputKind.LABELS, InputKind.SET_NAMES, InputKind.PIXEL_SIZE_UM)
@special_outputs(OutputKind.MEASUREMENTS)
@checked_by(_problems)
def measure_neighbours(
    stack: Stack,
    *,
    labels: Stack,
    pixel_size_um: float | None,
    set_names: Sequence[str] = (),
    name: str = "",
    distance_px: float | None = None,
    distance_um: float | None = None,
) -> tuple[Stack, list[Measurements]]:
    """Measure the neighbours of labelled objects; the stack is passed on.

    Columns of an object: ``label``, ``neighbour_count`` (objects with a pixel within the distance), ``touching_count``,
    ``touching_percent`` (pixels of the edge that touch others), ``neighbour_first_label``, ``neighbour_second_label``
    (the closest), ``neighbour_first_px``, ``neighbour_second_px`` (distances of the centres),
    ``neighbour_angle_deg`` (between the directions to both) and, if the pixel size is known, the distances as ``_um``.
    What an object does not have is missing. After CellProfiler's MeasureObjectNeighbors (Carpenter et al., 2006).

    Args:
        stack: The images (n, Y, X).
        labels: Integer labels (n, Y, X), from the engine.
        pixel_size_um: Edge length of a pixel in micrometres, from the engine; None if unknown.
        set_names: Names of the sets of objects, from the engine.
        name: Name of the set of objects [default: the name of the labels].
        distance_px: Largest distance between pixels of neighbours [default: 5].
        distance_um: The same in micrometres; needs the pixel size of the plate.

    Returns:
        The stack, and one ``Measurements`` for each plane.

    Raises:
        ValueError: If both distances are given, one is not a positive number, or the pixel size is not known.
    """
    distance = in_pixels("distance", distance_px, distance_um, pixel_size_um, _DISTANCE_PX)
    planes = zip(labels, prefixes(name, set_names, len(labels)), strict=True)
    measured = [_measured(plane, distance, pixel_size_um, prefix) for plane, prefix in planes]
    return stack, [replace(each, name=name) for each in measured]


def _measured(labels: Stack, distance_px: float, pixel_size_um: float | None, prefix: str) -> Measurements:
    regions = Regions.of(labels)
    columns: dict[str, NDArray[np.generic]] = {"label": regions.numbers}
    if len(regions):
        found = neighbours(regions, distance_px)
        columns |= found | in_micrometres(found, pixel_size_um)
    count = f"{prefix}_count"
    return Measurements({count: len(regions)}, columns, without_channel=(*columns.keys() - {"label"}, count))
