"""Thumbnails as 8-bit pictures: one channel in grey, or all of them in their colours."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.thumbnails.contrast import Limits
from openhcs_runtime.thumbnails.well import WellThumbnail

__all__ = ["render"]


def render(well: WellThumbnail, limits: Mapping[int, Limits], colours: Mapping[int, int]) -> NDArray[np.uint8] | None:
    """Return the picture of a well; the channels are added up, as light is.

    Args:
        well: the thumbnail.
        limits: contrast of each channel.
        colours: the channels to show, each with the colour of its brightest pixels, 0xRRGGBB.

    Returns:
        The picture (Y, X, 3) in red, green and blue; None if the well has none of these channels, or they differ in
        size.
    """
    shown = [channel for channel in colours if channel in well.planes and channel in limits]
    if not shown or len({well.planes[channel].shape for channel in shown}) > 1:
        return None
    light = np.zeros((*well.planes[shown[0]].shape, 3), np.float32)
    for channel in shown:
        at = limits[channel]
        plane = (well.planes[channel].astype(np.float32) - at.low) / (at.high - at.low)
        plane = np.nan_to_num(np.clip(plane, 0, 1))
        colour = [colours[channel] >> shift & 0xFF for shift in (16, 8, 0)]
        light += plane[..., np.newaxis] * np.asarray(colour, np.float32)
    return np.minimum(light, 255).astype(np.uint8)
