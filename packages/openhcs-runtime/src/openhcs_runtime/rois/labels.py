"""Conversion between label images and regions of interest."""

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.rois.label_numbers import consecutive
from openhcs_runtime.rois.outlines import fill, outlines, signed_area
from openhcs_runtime.rois.shapes import Ellipse, Mask, Points, Polygon, Polyline, Roi, RoiError, pairs


def labels_to_rois(labels: NDArray[np.integer[Any]], *, keep_holes: bool = True) -> tuple[Roi, ...]:
    """Convert the objects of a label image (Y, X) to polygons along the edges of their pixels, sorted by number.

    A polygon encloses exactly the pixels of its object, so ``rois_to_labels`` restores the image. An object with
    several parts becomes several polygons with the same label; parts that touch at a corner are connected. As polygons
    have no holes, an object with holes becomes a ``Mask``.

    Args:
        labels: Integer labels (Y, X).
        keep_holes: False to fill holes.

    Raises:
        RoiError: If ``labels`` is not a label image.
    """
    from scipy import ndimage  # noqa: PLC0415  loads slowly

    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise RoiError(f"a label image is integers (Y, X), not {labels.dtype} {labels.shape}")
    rois: list[Roi] = []
    if int(labels.min(initial=0)) < 0:
        raise RoiError(f"a label image has numbers from 0, not {labels.min()}")
    numbers, marked = consecutive(labels)
    for place, box in enumerate(ndimage.find_objects(marked), start=1):
        label = int(numbers[place - 1])
        rois += _object(marked[box] == place, box[0].start, box[1].start, label, keep_holes)
    return tuple(rois)


def label_type(largest: int) -> type[np.int32 | np.int64]:
    """Return the dtype of an image with labels up to this one."""
    return np.int32 if largest <= np.iinfo(np.int32).max else np.int64


def rois_to_labels(rois: Iterable[Roi], shape: tuple[int, int]) -> NDArray[np.signedinteger[Any]]:
    """Draw a label image of the regions: with their labels or, for regions without one, the next unused numbers.

    Where regions overlap, the last one wins. A pixel belongs to an area if its centre is inside; lines and points mark
    the pixels they pass through. Parts outside the image are clipped.

    Args:
        rois: The regions.
        shape: Shape (Y, X) of the image.
    """
    given = list(rois)
    taken = {roi.label for roi in given}
    image = np.zeros(shape, label_type(max(taken, default=0)))
    following = 1
    for roi in given:
        label = roi.label
        if label == 0:
            while following in taken:
                following += 1
            label = following
            taken.add(label)
        _mark(image, roi, label)
    return image


def _object(mask: NDArray[np.bool_], top: int, left: int, label: int, keep_holes: bool) -> list[Roi]:
    loops = outlines(mask)
    outer = [loop for loop in loops if signed_area(loop) > 0]
    if keep_holes and len(outer) < len(loops):
        return [Mask(top, left, mask, label=label)]
    return [Polygon(pairs(loop + np.array([top, left])), label=label) for loop in outer]


def _mark(image: NDArray[np.signedinteger[Any]], roi: Roi, label: int) -> None:
    match roi:
        case Polygon():
            image[fill([roi.array], (image.shape[0], image.shape[1]))] = label
        case Ellipse():
            _mark_ellipse(image, roi, label)
        case Mask():
            _mark_mask(image, roi, label)
        case Polyline():
            from skimage.draw import line  # noqa: PLC0415  loads slowly

            corners = np.floor(roi.array + 0.5).astype(int).tolist()
            for start, end in itertools.pairwise(corners):
                _mark_pixels(image, np.stack(line(*start, *end), axis=1), label)
        case Points():
            _mark_pixels(image, np.floor(roi.array + 0.5).astype(int), label)


def _mark_pixels(image: NDArray[np.signedinteger[Any]], pixels: NDArray[np.integer[Any]], label: int) -> None:
    inside = ((pixels >= 0) & (pixels < image.shape)).all(axis=1)
    image[tuple(pixels[inside].T)] = label


def _mark_mask(image: NDArray[np.signedinteger[Any]], roi: Mask, label: int) -> None:
    _mark_pixels(image, np.argwhere(roi.pixels) + np.array([roi.top, roi.left]), label)


def _mark_ellipse(image: NDArray[np.signedinteger[Any]], roi: Ellipse, label: int) -> None:
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    (y1, x1), (y2, x2) = roi.directions
    down, right = y - roi.center[0], x - roi.center[1]
    long, short = roi.semi_axes
    along = (down * y1 + right * x1) / long**2
    across = (down * y2 + right * x2) / short**2
    image[along**2 + across**2 <= 1] = label
