"""Functions that reduce noise."""

import math

import numpy as np

from openhcs_runtime.functions.kernels import gaussian
from openhcs_runtime.functions.medians import disk_median
from openhcs_runtime.functions.total_variation import least_variation
from openhcs_runtime.pipeline.decorators import Stack, per_plane

_BEND = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)


@per_plane
def denoise(plane: Stack, *, sigma_px: float = 1.0) -> Stack:
    """Smooth each plane with a Gaussian filter of standard deviation ``sigma_px``; returns float32."""
    return gaussian(plane, sigma_px)


@per_plane
def denoise_median(plane: Stack, *, radius_px: int = 1) -> Stack:
    """Replace each pixel by the median in a disk of ``radius_px``, same dtype; removes single hot pixels.

    Tukey, Exploratory Data Analysis, 1977.
    """
    return disk_median(plane, radius_px)


@per_plane
def denoise_non_local_means(plane: Stack, *, strength: float = 0.8, patch_px: int = 5, distance_px: int = 6) -> Stack:
    """Average each pixel with nearby pixels that have similar surroundings; returns float32.

    Non-local means (Buades, Coll & Morel, CVPR 2005) preserve edges and texture, but are slow.

    Args:
        plane: The plane (Y, X).
        strength: How much the surroundings may differ, in standard deviations of the noise, which is estimated from
            each plane (Immerkaer, CVIU 64(2), 1996).
        patch_px: Edge length of the surroundings.
        distance_px: The largest distance between averaged pixels.
    """
    from skimage.restoration import denoise_nl_means  # noqa: PLC0415  loads slowly

    image = plane.astype(np.float32)
    noise = _noise(image)
    if noise == 0:
        return image
    smooth = denoise_nl_means(
        image, patch_size=patch_px, patch_distance=distance_px, h=strength * noise, sigma=noise, fast_mode=True
    )
    return np.asarray(smooth, dtype=np.float32)


@per_plane
def denoise_total_variation(plane: Stack, *, weight: float = 0.1) -> Stack:
    """Smooth each plane between sharp edges; returns float32.

    Total variation denoising (Rudin, Osher & Fatemi, Physica D 60, 1992) by Chambolle's method (J. Math. Imaging Vision
    20, 2004).

    Args:
        plane: The plane (Y, X).
        weight: Weight of smoothness relative to similarity, for an image from 0 to 1; the plane is scaled accordingly.
    """
    image = plane.astype(np.float32)
    low, high = float(image.min()), float(image.max())
    if low == high:
        return image
    smooth = least_variation((image - low) / (high - low), weight)
    return np.asarray(smooth * (high - low) + low, dtype=np.float32)


def _noise(image: Stack) -> float:
    """Return the standard deviation of white noise from second differences, which ignore smooth structures."""
    from scipy import ndimage  # noqa: PLC0415  loads slowly

    bends = np.abs(ndimage.convolve(image, _BEND, mode="nearest"))
    return float(math.sqrt(math.pi / 2) * bends.mean() / 6)
