"""Intensity of objects: sums, means, quantiles, edges, centre of mass.

Definitions of CellProfiler's MeasureObjectIntensity (Carpenter et al., Genome Biology 7:R100, 2006) as cp_measure has
them: quartiles are linear between values, pixels that are not finite are left out; ``measured`` makes all values of an
object with such a pixel missing. Equal to cp_measure within a relative 1e-9. Deliberately different: values of an
object without a finite pixel are NaN, not 0, as are those of the edge of an object that fills the image and has none.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.regions import Columns, Floats, Regions, Segments, divided


def intensity(regions: Regions, plane: NDArray[Any]) -> Columns:
    """Return the intensity features of each object.

    Args:
        regions: The objects.
        plane: The image (Y, X).
    """
    values = regions.values(plane)
    edge = _is_edge(regions)
    known = np.isfinite(values)
    count = len(regions)
    inner = edge & known
    inside = Segments.of(regions.owner[known], count)
    return {
        **_basic(inside, values[known], ""),
        **_basic(Segments.of(regions.owner[inner], count), values[inner], "edge_"),
        **_quantiles(inside, values[known]),
        **_places(inside, values[known], regions.rows[known], regions.cols[known]),
    }


def _basic(segments: Segments, values: Floats, part: str) -> Columns:
    means = segments.means(values)
    squares = segments.sums((values - means[segments.owner]) ** 2)
    return {
        f"intensity_{part}sum": np.where(segments.areas > 0, segments.sums(values), np.nan),
        f"intensity_{part}mean": means,
        f"intensity_{part}std": np.sqrt(divided(squares, segments.areas)),
        f"intensity_{part}min": segments.lowest(values),
        f"intensity_{part}max": segments.highest(values),
    }


def _quantiles(segments: Segments, values: Floats) -> Columns:
    ordered = segments.ordered(values)
    median = segments.quantiles(ordered, 0.5)
    distance = np.abs(values - median[segments.owner])
    return {
        "intensity_lower_quartile": segments.quantiles(ordered, 0.25),
        "intensity_median": median,
        "intensity_mad": segments.quantiles(segments.ordered(distance), 0.5),
        "intensity_upper_quartile": segments.quantiles(ordered, 0.75),
    }


def _places(segments: Segments, values: Floats, rows: NDArray[Any], cols: NDArray[Any]) -> Columns:
    sums = segments.sums(values)
    y, x = (divided(segments.sums(values * where), sums) for where in (rows, cols))
    shift = np.hypot(y - segments.means(rows), x - segments.means(cols))
    brightest = segments.first_of_highest(values)
    some = brightest >= 0
    return {
        "mass_displacement_px": shift,
        "intensity_centroid_y_px": y,
        "intensity_centroid_x_px": x,
        "intensity_max_y_px": _taken(rows, brightest, some),
        "intensity_max_x_px": _taken(cols, brightest, some),
    }


def _taken(where: NDArray[Any], index: NDArray[np.int64], some: NDArray[np.bool_]) -> Floats:
    found = np.full(len(index), np.nan)
    found[some] = where[index[some]]
    return found


def _is_edge(regions: Regions) -> NDArray[np.bool_]:
    """Return for each pixel whether one of its four neighbours within the image is not of the object."""
    labels = regions.labels
    edge = np.zeros(labels.shape, bool)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differ = labels[one] != labels[other]
        edge[one] |= differ
        edge[other] |= differ
    return np.asarray(edge.ravel()[regions.flat])
