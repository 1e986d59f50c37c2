"""Contrast of a channel: which values are black and which are brightest, by percentiles of sampled pixels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BRIGHTEST", "DARKEST", "auto_limits", "value_range"]

DARKEST, BRIGHTEST = 0.1, 99.8
"""Percentiles of the sampled pixels."""


def auto_limits(samples: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """Return the values to show as black and as brightest.

    Args:
        samples: finite pixels (1D) of some images of the channel.

    Returns:
        Both values; they differ, also for images of one value and without samples.
    """
    pixels = np.concatenate(samples) if samples else np.zeros(0)
    if not len(pixels):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(pixels, (DARKEST, BRIGHTEST)))
    return (low, high) if high > low else (low, low + 1.0)


def value_range(samples: Sequence[NDArray[Any]], limits: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of a slider, so that the limits can be moved well: a few bright pixels don't count.

    Args:
        samples: finite pixels (1D) of some images of the channel.
        limits: from :func:`auto_limits`.
    """
    seen = [float(end) for sample in samples if len(sample) for end in (sample.min(), sample.max())]
    width = limits[1] - limits[0]
    lowest = max(min([*seen, limits[0]]), limits[0] - width)
    return lowest, min(max([*seen, limits[1] + width]), limits[1] + 3 * width)
