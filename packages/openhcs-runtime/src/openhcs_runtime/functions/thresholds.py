"""Functions that tell foreground from background."""

from enum import StrEnum

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_li, threshold_local, threshold_otsu, threshold_triangle

from openhcs_runtime.choices import choose
from openhcs_runtime.pipeline.decorators import Stack, per_plane


class ThresholdMethod(StrEnum):
    """Automatic thresholds: names of the methods' authors."""

    OTSU = "otsu"
    LI = "li"
    TRIANGLE = "triangle"


@per_plane
def threshold(plane: Stack, *, method: ThresholdMethod = ThresholdMethod.OTSU, factor: float = 1.0) -> Stack:
    """Foreground of each plane as bool: pixels above `factor` times an automatic threshold.

    Otsu, IEEE Trans. SMC 9(1), 1979; Li & Lee, Pattern Recognition 26(4), 1993; triangle: Zack et al., J. Histochem.
    Cytochem. 25(7), 1977. A plane of one single value has no foreground.
    """
    chosen = choose(ThresholdMethod, method, "method of threshold")
    if plane.min() == plane.max():
        return np.zeros(plane.shape, dtype=bool)
    match chosen:
        case ThresholdMethod.OTSU:
            level = threshold_otsu(plane)
        case ThresholdMethod.LI:
            level = threshold_li(plane)
        case ThresholdMethod.TRIANGLE:
            level = threshold_triangle(plane)
    return np.asarray(plane > factor * level)


@per_plane
def threshold_fixed(plane: Stack, *, level: float) -> Stack:
    """Foreground of each plane as bool: pixels above `level` counts."""
    return np.asarray(plane > level)


@per_plane
def threshold_around(plane: Stack, *, radius_px: int = 25, offset: float = 0.0) -> Stack:
    """Foreground of each plane as bool: pixels more than `offset` counts above their surroundings of `radius_px`.

    The surroundings are a mean with Gaussian weights; a local threshold in the manner of Wellner (Xerox EPC-1993-110).
    Inside of objects larger than that nothing stands out; along the image's edges a slope looks like foreground.
    """
    image = plane.astype(np.float32)
    level = threshold_local(image, 2 * radius_px + 1, method="gaussian", offset=-offset, mode="nearest")
    return np.asarray(image > level)


@per_plane
def fill_holes(plane: Stack) -> Stack:
    """Add to each plane of a mask what it encloses, however large; bool."""
    return np.asarray(ndimage.binary_fill_holes(plane > 0))
