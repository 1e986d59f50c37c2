"""The ellipse with the same second moments as an object: its axes and its direction."""

import numpy as np

from openhcs_runtime.functions.features.regions import Columns, Floats, Regions

_ROUNDING = 1e-9


def inertia(regions: Regions) -> Columns:
    """Return the second central moments of each object, divided by its area, as in :func:`moments`."""
    top, left, _, _ = regions.corners()
    rows, cols = (regions.rows - top[regions.owner]).astype(float), (regions.cols - left[regions.owner]).astype(float)
    total, area = regions.segments.sums, regions.areas.astype(float)
    y, x = total(rows), total(cols)
    return inertia_of(
        (area * total(rows * rows) - y * y) / area**2,
        (area * total(rows * cols) - y * x) / area**2,
        (area * total(cols * cols) - x * x) / area**2,
    )


def inertia_of(yy: Floats, xy: Floats, xx: Floats) -> Columns:
    """Return the inertia tensor, and the moments along the axes, of central moments divided by the area, each (n,)."""
    middle, spread = (yy + xx) / 2, np.hypot((xx - yy) / 2, xy)
    return {
        "inertia_0_0_px2": xx,
        "inertia_0_1_px2": -xy,
        "inertia_1_1_px2": yy,
        "inertia_major_px2": np.maximum(middle + spread, 0),
        "inertia_minor_px2": np.maximum(middle - spread, 0),
    }


def ellipse(spatial: Columns) -> Columns:
    """Return the axes of the ellipse of an inertia tensor, in pixels, its eccentricity and its direction.

    The direction is that of the major axis, from the x axis towards the y axis, in degrees from 0 to 180; NaN for
    objects without one, such as squares.
    """
    xx, xy, yy, major, minor = (
        np.asarray(spatial[f"inertia_{part}_px2"], np.float64) for part in ("0_0", "0_1", "1_1", "major", "minor")
    )
    is_long = np.hypot(xx - yy, 2 * xy) > _ROUNDING * (xx + yy)
    return {
        "major_axis_px": 4 * np.sqrt(major),
        "minor_axis_px": 4 * np.sqrt(minor),
        "eccentricity": np.sqrt(1 - np.divide(minor, major, out=np.ones_like(major), where=major > 0)),
        "orientation_deg": np.where(is_long, np.degrees(0.5 * np.arctan2(-2 * xy, xx - yy)) % 180, np.nan),
    }
