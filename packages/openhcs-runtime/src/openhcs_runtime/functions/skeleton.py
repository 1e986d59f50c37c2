"""Measures the skeletons of labelled objects, such as neurites."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.regions import Regions
from openhcs_runtime.functions.features.shape import in_micrometres
from openhcs_runtime.functions.features.skeletons import skeletons
from openhcs_runtime.functions.naming import prefixes
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    special_inputs,
    special_outputs,
)


@special_inputs(InputKind.LABELS, InputKind.SET_NAMES, InputKind.PIXEL_SIZE_UM)
@special_outputs(OutputKind.MEASUREMENTS)
def measure_skeleton(
    stack: Stack, *, labels: Stack, pixel_size_um: float | None, set_names: Sequence[str] = (), name: str = ""
) -> tuple[Stack, list[Measurements]]:
    """Measure the skeleton of each labelled object, such as a neurite; the stack is passed on.

    Columns of an object: ``label``, ``skeleton_length_px``, ``skeleton_branch_count``, ``skeleton_end_count``,
    ``skeleton_junction_count`` and, if the pixel size is known, ``skeleton_length_um``. Columns of a plane:
    ``<name>_count`` and the sum of the lengths, ``<name>_skeleton_length_px`` and ``_um``. Thinned by the method of
    Zhang & Suen (1984).

    Args:
        stack: The images (n, Y, X).
        labels: Integer labels (n, Y, X), from the engine.
        pixel_size_um: Edge length of a pixel in micrometres, from the engine; None if unknown.
        set_names: Names of the sets of objects, from the engine.
        name: Name of the set of objects [default: the name of the labels].

    Returns:
        The stack, and one ``Measurements`` for each plane.
    """
    planes = zip(labels, prefixes(name, set_names, len(labels)), strict=True)
    return stack, [replace(_measured(plane, pixel_size_um, prefix), name=name) for plane, prefix in planes]


def _measured(labels: Stack, pixel_size_um: float | None, prefix: str) -> Measurements:
    regions = Regions.of(labels)
    found = skeletons(regions)
    found |= in_micrometres(found, pixel_size_um)
    columns: dict[str, NDArray[np.generic]] = {"label": regions.numbers, **found}
    lengths = [column for column in found if column.startswith("skeleton_length_")]
    summary: dict[str, int | float] = {f"{prefix}_count": len(regions)}
    summary |= {f"{prefix}_{column}": float(found[column].astype(float).sum()) for column in lengths}
    return Measurements(summary, columns, without_channel=(*found, *summary))
