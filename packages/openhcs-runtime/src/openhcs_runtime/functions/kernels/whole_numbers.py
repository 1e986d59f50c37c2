"""Images as whole numbers, of which sums are exact in any order, and weights that are whole numbers, too."""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["IMAGE_BITS", "WEIGHT_BITS", "Weights", "WholeImage", "bell", "slope_of_bell", "whole"]

IMAGE_BITS, WEIGHT_BITS = 21, 16
"""Bits of a value without its sign, and of the sum of all weights along an axis: with two axes 53, as many as a float64
holds exactly."""
_REACH = 4.0
"""Weights end after this many standard deviations, as in SciPy."""
_USUAL = 100
"""Binary exponents up to this are applied as factors, which are finite in float32."""

_Number = np.integer | np.floating | np.bool_


@dataclass(frozen=True, slots=True)
class WholeImage:
    """An image as whole numbers of at most ``2**IMAGE_BITS``: its values are ``numbers / 2**exponent``.

    Attributes:
        numbers: Whole numbers, in the dtype of the image or as float32 or float64.
        exponent: The binary exponent.
    """

    numbers: NDArray[_Number]
    exponent: int


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of a filter along one axis, each the same as its mirror image, or its negative.

    Attributes:
        whole: The weights as whole numbers in float64, of an odd number; a value is ``whole / 2**bits``.
        bits: The binary exponent.
    """

    whole: NDArray[np.float64]
    bits: int


def whole(image: NDArray[_Number]) -> WholeImage:
    """Return an image (Y, X) as whole numbers: exactly for integers up to 21 bits, otherwise rounded.

    The rounding error of floating-point values is at most ``2**-21`` of the largest absolute value.

    Args:
        image: Values that are finite.
    """
    if image.dtype.kind == "b" or (image.dtype.kind in "iu" and image.dtype.itemsize <= 2):
        return WholeImage(image.view(np.uint8) if image.dtype.kind == "b" else image, 0)
    if image.dtype.kind in "iu" or image.dtype == np.float16:
        image = image.astype(np.float64)
    largest = max(float(image.max(initial=0)), -float(image.min(initial=0)))
    exponent = IMAGE_BITS - math.frexp(largest)[1] if largest else 0
    if abs(exponent) > _USUAL:
        return WholeImage(np.rint(np.ldexp(image.astype(np.float64), exponent)), exponent)
    numbers = image * image.dtype.type(2.0**exponent)
    return WholeImage(np.rint(numbers, out=numbers), exponent)


@functools.lru_cache(maxsize=64)
def bell(sigma: float) -> Weights:
    """Return the weights of a Gaussian, up to 4 standard deviations, with the exact sum 1.

    The sum of the weights beyond each distance is rounded, so that errors of narrow and of wide filters are at most
    ``2**-16`` of the differences in an image.
    """
    density = _density(sigma)
    beyond = np.cumsum(density[::-1])[::-1]
    beyond = np.rint(beyond / (2 * beyond[0] - density[0]) * 2**WEIGHT_BITS)
    side = beyond - np.append(beyond[1:], 0)
    side[0] = 2**WEIGHT_BITS - 2 * float(side[1:].sum())
    return _frozen(np.concatenate([side[:0:-1], side]), WEIGHT_BITS)


@functools.lru_cache(maxsize=64)
def slope_of_bell(sigma: float) -> Weights:
    """Return the weights of the derivative of a Gaussian, for values that increase with the index."""
    density = _density(sigma)
    side = np.arange(len(density)) * density / (2 * density.sum() - density[0]) / sigma**2
    bits = WEIGHT_BITS - max(0, math.frexp(2 * float(side.sum()) + len(side) * 2.0**-WEIGHT_BITS)[1])
    side = np.rint(side * 2**bits)
    return _frozen(np.concatenate([-side[:0:-1], side]), bits)


def _density(sigma: float) -> NDArray[np.float64]:
    """Return the Gaussian from its centre, not normalised."""
    radius = int(_REACH * sigma + 0.5)
    places = np.arange(radius + 1)
    return np.exp(-0.5 * (places / sigma) ** 2) if radius else np.ones(1)


def _frozen(values: NDArray[np.float64], bits: int) -> Weights:
    values.flags.writeable = False  # shared by all calls
    return Weights(values, bits)
