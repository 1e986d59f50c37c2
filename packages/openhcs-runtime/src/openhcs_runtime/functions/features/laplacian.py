"""The Laplacian of Gaussian of an image, strip by strip, so that each stays in the cache."""

import numpy as np
from scipy import ndimage

from openhcs_runtime.functions.features.regions import Floats

__all__ = ["laplacian_of_gaussian"]

_STRIP_PX = 1 << 15


def laplacian_of_gaussian(image: Floats, sigma_px: float) -> Floats:
    """Return the same as ``scipy.ndimage.gaussian_laplace`` with the mode ``"nearest"``, in each bit.

    Both derivatives share a pass over the image. The mirror images of a weight share a product, and sums are taken from
    the ends of the filter on, as in SciPy.

    Args:
        image: The image (Y, X).
        sigma_px: Standard deviation of the Gaussian.
    """
    reach = int(4 * sigma_px + 0.5)
    smooth, bent = (_weights(sigma_px, reach, order) for order in (0, 2))
    padded = np.pad(image, reach, mode="edge")
    found: Floats = np.empty(image.shape)
    rows = max(1, _STRIP_PX // image.shape[1])
    for top in range(0, len(image), rows):
        bottom = min(len(image), top + rows)
        strip = padded[top : bottom + 2 * reach]
        bent_down, smooth_down = _weighted(strip, [bent, smooth])
        found[top:bottom] = _weighted(bent_down.T, [smooth])[0].T
        found[top:bottom] += _weighted(smooth_down.T, [bent])[0].T
    return found


def _weights(sigma_px: float, reach: int, order: int) -> Floats:
    """Return the weights of a filter from its middle to one of its ends."""
    point = np.zeros(2 * reach + 1)
    point[reach] = 1
    weights: Floats = ndimage.gaussian_filter1d(point, sigma_px, order=order, mode="constant")
    return weights[reach:]


def _weighted(lines: Floats, filters: list[Floats]) -> list[Floats]:
    """Return the weighted sums of neighbouring lines for each symmetric filter, without the lines at both ends."""
    reach = len(filters[0]) - 1
    count = len(lines) - 2 * reach
    middle = lines[reach : reach + count]
    sums = [middle * weights[0] for weights in filters]
    both, product = np.empty_like(sums[0]), np.empty_like(sums[0])
    for step in range(reach, 0, -1):
        np.add(lines[reach - step : reach - step + count], lines[reach + step : reach + step + count], out=both)
        for weights, total in zip(filters, sums, strict=True):
            np.multiply(both, weights[step], out=product)
            np.add(total, product, out=total)
    return sums
