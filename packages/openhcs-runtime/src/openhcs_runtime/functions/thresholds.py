"""Functions that separate foreground from background."""

import math
from enum import StrEnum

import numpy as np

from openhcs_runtime.choices import choose
from openhcs_runtime.functions import kernels
from openhcs_runtime.pipeline.decorators import Stack, per_plane


class ThresholdMethod(StrEnum):
    """Methods for automatic thresholds."""

    OTSU = "otsu"
    LI = "li"
    TRIANGLE = "triangle"


@per_plane
def threshold(plane: Stack, *, method: ThresholdMethod = ThresholdMethod.OTSU, factor: float = 1.0) -> Stack:
    """Return the foreground of each plane as bool: pixels above ``factor`` times an automatic threshold.

    Otsu, IEEE Trans. SMC 9(1), 1979; Li & Lee, Pattern Recognition 26(4), 1993; triangle: Zack et al., J. Histochem.
    Cytochem. 25(7), 1977. A plane with a single value has no foreground.
    """
    from skimage.filters import threshold_li, threshold_triangle  # noqa: PLC0415  loads slowly

    chosen = choose(ThresholdMethod, method, "threshold method")
    if plane.min() == plane.max():
        return np.zeros(plane.shape, dtype=bool)
    match chosen:
        case ThresholdMethod.OTSU:
            level = _otsu(plane)
        case ThresholdMethod.LI:
            level = threshold_li(plane)
        case ThresholdMethod.TRIANGLE:
            level = threshold_triangle(plane)
    return _above(plane, factor * level)


@per_plane
def threshold_fixed(plane: Stack, *, level: float) -> Stack:
    """Return the foreground of each plane as bool: pixels above ``level`` counts."""
    return _above(plane, level)


@per_plane
def threshold_around(plane: Stack, *, radius_px: int = 25, offset: float = 0.0) -> Stack:
    """Return the foreground of each plane as bool: pixels brighter than their surroundings.

    A local threshold after Wellner (Xerox EPC-1993-110), compared with a mean with Gaussian weights. The inside of
    larger objects does not become foreground; along the edges of the image, a gradient may.

    Args:
        plane: The plane (Y, X).
        radius_px: Radius of the surroundings.
        offset: How many counts the foreground is brighter.
    """
    from skimage.filters import threshold_local  # noqa: PLC0415  loads slowly

    image = plane.astype(np.float32)
    level = threshold_local(image, 2 * radius_px + 1, method="gaussian", offset=-offset, mode="nearest")
    return np.asarray(image > level)


@per_plane
def fill_holes(plane: Stack) -> Stack:
    """Fill the holes of any size in each plane of a mask; returns bool."""
    return kernels.fill_holes(plane > 0)


def _otsu(plane: Stack) -> float:
    """Return Otsu's threshold of a plane with at least two values."""
    from skimage.filters import threshold_otsu  # noqa: PLC0415  loads slowly

    if plane.dtype not in (np.uint8, np.uint16):
        return float(threshold_otsu(plane))
    counts = kernels.histogram(plane)
    present = np.flatnonzero(counts)
    lowest, highest = int(present[0]), int(present[-1])
    return float(threshold_otsu(hist=(counts[lowest : highest + 1], np.arange(lowest, highest + 1))))


def _above(plane: Stack, level: float) -> Stack:
    """Return the pixels above a level; integers are compared with an integer, which is several times as fast."""
    if plane.dtype.kind in "iu" and math.isfinite(level):
        return np.asarray(plane > math.floor(level))
    return np.asarray(plane > level)
