"""Granularity of objects: how much of their brightness is in grains of each size.

Ravkin & Temov, Applied Informatics 14:41-90, 1988, as CellProfiler's MeasureGranularity has it: the image is
subsampled, its background removed, then eroded step by step and reconstructed (Vincent, IEEE Trans. Image Processing
2(2):176-201, 1993); a value is the percentage of the brightness that a step loses. Equal to cp_measure within 1e-9
percent. Deliberately different: values are NaN where the image is too small for a background (8 times 1 / subsampling
pixels), where a pixel of the image is not finite, because it affects its surroundings without a limit, and for objects
with a brightness of 0.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions.features.arguments import number_problems, refuse, whole_problems
from openhcs_runtime.functions.features.reconstruction import opened, reconstructions
from openhcs_runtime.functions.features.regions import Columns, Floats, Regions, divided

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_FEWEST = 2
"""Samples that interpolation needs on each axis."""
_MOST_STEPS = 256
_LARGEST_RADIUS_PX = 500


@dataclass(frozen=True, slots=True)
class GranularitySettings:
    """How granularity is measured.

    Attributes:
        subsampling: Factor by which the image is reduced.
        background_subsampling: Factor by which it is reduced once more to find the background.
        background_radius_px: Radius of the disk that the background is opened with, in reduced pixels.
        steps: Number of values.
    """

    subsampling: float = 0.25
    background_subsampling: float = 0.25
    background_radius_px: int = 10
    steps: int = 16

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        yield from whole_problems("steps", self.steps, 1, _MOST_STEPS)
        yield from number_problems("subsampling", self.subsampling, highest=1, above=True)
        yield from whole_problems("background_radius_px", self.background_radius_px, 1, _LARGEST_RADIUS_PX)


class Granularity:
    """Measures granularity in images of the same objects; what depends on the objects alone is computed once."""

    def __init__(self, regions: Regions, settings: GranularitySettings = GranularitySettings()) -> None:
        shape = regions.labels.shape
        factor = settings.subsampling
        self._regions = regions
        self._settings = settings
        self._shape = tuple(int(size * factor) for size in shape) if factor < 1 else shape
        small = [size * min(1.0, settings.background_subsampling) for size in self._shape]
        self._fits = min(self._shape) >= _FEWEST and min(small) >= _FEWEST
        self._means = _mean_operator(regions, self._shape) if self._fits else None

    def __call__(self, plane: NDArray[Any]) -> Columns:
        """Return the granularity of each object in an image (Y, X)."""
        spectrum = self._spectrum(plane)
        return {f"granularity_{step}_percent": part for step, part in enumerate(spectrum.T, start=1)}

    def _spectrum(self, image: NDArray[Any]) -> Floats:
        """Return the percentages, (n, steps)."""
        steps = self._settings.steps
        if self._means is None or not np.isfinite(image).all():
            return np.full((len(self._regions), steps), np.nan)
        start = self._regions.segments.means(self._regions.values(image))
        pixels = self._without_background(self._reduced(image))
        means = np.column_stack([start, *(self._means @ layer.ravel() for layer in reconstructions(pixels, steps))])
        return divided(-100 * np.diff(means, axis=1), np.broadcast_to(_positive(start), (steps, len(start))).T)

    def _reduced(self, plane: NDArray[Any]) -> Floats:
        return _every(plane, self._settings.subsampling, self._shape).astype(np.float64)

    def _without_background(self, pixels: Floats) -> Floats:
        factor, radius = self._settings.background_subsampling, self._settings.background_radius_px
        if factor >= 1:
            return np.maximum(pixels - opened(pixels, radius), 0)
        small = [size * factor for size in pixels.shape]
        coarse = _every(pixels, factor, tuple(math.ceil(size) for size in small))
        scale = [(few - 1) / (many - 1) for few, many in zip(small, pixels.shape, strict=True)]
        places = np.indices(pixels.shape) * np.reshape(scale, (2, 1, 1))
        return np.maximum(pixels - _sampled(opened(coarse, radius), places), 0)


def _every(image: NDArray[Any], factor: float, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return every n-th pixel for a factor of 1 / n, and values between pixels for others, (shape)."""
    step = 1 / factor if factor < 1 else 1
    if step == int(step):
        return image[:: int(step), :: int(step)][: shape[0], : shape[1]]
    return _sampled(image.astype(np.float64), np.indices(shape) / factor)


def _positive(start: Floats) -> Floats:
    return np.where(start > 0, np.maximum(start, np.finfo(float).eps), 0.0)


def _sampled(image: Floats, places: NDArray[Any]) -> Floats:
    found: Floats = ndimage.map_coordinates(image, places, order=1)
    return found


def _mean_operator(regions: Regions, shape: tuple[int, ...]) -> "csr_array":
    """Return the matrix (n, reduced pixels) that gives the mean of each object after bilinear magnification.

    A pixel that rounding puts beyond the last sample counts as 0, as in ``scipy.ndimage.map_coordinates``.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415  loads slowly

    y, x = (
        where * (float(few - 1) / float(max(many - 1, 1)))
        for where, few, many in zip((regions.rows, regions.cols), shape, regions.labels.shape, strict=True)
    )
    kept = (y <= shape[0] - 1) & (x <= shape[1] - 1)
    y, x, owner = y[kept], x[kept], regions.owner[kept]
    top, left = y.astype(np.int64), x.astype(np.int64)
    begins = np.flatnonzero(np.diff(owner, prepend=-1) | np.diff(top, prepend=-1) | np.diff(left, prepend=-1))
    down, over = y - top, x - left
    weights = [(1 - down) * (1 - over), (1 - down) * over, down * (1 - over), down * over]
    owner, top, left = owner[begins], top[begins], left[begins]
    bottom, right = np.minimum(top + 1, shape[0] - 1), np.minimum(left + 1, shape[1] - 1)
    places = [row * shape[1] + col for row in (top, bottom) for col in (left, right)]
    share = 1 / regions.areas[owner]
    entries = np.concatenate([np.add.reduceat(weight, begins) * share if len(begins) else weight for weight in weights])
    where = (np.tile(owner, 4), np.concatenate(places))
    return coo_array((entries, where), shape=(len(regions), shape[0] * shape[1])).tocsr()
