"""Functions that even out the light."""

import functools
import os
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.functions.coarse import GRID, block_quantile, enlarge
from openhcs_runtime.pipeline.decorators import Stack, per_plane


@per_plane
def correct_illumination(plane: Stack, *, smoothness: float = 0.25, offset: float = 0.0) -> Stack:
    """Divide each plane by its own smooth illumination, estimated from the background; float32, mean light kept.

    plane: at least a third of it background. smoothness: scale of the illumination as a part of the image's edge.
    offset: counts of the camera without light. Retrospective correction by low-pass filtering
    (Likar et al., J. Microscopy 197(3), 2000).
    """
    image = plane.astype(np.float32) - np.float32(offset)
    block = max(1, min(image.shape) // GRID)
    coarse = block_quantile(image, block, 0.25)
    reach = max(1, round(min(coarse.shape) * smoothness / 2))
    low = ndimage.percentile_filter(coarse, 30, size=reach, mode="nearest")
    light = ndimage.gaussian_filter(low, reach, mode="nearest")
    light = np.maximum(light, np.float32(1e-3) * max(float(light.max()), 1e-6))
    return image / enlarge(light / light.mean(), image.shape, block)


@per_plane
def correct_flat_field(
    plane: Stack,
    *,
    flat_field: str | os.PathLike[str] | NDArray[np.generic],
    dark_field: str | os.PathLike[str] | NDArray[np.generic] | None = None,
) -> Stack:
    """Divide each plane by an image of even light: (plane - dark) / (flat - dark), mean light kept; float32.

    flat_field: image (Y, X) of an even fluorescent layer, or the path of a TIFF file with one; best the mean of many.
    dark_field: the same without light, 0 when left out. Two-image correction (Model & Burkhardt, Cytometry 44(4),
    2001). Raises ValueError for images of another size than the plane, or a flat field that is not brighter than the
    dark one everywhere; OSError when a file can't be read.
    """
    dark = np.float32(0) if dark_field is None else _field("dark_field", dark_field, plane.shape)
    light = _field("flat_field", flat_field, plane.shape) - dark
    if light.min() <= 0:
        raise ValueError("flat_field is not brighter than dark_field in every pixel")
    return np.asarray((plane.astype(np.float32) - dark) / (light / light.mean()))


def _field(name: str, field: str | os.PathLike[str] | NDArray[np.generic], shape: tuple[int, ...]) -> Stack:
    if isinstance(field, np.ndarray):
        image = field.astype(np.float32)
    else:
        path = Path(field).expanduser()
        image = _read_field(path, path.stat().st_mtime_ns)
    if image.shape != shape:
        raise ValueError(f"{name} is of shape {image.shape}, the images are of {shape}")
    return image


@functools.lru_cache(maxsize=4)
def _read_field(path: Path, _changed: int) -> NDArray[np.float32]:
    """A file is read once, not for each plane, as long as it is not changed."""
    image = np.asarray(tifffile.imread(path), dtype=np.float32)
    image.setflags(write=False)
    return image
