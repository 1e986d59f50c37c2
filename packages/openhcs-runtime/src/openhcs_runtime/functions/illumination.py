"""Functions that correct uneven illumination."""

import functools
import os
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.functions.coarse import GRID, block_quantile, enlarge
from openhcs_runtime.pipeline.decorators import Stack, per_plane
from openhcs_runtime.plates.opera_phenix.profiles import read_profiles


@per_plane
def correct_illumination(plane: Stack, *, smoothness: float = 0.25, offset: float = 0.0) -> Stack:
    """Divide each plane by its own smooth illumination, estimated from the background.

    Retrospective correction by low-pass filtering (Likar et al., J. Microscopy 197(3), 2000). The mean illumination is
    preserved.

    Args:
        plane: The plane (Y, X); at least a third of it should be background.
        smoothness: Scale of the illumination as a fraction of the edge length of the image.
        offset: Counts of the camera without light.

    Returns:
        The corrected plane, float32 (Y, X).
    """
    from scipy import ndimage  # noqa: PLC0415  loads slowly

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
    channel: int | None = None,
) -> Stack:
    """Divide each plane by a flat-field image: (plane - dark) / (flat - dark).

    Two-image correction (Model & Burkhardt, Cytometry 44(4), 2001). The mean illumination is preserved.

    Args:
        plane: The plane (Y, X).
        flat_field: Image (Y, X) of a uniform fluorescent layer, ideally the mean of many, or the path of a TIFF file
            with one, or of Harmony's index of an Opera Phenix plate (such as Images/Index.xml), which has profiles.
        dark_field: Image (Y, X) without light, or the path of a TIFF file with one [default: 0].
        channel: Channel of the plate whose profile is used; only for an index.

    Returns:
        The corrected plane, float32 (Y, X).

    Raises:
        ValueError: If an image differs in size from the plane, the flat field is not brighter than the dark field
            everywhere, or an index has no profile of the channel.
        OSError: If a file can't be read.
    """
    dark = np.float32(0) if dark_field is None else _field("dark_field", dark_field, plane.shape)
    if not isinstance(flat_field, np.ndarray) and Path(flat_field).suffix.lower() == ".xml":
        light = _profile(Path(flat_field).expanduser(), channel, plane.shape)
    else:
        light = _field("flat_field", flat_field, plane.shape) - dark
    if light.min() <= 0:
        raise ValueError("flat_field is not brighter than dark_field in every pixel")
    corrected: Stack = plane.astype(np.float32)
    if dark_field is not None:
        np.subtract(corrected, dark, out=corrected)
    np.divide(corrected, light / light.mean(), out=corrected)
    return corrected


def _field(name: str, field: str | os.PathLike[str] | NDArray[np.generic], shape: tuple[int, ...]) -> Stack:
    if isinstance(field, np.ndarray):
        image = field.astype(np.float32)
    else:
        path = Path(field).expanduser()
        image = _read_field(path, path.stat().st_mtime_ns)
    if image.shape != shape:
        raise ValueError(f"{name} has shape {image.shape}, but the images have shape {shape}")
    return image


@functools.lru_cache(maxsize=4)
def _read_field(path: Path, _changed: int) -> NDArray[np.float32]:
    """Read a file, cached until the file changes."""
    image = np.asarray(tifffile.imread(path), dtype=np.float32)
    image.setflags(write=False)
    return image


def _profile(path: Path, channel: int | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the relative illumination of a channel from Harmony's index."""
    if channel is None:
        raise ValueError(f"flat_field is {path}: give the channel whose profile is to be used")
    return _read_profile(path, path.stat().st_mtime_ns, channel, shape)


@functools.lru_cache(maxsize=8)
def _read_profile(path: Path, _changed: int, channel: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Read a profile, cached until the file changes."""
    profiles = read_profiles(path)
    if channel not in profiles:
        known = ", ".join(map(str, sorted(profiles))) or "none"
        raise ValueError(f"{path} has no flat-field profile of channel {channel} (it has those of: {known})")
    image = profiles[channel].image(shape)
    image.setflags(write=False)
    return image
