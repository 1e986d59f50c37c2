"""Uneven illumination, estimated from all images of a plate and corrected in each of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import Component
from openhcs_runtime.functions.coarse import enlarge
from openhcs_runtime.pipeline.decorators import Stack, plate_inputs, plate_output

if TYPE_CHECKING:
    from openhcs_runtime.engine.plate_data import PlateData, PlateImage

_GRID = 64
"""Number of blocks along the shorter edge of an image."""
_DEGREE = 4
"""Degree of the polynomial that follows the course of the illumination, such as a vignette."""
_DARKEST = 1e-3
"""The smallest illumination, as a fraction of the brightest one: less is not an illumination but an error."""


@plate_output("illumination", per=Component.CHANNEL)
def estimate_illumination(
    plate: "PlateData", *, smoothness: float = 0.1, offset: float = 0.0, max_images: int = 500
) -> dict[int, NDArray[np.float32]]:
    """Estimate the illumination of each channel from all images of the plate.

    Retrospective estimation over many images, as in CIDRE (Smith et al., Nature Methods 12, 2015) and CellProfiler's
    CorrectIlluminationCalculate, with a median: each image is divided by its own median on a grid of blocks; the
    illumination of a block is the median over all images, so that objects count less than the background between them;
    a polynomial of degree 4 follows its course, and what is left of it is smoothed. It needs images in which objects
    are at different places: some tens for each channel.

    Args:
        plate: The images, from the engine.
        smoothness: Standard deviation of the smoothing, as a fraction of the shorter edge of an image.
        offset: Counts of the camera without light. If it is too small, the illumination looks more even than it is.
        max_images: How many images of a channel are used at most, evenly distributed over the plate.

    Returns:
        The illumination of each channel, float32 (Y, X), with a mean of 1.

    Raises:
        ValueError: If the images of a channel differ in size or are not brighter than ``offset``.
    """
    return {
        channel: _illumination(_some(list(plate.images(channel=channel)), max_images), channel, smoothness, offset)
        for channel in plate.channels
    }


@plate_inputs("illumination")
def divide_by_illumination(stack: Stack, *, illumination: NDArray[np.float32], offset: float = 0.0) -> Stack:
    """Divide each image by the illumination of its channel, which ``estimate_illumination`` has found.

    Args:
        stack: The images (n, Y, X).
        illumination: The illumination of each image, float32 (n, Y, X), from the engine.
        offset: Counts of the camera without light, which are subtracted first.

    Returns:
        The corrected images, float32 (n, Y, X).

    Raises:
        ValueError: If an image differs in size from its illumination.
    """
    if np.shape(illumination) != stack.shape:
        raise ValueError(
            f"the illumination has shape {np.shape(illumination)}, but the images have shape {stack.shape}: the "
            "images of a channel must have one size"
        )
    corrected: Stack = (stack.astype(np.float32) - np.float32(offset)) / illumination
    return corrected


def _some(images: "Sequence[PlateImage]", most: int) -> "list[PlateImage]":
    """Return evenly distributed images."""
    if len(images) <= most:
        return list(images)
    return [images[place] for place in np.linspace(0, len(images) - 1, most).round().astype(int)]


def _illumination(
    images: "Sequence[PlateImage]", channel: int, smoothness: float, offset: float
) -> NDArray[np.float32]:
    shapes: list[tuple[int, ...]] = []
    grids = []
    for image in images:
        pixels = image.read()
        shapes.append(pixels.shape)
        _check_sizes(shapes[-2:], channel)
        grid = _block_means(pixels, _block(pixels.shape)) - np.float32(offset)
        middle = np.median(grid)
        if middle > 0:
            grids.append(grid / middle)
    if not grids:
        raise ValueError(f"the images of channel {channel} are not brighter than the offset {offset:g}")
    coarse = np.median(np.stack(grids), axis=0)
    light = enlarge(_smoothed(coarse, smoothness), shapes[0], _block(shapes[0]))
    if light.min() <= _DARKEST * light.max():
        raise ValueError(f"the illumination of channel {channel} is 0 or less in places: the offset is too large")
    return np.asarray(light / light.mean(), np.float32)


def _smoothed(coarse: NDArray[np.float32], smoothness: float) -> NDArray[np.float32]:
    """Smooth the illumination of blocks; what a polynomial explains is not flattened at the edges."""
    from scipy import ndimage  # noqa: PLC0415  loads slowly

    y, x = (np.linspace(-1, 1, size) for size in coarse.shape)
    powers = [(i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)]
    terms = np.stack([np.multiply.outer(y**i, x**j).ravel() for i, j in powers], axis=1)
    trend = terms @ np.linalg.lstsq(terms, coarse.ravel().astype(np.float64), rcond=None)[0]
    rest = ndimage.gaussian_filter(coarse - trend.reshape(coarse.shape), smoothness * min(coarse.shape), mode="nearest")
    light: NDArray[np.float32] = (trend.reshape(coarse.shape) + rest).astype(np.float32)
    return light


def _block(shape: tuple[int, ...]) -> int:
    return max(1, min(shape) // _GRID)


def _block_means(image: Stack, block: int) -> NDArray[np.float32]:
    """Return the mean of each block x block square; the remainder at the far edges is left out."""
    rows, columns = max(1, image.shape[0] // block), max(1, image.shape[1] // block)
    squares = image[: rows * block, : columns * block].reshape(rows, block, columns, block)
    means: NDArray[np.float32] = squares.mean(axis=(1, 3), dtype=np.float32)
    return means


def _check_sizes(shapes: Sequence[tuple[int, ...]], channel: int) -> None:
    if len(set(shapes)) > 1:
        sizes = ", ".join("x".join(map(str, shape)) for shape in dict.fromkeys(shapes))
        raise ValueError(f"images of channel {channel} differ in size ({sizes} pixels)")
