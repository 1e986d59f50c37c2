"""The contrast of thumbnails: the same for all wells of a plate, so that they can be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.selection.sample import sample_wells
from openhcs_runtime.thumbnails.well import WellThumbnail

__all__ = ["Limits", "plate_limits"]

_WELLS = 24
_LOW, _HIGH = 1.0, 99.8
"""Percentiles of pixels."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The values of a channel that are shown black and in full brightness; ``high`` is larger."""

    low: float
    high: float


def plate_limits(wells: Sequence[WellThumbnail]) -> Mapping[int, Limits]:
    """Return the contrast of each channel from the pixels of up to 24 wells that are spread over the plate.

    The lowest value is the 1st percentile of all pixels of these wells, the highest one the 99.8th. Values that are not
    finite do not count.

    Args:
        wells: the thumbnails that are known.
    """
    known = {well.well: well for well in wells if well.planes}
    names = sorted(known)
    chosen = sample_wells(names, _WELLS) if len(names) > _WELLS else names
    channels = sorted({channel for name in chosen for channel in known[name].planes})
    return {
        channel: _limits([known[name].planes[channel] for name in chosen if channel in known[name].planes])
        for channel in channels
    }


def _limits(planes: Sequence[NDArray[Any]]) -> Limits:
    pixels = np.concatenate([plane.ravel() for plane in planes])
    pixels = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    if not len(pixels):
        return Limits(0.0, 1.0)
    low, high = (float(value) for value in np.percentile(pixels, (_LOW, _HIGH)))
    return Limits(low, high if high > low else low + 1.0)
