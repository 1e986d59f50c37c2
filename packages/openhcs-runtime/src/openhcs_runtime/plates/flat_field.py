"""Flat-field profiles that a microscope has measured for a channel, as polynomials."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FlatField", "Polynomial"]

_SAME_ASPECT = 0.01


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A polynomial in the coordinates of an image.

    Attributes:
        coefficients: For each degree n, the factors of x^n, x^(n-1) y, ..., y^n.
        size: Width and height in pixels of the images that it describes.
        origin: The pixel (x, y) that is the origin.
        scale: What a pixel (x, y) is long.
    """

    coefficients: tuple[tuple[float, ...], ...]
    size: tuple[int, int]
    origin: tuple[float, float]
    scale: tuple[float, float]

    def image(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return its values in an image (Y, X), which may be one of another size with the same aspect ratio.

        Raises:
            ValueError: If the image has another aspect ratio.
        """
        height, width = shape
        across, down = self.size[0] / width, self.size[1] / height
        if abs(across - down) > _SAME_ASPECT * across:
            raise ValueError(
                f"the flat-field profile is of images of {self.size[1]} x {self.size[0]} pixels, "
                f"but the images have {height} x {width}"
            )
        x = self._places(np.arange(width), across, 0)[np.newaxis, :]
        y = self._places(np.arange(height), down, 1)[:, np.newaxis]
        values = np.zeros((height, width))
        for degree, factors in enumerate(self.coefficients):
            for power, factor in enumerate(factors):
                values += factor * x ** (degree - power) * y**power
        return values.astype(np.float32)

    def _places(self, pixels: NDArray[np.integer], pitch: float, axis: int) -> NDArray[np.float64]:
        """Return the coordinates of the centres of pixels of ``pitch`` pixels of the profile."""
        places = ((pixels + 0.5) * pitch - 0.5 - self.origin[axis]) * self.scale[axis]
        return np.asarray(places, np.float64)


@dataclass(frozen=True, slots=True)
class FlatField:
    """The profiles of a channel; both None if its illumination is flat.

    Attributes:
        foreground: The illumination of objects.
        background: The brightness of the background, relative to its mean.
    """

    foreground: Polynomial | None = None
    background: Polynomial | None = None

    def image(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the relative illumination in an image (Y, X): the foreground if there is one, else the background.

        Raises:
            ValueError: If the image has another aspect ratio than the profile.
        """
        profile = self.foreground or self.background
        return profile.image(shape) if profile else np.ones(shape, np.float32)
