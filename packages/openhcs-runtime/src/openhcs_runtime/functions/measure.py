"""Measurements of labelled objects: number, size, brightness and shape.

Measurements by different functions of objects with the same labels, in any channel, share a row in the table of their
set. Its name is that of the labels, such as ``nuclei`` after ``segment_nuclei``, or the argument ``name``.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.ellipses import ellipse, inertia
from openhcs_runtime.functions.features.outlines import convex_areas, perimeters
from openhcs_runtime.functions.features.regions import Regions
from openhcs_runtime.functions.naming import named, prefixes
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    special_inputs,
    special_outputs,
)


@special_inputs(InputKind.LABELS, InputKind.PIXEL_SIZE_UM, InputKind.SET_NAMES)
@special_outputs(OutputKind.MEASUREMENTS)
def measure_objects(
    stack: Stack, *, labels: Stack, pixel_size_um: float | None, set_names: Sequence[str] = (), name: str = ""
) -> tuple[Stack, list[Measurements]]:
    """Measure number, size and brightness of the labelled objects in each plane; the stack is passed on.

    Columns of a plane: ``<name>_count``, ``<name>_area_mean_px2``, ``<name>_area_std_px2``, ``<name>_intensity_mean``
    (counts of the stack) and, if the pixel size is known, ``<name>_area_mean_um2``. Columns of an object: ``label``,
    ``centroid_y_px``, ``centroid_x_px``, ``area_px2``, ``intensity_mean``, ``intensity_sum`` and ``area_um2``. Means
    are NaN if there are no objects.

    Args:
        stack: The images (n, Y, X).
        labels: Integer labels (n, Y, X), from the engine.
        pixel_size_um: Edge length of a pixel in micrometres, from the engine; None if unknown.
        set_names: Name of the objects in each plane, from the engine.
        name: Name of the objects, and prefix of the columns of a plane [default: the name of the labels].

    Returns:
        The stack, and one ``Measurements`` for each plane.
    """
    planes = zip(stack, labels, prefixes(name, set_names, len(stack)), strict=True)
    return stack, [
        named(_measure(plane, marked, pixel_size_um, prefix), name, prefix) for plane, marked, prefix in planes
    ]


def _measure(plane: Stack, labels: Stack, pixel_size_um: float | None, name: str) -> Measurements:
    regions = Regions.of(labels)
    numbers, area = regions.numbers, regions.areas
    sums = regions.segments.sums(_finite_or_nan(plane.ravel()[regions.flat]))
    objects = {
        "label": numbers,
        "centroid_y_px": regions.segments.means(regions.rows),
        "centroid_x_px": regions.segments.means(regions.cols),
        "area_px2": area,
        "intensity_mean": sums / area,
        "intensity_sum": sums,
    }
    some = len(numbers) > 0
    summary: dict[str, int | float] = {
        f"{name}_count": len(numbers),
        f"{name}_area_mean_px2": float(area.mean()) if some else float("nan"),
        f"{name}_area_std_px2": float(area.std()) if some else float("nan"),
        f"{name}_intensity_mean": float((sums / area).mean()) if some else float("nan"),
    }
    if pixel_size_um is not None:
        square = pixel_size_um**2
        objects["area_um2"] = area * square
        summary[f"{name}_area_mean_um2"] = summary[f"{name}_area_mean_px2"] * square
    return Measurements(summary, objects)


@special_inputs(InputKind.SHARED_LABELS, InputKind.SET_NAMES)
@special_outputs(OutputKind.MEASUREMENTS)
def measure_intensity(
    stack: Stack, *, shared_labels: Stack, set_names: Sequence[str] = (), name: str = ""
) -> tuple[Stack, list[Measurements]]:
    """Measure the brightness in labelled objects, possibly from another channel; the stack is passed on.

    For example, a step on channel 2 measures nuclei found in channel 1. Columns of a plane: ``<name>_intensity_mean``
    and ``<name>_intensity_sum_mean`` (means over objects, in counts). Columns of an object: ``label``,
    ``intensity_mean``, ``_sum``, ``_std``, ``_min``, ``_median``, ``_max``, in counts; NaN for an object with
    a pixel that is not finite.

    Args:
        stack: The images (n, Y, X).
        shared_labels: Integer labels (n, Y, X), from the engine.
        set_names: Name of the objects in each plane, from the engine.
        name: Name of the objects, and prefix of the columns of a plane [default: the name of the labels].

    Returns:
        The stack, and one ``Measurements`` for each plane.
    """
    planes = zip(stack, shared_labels, prefixes(name, set_names, len(stack)), strict=True)
    return stack, [named(_measure_intensity(plane, marked, prefix), name, prefix) for plane, marked, prefix in planes]


@special_inputs(InputKind.LABELS, InputKind.PIXEL_SIZE_UM, InputKind.SET_NAMES)
@special_outputs(OutputKind.MEASUREMENTS)
def measure_shape(
    stack: Stack, *, labels: Stack, pixel_size_um: float | None, set_names: Sequence[str] = (), name: str = ""
) -> tuple[Stack, list[Measurements]]:
    """Measure the shape of labelled objects; the stack is passed on. ``measure_objects`` measures their area.

    Columns of an object: ``label``, ``perimeter_px`` (Benkrid & Crookes, 2000), ``major_axis_px``, ``minor_axis_px``
    (of the ellipse with the same second moments), ``orientation_deg`` (of the major axis, from the x axis towards the y
    axis, 0 to 180; NaN for an object without one, such as a square), ``eccentricity`` (0 for a circle), ``solidity``
    (area divided by that of the convex hull), ``form_factor`` (4 pi area divided by the squared perimeter; 1 for a
    circle) and, if the pixel size is known, the lengths as ``_um``. Columns of a plane: the means of these, except for
    label and orientation, as ``<name>_<column>`` with ``_mean`` before the unit.

    Args:
        stack: The images (n, Y, X).
        labels: Integer labels (n, Y, X), from the engine.
        pixel_size_um: Edge length of a pixel in micrometres, from the engine; None if unknown.
        set_names: Name of the objects in each plane, from the engine.
        name: Name of the objects, and prefix of the columns of a plane [default: the name of the labels].

    Returns:
        The stack, and one ``Measurements`` for each plane.
    """
    planes = zip(labels, prefixes(name, set_names, len(stack)), strict=True)
    return stack, [named(_measure_shape(plane, pixel_size_um, prefix), name, prefix) for plane, prefix in planes]


def _measure_intensity(plane: Stack, labels: Stack, name: str) -> Measurements:
    regions = Regions.of(labels)
    area, values = regions.areas, _finite_or_nan(plane.ravel()[regions.flat])
    sums = regions.segments.sums(values)
    parts = [np.sort(part) for part in np.split(values, regions.segments.starts[1:])] if len(regions) else []
    known = np.where(np.isfinite(sums), 1.0, np.nan)
    objects: dict[str, NDArray[np.generic]] = {
        "label": regions.numbers,
        "intensity_mean": sums / area,
        "intensity_sum": sums,
        "intensity_std": np.array([part.std(dtype=np.float64) for part in parts]) * known,
        "intensity_min": np.array([float(part[0]) for part in parts]) * known,
        "intensity_median": np.array([float(np.median(part)) for part in parts]) * known,
        "intensity_max": np.array([float(part[-1]) for part in parts]) * known,
    }
    summary = {f"{name}_intensity_mean": _mean(sums / area), f"{name}_intensity_sum_mean": _mean(sums)}
    return Measurements(summary, objects)


def _finite_or_nan(values: Stack) -> Stack:
    """Replace infinity, so that an object with a pixel that is not finite has no value."""
    return values if values.dtype.kind in "iub" else np.where(np.isfinite(values), values, np.nan)


def _measure_shape(labels: Stack, pixel_size_um: float | None, name: str) -> Measurements:
    regions = Regions.of(labels)
    area, lengths, axes = regions.areas.astype(float), perimeters(regions), ellipse(inertia(regions))
    with np.errstate(divide="ignore"):  # one pixel has no perimeter
        form = np.where(lengths > 0, 4 * math.pi * area / lengths**2, np.nan)
    long: dict[str, NDArray[np.float64]] = {
        "perimeter_px": lengths,
        "major_axis_px": np.asarray(axes["major_axis_px"], float),
        "minor_axis_px": np.asarray(axes["minor_axis_px"], float),
    }
    objects: dict[str, NDArray[np.generic]] = {
        "label": regions.numbers,
        **long,
        "eccentricity": axes["eccentricity"],
        "solidity": area / convex_areas(regions),
        "form_factor": form,
    }
    if pixel_size_um is not None:
        objects |= {column.removesuffix("_px") + "_um": values * pixel_size_um for column, values in long.items()}
    summary = {f"{name}_{_mean_column(column)}": _mean(objects[column]) for column in objects if column != "label"}
    objects["orientation_deg"] = axes["orientation_deg"]
    return Measurements(summary, objects)


def _mean_column(column: str) -> str:
    for unit in ("_px", "_um"):
        if column.endswith(unit):
            return f"{column.removesuffix(unit)}_mean{unit}"
    return f"{column}_mean"


def _mean(values: NDArray[np.generic]) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")
