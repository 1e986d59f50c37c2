"""Objects over the images they were found in: which plane belongs to a label image, and the edges of the objects."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from openhcs_runtime.viewers.results import Picture

__all__ = ["middle", "object_edges", "plane_below"]


def plane_below(label: "Picture", pictures: "Iterable[Picture]", channel: int | None = None) -> NDArray[Any] | None:
    """Return the plane (Y, X) of the plate that belongs to a label image, projected where the labels are of a stack.

    Args:
        label: the label image.
        pictures: pictures of the plate.
        channel: number of the channel; None for that of the labels, or else the first one.

    Returns:
        The plane, the brightest of a stack at each pixel; None if the plate does not have it.

    Raises:
        ImageError: an image can't be read.
    """
    near = [one for one in pictures if (one.key.well, one.key.site) == (label.key.well, label.key.site)]
    channels = {one.key.channel for one in near}
    if not channels:
        return None
    if channel is None:
        channel = label.key.channel if label.key.channel in channels else min(channels)
    near = [one for one in near if one.key.channel == channel]
    if "_z" in label.path.stem:
        near = [one for one in near if one.key.z_index == label.key.z_index]
    if "_t" in label.path.stem:
        near = [one for one in near if one.key.timepoint == label.key.timepoint]
    plane: NDArray[Any] | None = None
    for one in near:
        pixels = one.pixels()
        plane = pixels if plane is None else np.maximum(plane, pixels)
    return plane


def middle(plane: NDArray[Any], most: int) -> NDArray[Any]:
    """Return the middle square of a plane (Y, X), with an edge of at most so many pixels."""
    size = min(most, *plane.shape)
    top, left = ((length - size) // 2 for length in plane.shape)
    return plane[top : top + size, left : left + size]


def object_edges(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels (Y, X) of objects that touch another object or the background."""
    edges = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        before, after = np.swapaxes(labels, 0, axis)[:-1], np.swapaxes(labels, 0, axis)[1:]
        view = np.swapaxes(edges, 0, axis)
        view[:-1] |= before != after
        view[1:] |= before != after
    return edges & (labels > 0)
