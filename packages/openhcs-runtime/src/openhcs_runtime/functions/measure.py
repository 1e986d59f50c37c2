"""Measuring labelled objects."""

import numpy as np
from scipy import ndimage

from openhcs_runtime.pipeline.declare import InputKind, Measurements, OutputKind, Stack, special_inputs, special_outputs


@special_inputs(InputKind.LABELS, InputKind.PIXEL_SIZE_UM)
@special_outputs(OutputKind.MEASUREMENTS)
def measure_objects(
    stack: Stack, *, labels: Stack, pixel_size_um: float | None, name: str = "object"
) -> tuple[Stack, list[Measurements]]:
    """Count, size and brightness of the labelled objects of each plane; the stack is passed on.

    Columns of a plane: `<name>_count`, `<name>_area_mean_px2`, `<name>_area_std_px2`, `<name>_intensity_mean` (counts
    of the stack that is measured), with a known pixel size also `<name>_area_mean_um2`. Columns of an object: `label`,
    `centroid_y_px`, `centroid_x_px`, `area_px2`, `intensity_mean`, `intensity_sum`, and `area_um2`. Without objects
    means are not a number.
    """
    planes = zip(stack, labels, strict=True)
    return stack, [_measure(plane, marked, pixel_size_um, name) for plane, marked in planes]


def _measure(plane: Stack, labels: Stack, pixel_size_um: float | None, name: str) -> Measurements:
    areas = np.bincount(labels.ravel())
    numbers = np.flatnonzero(areas[1:]) + 1
    area = areas[numbers]
    sums = np.bincount(labels.ravel(), weights=plane.ravel(), minlength=len(areas))[numbers]
    centroids = np.array(ndimage.center_of_mass(labels > 0, labels, numbers)).reshape(-1, 2)
    objects = {
        "label": numbers,
        "centroid_y_px": centroids[:, 0],
        "centroid_x_px": centroids[:, 1],
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
