"""A picture of a preview: an image in grey, and the outlines of each set of objects in a colour of its own."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.preview.values import PreviewResult
from openhcs_runtime.viewers.object_edges import object_edges

__all__ = ["write_picture"]

_OUTLINES = ((255, 214, 0), (0, 220, 255), (255, 90, 220), (120, 255, 90))
_DARKEST, _BRIGHTEST = 1.0, 99.7
"""Percentiles of the image that are drawn black and white."""


def write_picture(path: Path, result: PreviewResult) -> None:
    """Write image and outlines as a PNG file, a pixel for each pixel of the image.

    Raises:
        OutputError: the file can't be written.
        ValueError: the preview has neither image nor labels.
    """
    picture = _drawn(result)
    with atomic_file(path) as file:
        Image.fromarray(picture).save(file, format="PNG")


def _drawn(result: PreviewResult) -> NDArray[np.uint8]:
    shapes = [plane.shape for plane in ((result.image,) if result.image is not None else result.labels.values())]
    if not shapes:
        raise ValueError("the preview has no image and no objects")
    grey = np.zeros(shapes[0], np.uint8) if result.image is None else _grey(result.image)
    picture = np.repeat(grey[..., np.newaxis], 3, axis=2)
    for number, labels in enumerate(result.labels.values()):
        if labels.shape == grey.shape:
            picture[object_edges(labels)] = _OUTLINES[number % len(_OUTLINES)]
    return picture


def _grey(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    values = np.nan_to_num(image.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = np.percentile(values[::2, ::2], (_DARKEST, _BRIGHTEST))
    grey: NDArray[np.uint8] = (np.clip((values - low) / max(float(high - low), 1e-9), 0, 1) * 255).astype(np.uint8)
    return grey
