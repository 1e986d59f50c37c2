"""Texture of labelled objects."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.arguments import refuse, whole_problems
from openhcs_runtime.functions.naming import named, prefixes
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    checked_by,
    special_inputs,
    special_outputs,
)
from openhcs_runtime.rois.label_numbers import consecutive

_ANGLES = (0.0, math.pi / 4, math.pi / 2, 3 * math.pi / 4)
_PROPERTIES = {
    "texture_contrast": "contrast",
    "texture_correlation": "correlation",
    "texture_homogeneity": "homogeneity",
    "texture_energy": "ASM",
}
_COLUMNS = (*_PROPERTIES, "texture_entropy_bit")


def _problems(distance_px: int = 3, levels: int = 16, **_arguments: Any) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step."""
    yield from whole_problems("distance_px", distance_px, 1)
    yield from whole_problems("levels", levels, 2, 255)


@special_inputs(InputKind.SHARED_LABELS, InputKind.SET_NAMES)
@special_outputs(OutputKind.MEASUREMENTS)
@checked_by(_problems)
def measure_texture(
    stack: Stack,
    *,
    shared_labels: Stack,
    set_names: Sequence[str] = (),
    distance_px: int = 3,
    levels: int = 16,
    name: str = "",
) -> tuple[Stack, list[Measurements]]:
    """Measure the texture in labelled objects, possibly from another channel; the stack is passed on.

    Computed from the co-occurrence of grey levels at a distance of ``distance_px`` within an object, as the mean of
    four directions (Haralick, Shanmugam & Dinstein, IEEE Trans. SMC 3(6), 1973).

    Columns of an object: ``label``, ``texture_contrast``, ``texture_correlation``, ``texture_homogeneity``,
    ``texture_energy`` (angular second moment), ``texture_entropy_bit``. Columns of a plane: their means, as
    ``<name>_<column>`` with ``_mean`` before the unit. The texture of objects too small for such pairs, or
    with a pixel that is not finite, is NaN.

    Args:
        stack: The images (n, Y, X).
        shared_labels: Integer labels (n, Y, X), from the engine.
        set_names: Name of the objects in each plane, from the engine.
        distance_px: Distance between the pixels of a pair.
        levels: Number of grey levels between the darkest and the brightest pixel in the objects of a plane, 2 to 255;
            pixels outside of objects are ignored.
        name: Name of the objects, and prefix of the columns of a plane [default: the name of the labels].

    Returns:
        The stack, and one ``Measurements`` for each plane.

    Raises:
        ValueError: If ``distance_px`` or ``levels`` is out of range.
    """
    refuse(_problems(distance_px, levels))
    planes = zip(stack, shared_labels, prefixes(name, set_names, len(stack)), strict=True)
    return stack, [
        named(_measure(plane, marked, distance_px, levels, prefix), name, prefix) for plane, marked, prefix in planes
    ]


def _measure(plane: Stack, labels: Stack, distance_px: int, levels: int, name: str) -> Measurements:
    from scipy import ndimage  # noqa: PLC0415  loads slowly

    numbers, marked = consecutive(labels)
    known = np.isfinite(plane)
    spoilt = np.isin(np.arange(1, len(numbers) + 1), marked[~known])
    grey = _grey_levels(plane, (marked > 0) & known, levels)
    rows = [
        _texture(np.where(marked[box] == place, grey[box], 0), distance_px, levels)
        for place, box in enumerate(ndimage.find_objects(marked), start=1)
    ]
    values = np.array(rows, dtype=float).reshape(-1, len(_COLUMNS))
    values[spoilt] = np.nan
    some = ~np.isnan(values).all(axis=1)
    means = values[some].mean(axis=0) if some.any() else np.full(len(_COLUMNS), np.nan)
    summary = {_summary_name(name, column): float(mean) for column, mean in zip(_COLUMNS, means, strict=True)}
    return Measurements(summary, {"label": numbers, **dict(zip(_COLUMNS, values.T, strict=True))})


def _summary_name(name: str, column: str) -> str:
    return f"{name}_{column.removesuffix('_bit')}_mean" + ("_bit" if column.endswith("_bit") else "")


def _grey_levels(plane: Stack, inside: NDArray[np.bool_], levels: int) -> NDArray[np.uint8]:
    """Return grey levels from 1; pixels outside of objects can have any."""
    if not inside.any():
        return np.ones(plane.shape, np.uint8)
    low, high = float(plane[inside].min()), float(plane[inside].max())
    scaled = (np.where(inside, plane, low).astype(np.float64) - low) / ((high - low) or 1.0) * levels
    return np.asarray(np.clip(scaled, 0, levels - 1).astype(np.uint8) + 1)


def _texture(grey: NDArray[np.uint8], distance_px: int, levels: int) -> list[float]:
    """Return the columns of one object in its bounding box; 0 is outside of the object."""
    from skimage.feature import graycomatrix, graycoprops  # noqa: PLC0415  loads slowly

    pairs = graycomatrix(grey, [distance_px], _ANGLES, levels=levels + 1, symmetric=True)[1:, 1:]
    pairs = pairs[..., pairs.sum(axis=(0, 1, 2)) > 0]  # directions with pairs
    if pairs.shape[-1] == 0:
        return [math.nan] * len(_COLUMNS)
    values = [float(graycoprops(pairs, prop).mean()) for prop in _PROPERTIES.values()]
    chances = pairs / pairs.sum(axis=(0, 1), keepdims=True)
    bits = np.where(chances > 0, -chances * np.log2(np.where(chances > 0, chances, 1)), 0)
    return [*values, float(bits.sum(axis=(0, 1)).mean())]
