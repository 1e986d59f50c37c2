"""Size and shape of objects.

CellProfiler's MeasureObjectSizeShape by way of scikit-image; names that ``measure_objects`` and ``measure_shape`` have,
too, have the same values. Equal to cp_measure within a relative 1e-9. Deliberately different: the angle of the major
axis is from the x axis towards the y axis, 0 to 180 degrees (cp_measure: from the y axis, -90 to 90), and NaN for
objects without one, such as squares; what is divided by the perimeter of one pixel, which is 0, is NaN.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions.features.ellipses import ellipse
from openhcs_runtime.functions.features.hulls import feret
from openhcs_runtime.functions.features.moments import moments
from openhcs_runtime.functions.features.outlines import convex_areas, perimeters
from openhcs_runtime.functions.features.regions import Columns, Floats, Regions, divided

_PROPERTIES = {
    "area_px2": "area",
    "bounding_box_area_px2": "area_bbox",
    "filled_area_px2": "area_filled",
    "perimeter_crofton_px": "perimeter_crofton",
    "equivalent_diameter_px": "equivalent_diameter_area",
    "extent": "extent",
    "euler_number": "euler_number",
}


def shape(regions: Regions, hulls: list[Floats]) -> Columns:
    """Return size and shape of each object, lengths in pixels.

    Args:
        regions: The objects.
        hulls: Their convex hulls.
    """
    from skimage.measure import regionprops_table  # noqa: PLC0415  loads slowly

    table = regionprops_table(regions.labels, properties=tuple(_PROPERTIES.values()))
    columns: Columns = {name: _floats(table[prop]) for name, prop in _PROPERTIES.items()}
    area, perimeter, convex = _floats(table["area"]), perimeters(regions), _floats(convex_areas(regions))
    columns |= {"perimeter_px": perimeter, "convex_area_px2": convex, "solidity": area / convex}
    columns["form_factor"] = divided(4 * np.pi * area, perimeter**2)
    columns["compactness"] = perimeter**2 / (4 * np.pi * area)
    spatial = moments(regions)
    return {**columns, **_places(regions), **ellipse(spatial), **_radii(regions), **feret(hulls), **spatial}


def in_micrometres(columns: Columns, pixel_size_um: float | None) -> Columns:
    """Return the lengths and areas of columns in micrometres; moments and places in the image stay as they are."""
    if pixel_size_um is None:
        return {}
    found: Columns = {}
    for name, values in columns.items():
        if name.startswith(("moment_", "inertia_", "bounding_box_", "centroid_", "intensity_")):
            continue
        for power, unit in ((1, "px"), (2, "px2")):
            if name.endswith(f"_{unit}"):
                found[name.removesuffix(unit) + unit.replace("px", "um")] = values.astype(float) * pixel_size_um**power
    return found


def _places(regions: Regions) -> Columns:
    top, left, bottom, right = regions.corners()
    return {
        "centroid_y_px": regions.segments.means(regions.rows),
        "centroid_x_px": regions.segments.means(regions.cols),
        "bounding_box_min_y_px": top,
        "bounding_box_min_x_px": left,
        "bounding_box_max_y_px": bottom,
        "bounding_box_max_x_px": right,
    }


def _radii(regions: Regions) -> Columns:
    """Return the distances of the pixels of an object to the nearest one outside of it, also beyond the image."""
    rows = [_radii_of(regions.labels[box] == at + 1) for at, box in enumerate(ndimage.find_objects(regions.labels))]
    table = np.array(rows).reshape(-1, 3)
    return {f"radius_{name}_px": table[:, at] for at, name in enumerate(("max", "mean", "median"))}


def _radii_of(inside: NDArray[np.bool_]) -> tuple[float, float, float]:
    distance = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1][inside]
    return float(distance.max()), float(distance.mean()), float(np.median(distance))


def _floats(values: NDArray[np.generic]) -> Floats:
    return np.asarray(values).astype(np.float64)
