"""Operations on masks and labels with their nearest neighbours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels import maximum, minimum
from openhcs_runtime.functions.kernels.holes import holes_of

__all__ = ["dilated_cross", "fill_label_holes", "grown", "narrow", "opened_labels", "rim_of"]

Labels = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


def narrow(labels: Labels) -> Labels:
    """Return labels as uint16 if they fit, for which operations are fastest, otherwise as they are."""
    return labels.astype(np.uint16) if int(labels.max(initial=0)) <= np.iinfo(np.uint16).max else labels


def dilated_cross(mask: Mask, steps: int) -> Mask:
    """Return the pixels of a mask (Y, X) and those that are at most some steps up, down, left or right from it.

    The same as ``scipy.ndimage.binary_dilation(mask, iterations=steps)``.
    """
    mask = mask.copy()
    for _ in range(steps):
        before = mask.copy()
        mask[1:] |= before[:-1]
        mask[:-1] |= before[1:]
        mask[:, 1:] |= before[:, :-1]
        mask[:, :-1] |= before[:, 1:]
    return mask


def grown(labels: Labels, steps: int) -> Labels:
    """Return objects with the pixels around them that are at most some steps away, up, down, left, right or diagonally.

    A pixel belongs to the nearest object and, of equally near ones, to that with the largest number.
    """
    labels = narrow(labels)
    for _ in range(steps):
        wide = maximum(labels, 3)
        np.copyto(wide, labels, where=labels > 0)
        labels = wide
    return labels


def rim_of(labels: Labels | Mask) -> Mask:
    """Return the pixels of objects next to a pixel with another label; the border of the image is not an edge."""
    rim = np.zeros(labels.shape, dtype=bool)
    down, across = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    rim[1:] |= down
    rim[:-1] |= down
    rim[:, 1:] |= across
    rim[:, :-1] |= across
    rim &= labels > 0
    return rim


def opened_labels(labels: Labels) -> Labels:
    """Return the opening of each object with a square of 3 x 3 pixels; what is beyond the border is left out."""
    labels = narrow(labels)
    inside = minimum(labels, 3)
    inside[inside != maximum(labels, 3)] = 0
    return maximum(inside, 3)


def fill_label_holes(labels: Labels) -> Labels:
    """Fill, in place, the holes of objects; what is enclosed by several objects together is not a hole."""
    pixels, numbers = holes_of(labels > 0)
    if not len(pixels):
        return labels
    count = int(numbers.max())
    y, x = np.divmod(pixels, labels.shape[1])
    lowest, highest = np.full(count + 1, np.iinfo(np.int64).max), np.zeros(count + 1, dtype=np.int64)
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        beside = labels[y + down, x + right].astype(np.int64)  # holes do not reach the border
        np.maximum.at(highest, numbers, beside)
        np.minimum.at(lowest, numbers[beside > 0], beside[beside > 0])
    owner = np.where(lowest == highest, highest, 0)
    labels.ravel()[pixels] = owner[numbers]
    return labels
