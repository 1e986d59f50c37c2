"""Grey-scale morphology of small images: openings with a disk, and what is left after one erosion after the other.

Both by comparisons of whole images, which a processor does for many pixels at once.
"""

from collections.abc import Callable, Iterator

import numpy as np

from openhcs_runtime.functions.features.regions import Floats, Integers

__all__ = ["opened", "reconstructions"]

_MOST_STEPS = 1024
"""Dilations after which the rest of a reconstruction is left to scikit-image, for shapes like a labyrinth."""
_UNCHECKED = 16
"""Dilations from one look whether anything changes to the next."""
_SHIFTS = ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1]))
"""The pixels of an image that have a neighbour in a column and in a row, and these neighbours."""


def opened(image: Floats, radius_px: int) -> Floats:
    """Return the opening of an image (Y, X) with a disk; what is beyond its edges is left out.

    The same as ``scipy.ndimage.grey_opening`` with a disk as its footprint: the image reflected at its edges has no
    value in a disk that the image itself does not have there.
    """
    return _extreme(_extreme(image, radius_px, np.minimum), radius_px, np.maximum)


def _extreme(image: Floats, radius_px: int, operation: Callable[..., Floats]) -> Floats:
    """Return the lowest or the highest value in the disk around each pixel."""
    height, width = image.shape
    found, along, reached = image.copy(), image.copy(), 0
    for down in range(min(radius_px, height - 1), -1, -1):
        reach = min(int((radius_px**2 - down**2) ** 0.5), width - 1)
        for over in range(reached + 1, reach + 1):  # the chords of the disk become longer towards its middle
            operation(along[:, over:], image[:, : width - over], out=along[:, over:])
            operation(along[:, : width - over], image[:, over:], out=along[:, : width - over])
        reached = max(reach, reached)
        operation(found[down:], along[: height - down], out=found[down:])
        operation(found[: height - down], along[down:], out=found[: height - down])
    return found


def reconstructions(pixels: Floats, steps: int) -> Iterator[Floats]:
    """Yield an image (Y, X) after each step: eroded once more by a cross, and reconstructed.

    Reconstruction by dilation (Vincent, IEEE Trans. Image Processing 2(2):176-201, 1993). All results have values of
    the image only, so they are found by their ranks.
    """
    values, ranks = np.unique(pixels, return_inverse=True)
    eroded = last = ranks.reshape(pixels.shape).astype(np.min_scalar_type(len(values)))
    for _ in range(steps):
        eroded = _eroded(eroded)
        # under the last layer the result is the same, and the way to it is shorter
        last = _reconstructed(eroded, last)
        yield values[last]


def _eroded(image: Integers) -> Integers:
    """Return the smallest value of each pixel and its four neighbours within the image."""
    lowest = image.copy()
    for one, other in _SHIFTS:
        np.minimum(lowest[one], image[other], out=lowest[one])
        np.minimum(lowest[other], image[one], out=lowest[other])
    return lowest


def _reconstructed(marker: Integers, mask: Integers) -> Integers:
    """Return the marker, dilated by a cross under the mask until nothing changes.

    Images are flat, with a border of zeros that nothing gets across, so that a shift is a slice without gaps.
    """
    row = mask.shape[1] + 1
    found, limit = (np.pad(image, ((1, 1), (0, 1))).ravel() for image in (marker, mask))
    other, before = np.zeros_like(found), found.copy()
    inner = slice(row, len(found) - row)
    here, there, most = found[inner], other[inner], limit[inner]
    for step in range(1, _MOST_STEPS + 1):
        np.maximum(found[: -2 * row], found[2 * row :], out=there)
        np.maximum(there, here, out=there)
        np.minimum(there, most, out=there)
        np.maximum(other[row - 1 : -row - 1], other[row + 1 : 1 - row], out=here)
        np.maximum(here, there, out=here)
        np.minimum(here, most, out=here)
        if step % _UNCHECKED == 0:
            if np.array_equal(found, before):
                return _unpadded(found, row)
            np.copyto(before, found)
    return _finished(_unpadded(found, row), mask)


def _unpadded(flat: Integers, row: int) -> Integers:
    return flat.reshape(-1, row)[1:-1, :-1]


def _finished(marker: Integers, mask: Integers) -> Integers:
    from skimage.morphology import reconstruction  # noqa: PLC0415  loads slowly

    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
    return np.asarray(reconstruction(marker, mask, footprint=cross), mask.dtype)
