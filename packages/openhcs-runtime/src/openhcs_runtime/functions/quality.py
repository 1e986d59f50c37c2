"""Measures of the quality of one image: focus, saturation, background, illumination."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEWEST_RINGS = 4
"""Rings of the spectrum that a slope needs."""
_MOST_BLOCKS, _FEWEST_BLOCKS = 8, 3
_BLOCK_PX, _SMALLEST_BLOCK_PX = 64, 8
_BACKGROUND_PERCENT = 5
_CAMERA_BITS = (8, 10, 12, 14, 16, 32)
_CAMERA_SHIFTS = tuple(
    (bits, upper) for upper in _CAMERA_BITS for bits in _CAMERA_BITS if bits == upper or bits < upper <= 16
)
"""Bits of a camera, and the bits of its pixels, of which they are the upper ones."""
_FITS = 8
_FAR = 2.0
_MAD_TO_SD = 1.4826


def measure_image(plane: NDArray[Any]) -> dict[str, float]:
    """Return the quality of an image (Y, X); NaN for what can't be measured.

    Args:
        plane: The image, as the camera has made it.
    """
    from scipy import ndimage  # noqa: PLC0415  loads slowly

    image = plane.astype(np.float64)
    mean = image.mean()
    return {
        "focus_score": float(ndimage.laplace(image).var() / mean**2) if mean else 0.0,
        "focus_slope": _spectrum_slope(image),
        "saturated_percent": _saturated_percent(plane),
        "background_mean": float(np.percentile(image, 5)),
        "illumination_range_percent": _illumination_range(image),
    }


def _spectrum_slope(image: NDArray[np.float64]) -> float:
    """Return the slope of the logarithm of the power against that of the frequency (Bray et al., 2012).

    Frequencies are taken in rings of whole multiples of the lowest one of the shorter side, up to half the sampling
    rate, and their power is averaged around each ring.
    """
    if not np.isfinite(image).all():
        return float("nan")
    power = np.abs(np.fft.rfft2(image - image.mean())) ** 2
    height, width = image.shape
    shorter = min(height, width)
    y, x = np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width)
    ring = np.rint(np.hypot(y, x) * shorter).astype(np.int64)
    inside = (ring > 0) & (ring < shorter // 2)
    count, total = (np.bincount(ring[inside], weights=weights) for weights in (None, power[inside]))
    rings = np.flatnonzero((count > 0) & (total > 0))
    if len(rings) < _FEWEST_RINGS:
        return float("nan")
    return float(np.polyfit(np.log(rings), np.log(total[rings] / count[rings]), 1)[0])


def _illumination_range(image: NDArray[np.float64]) -> float:
    """Return the range of a surface of the second order through the background of blocks, in percent of its mean.

    The background of a block is its 5th percentile. Blocks far above the surface, which are full of cells, are left out
    and the surface is fitted again.
    """
    blocks = min(_MOST_BLOCKS, max(_FEWEST_BLOCKS, min(image.shape) // _BLOCK_PX))
    if min(image.shape) < _FEWEST_BLOCKS * _SMALLEST_BLOCK_PX or not np.isfinite(image).all():
        return float("nan")
    parts = [part for strip in np.array_split(image, blocks) for part in np.array_split(strip, blocks, axis=1)]
    background = np.array([np.percentile(part, _BACKGROUND_PERCENT) for part in parts])
    y, x = (axis.ravel() for axis in np.meshgrid(*[np.linspace(-1, 1, blocks)] * 2, indexing="ij"))
    surface = _lower_surface(np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=1), background)
    return float(100 * np.ptp(surface) / surface.mean()) if surface.mean() > 0 else float("nan")


def _lower_surface(terms: NDArray[np.float64], background: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values (k,) of a surface with terms (k, 6), fitted without the blocks that are far above it."""
    kept = np.ones(len(background), bool)
    surface = background
    for _ in range(_FITS):
        surface = terms @ np.linalg.lstsq(terms[kept], background[kept], rcond=None)[0]
        above = background - surface
        spread = _MAD_TO_SD * float(np.median(np.abs(above[kept])))
        fewer = above <= _FAR * spread
        if fewer.sum() <= terms.shape[1] + 1 or (fewer == kept).all():
            break
        kept = fewer
    return np.asarray(surface)


def _saturated_percent(plane: NDArray[Any]) -> float:
    """Return how many pixels have the highest value that a camera can give, in percent.

    That is the value with all of 8, 10, 12, 14, 16 or 32 bits, such as 4095, also if the camera shifts these bits up to
    fill 10 to 16, such as 65520 for 12 bits in 16, so that the lowest bits of all pixels are 0. An image counts
    as saturated only if its brightest pixels have such a value; one of 16 bits whose brightest pixels have 255 is taken
    for one of 8 bits.
    """
    if plane.dtype.kind != "u" or not plane.size:
        return 0.0
    highest = int(plane.max())
    shifts = [upper - bits for bits, upper in _CAMERA_SHIFTS if highest == 2**upper - 2 ** (upper - bits)]
    if any(shift == 0 or not (plane & (2**shift - 1)).any() for shift in shifts):
        return 100 * float((plane == highest).mean())
    return 0.0
