"""Display metadata of images, read into one typed value; all viewers use the same keys."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["VISIBLE", "WANTED", "WELL_TEXT", "Appearance", "Kind", "colour_of", "display_range", "read_appearance"]

_NAMES = MappingProxyType(
    {
        "gray": 0xFFFFFF,
        "grey": 0xFFFFFF,
        "grays": 0xFFFFFF,
        "white": 0xFFFFFF,
        "red": 0xFF0000,
        "green": 0x00FF00,
        "blue": 0x0000FF,
        "cyan": 0x00FFFF,
        "magenta": 0xFF00FF,
        "yellow": 0xFFFF00,
        "orange": 0xFF8000,
    }
)
WELL_TEXT = "well_text"
"""Key of what a well contains."""
VISIBLE = "visible"
"""Key of whether a new layer is visible."""
WANTED = "wanted"
"""Key of whether the user has asked for this very item: a layer that was removed then comes back."""
_LONGEST_TEXT = 200
_SAMPLES = 16_384
_LOW_PERCENT, _HIGH_PERCENT = 0.1, 99.9


class Kind(StrEnum):
    """Kind of an item."""

    IMAGE = "image"
    LABELS = "labels"
    SHAPES = "shapes"
    POINTS = "points"


@dataclass(frozen=True, slots=True)
class Appearance:
    """How an item is displayed; values are None if the producer did not give them, or gave an invalid value.

    Attributes:
        kind: ``LABELS`` for a label image, otherwise ``IMAGE``.
        colormap: name of a colormap, for viewers that know more than the colours of :func:`colour_of`.
        colour: 0xRRGGBB, from ``colormap`` or ``color``.
        contrast_limits: values shown as black and as brightest.
        pixel_size: in micrometres, rows and columns.
        z_step: in micrometres.
        rgb: whether the last axis is red, green and blue.
        well_text: what the well contains, in one line of at most 200 characters; empty if it is not known.
        visible: whether a new layer is visible; the user can change that.
        wanted: whether a layer that the user has removed comes back.
    """

    kind: Kind = Kind.IMAGE
    colormap: str | None = None
    colour: int | None = None
    contrast_limits: tuple[float, float] | None = None
    pixel_size: tuple[float, float] | None = None
    z_step: float | None = None
    rgb: bool = False
    well_text: str = ""
    visible: bool = True
    wanted: bool = False


def read_appearance(metadata: Mapping[str, Any]) -> Appearance:
    """Read the metadata of an image, shapes or points. Unknown keys are ignored."""
    colormap = metadata.get("colormap") or metadata.get("color")
    limits = _pair(metadata.get("contrast_limits"), may_be_one=False)
    size = _pair(metadata.get("pixel_size"))
    step = _pair(metadata.get("z_step"))
    return Appearance(
        kind=Kind.LABELS if metadata.get("kind") == Kind.LABELS else Kind.IMAGE,
        colormap=colormap if isinstance(colormap, str) else None,
        colour=colour_of(colormap),
        contrast_limits=limits if limits is not None and limits[0] < limits[1] else None,
        pixel_size=size if size is not None and min(size) > 0 else None,
        z_step=step[0] if step is not None and step[0] > 0 else None,
        rgb=bool(metadata.get("rgb")),
        well_text=_line(metadata.get(WELL_TEXT)),
        visible=metadata.get(VISIBLE) is not False,
        wanted=metadata.get(WANTED) is True,
    )


def colour_of(name: object) -> int | None:
    """Return 0xRRGGBB for the name of a colour or ``#rrggbb``; None if it is neither."""
    if not isinstance(name, str):
        return None
    if name.startswith("#") and len(name) == 7:
        try:
            return int(name[1:], 16)
        except ValueError:
            return None
    return _NAMES.get(name.lower())


def display_range(plane: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the values shown as black and as white for a plane (Y, X) without contrast limits.

    These are 0 and 255 for uint8, 0 and 1 for booleans, and otherwise the percentiles 0.1 and 99.9 of a sample.
    """
    if plane.dtype.kind == "b":
        return 0.0, 1.0
    if plane.dtype == np.uint8:
        return 0.0, 255.0
    step = max(1, int((plane.size / _SAMPLES) ** 0.5))
    sample = plane[::step, ::step]
    if sample.dtype.kind == "c":
        sample = np.abs(sample)
    values = sample.astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, (_LOW_PERCENT, _HIGH_PERCENT)).tolist()
    if plane.dtype.kind in "iu":
        low, high = float(np.floor(low)), float(np.ceil(high))
    return low, high if high > low else low + 1.0


def _line(value: object) -> str:
    """Return a text as one line that is not too long; empty for anything else."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value.split())
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 3]}..."


def _pair(value: object, *, may_be_one: bool = True) -> tuple[float, float] | None:
    """Return two finite numbers, or one number twice; None for anything else."""
    numbers = [value, value] if may_be_one and not isinstance(value, list | tuple) else value
    if not isinstance(numbers, list | tuple) or len(numbers) != 2:
        return None
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
        return None
    return float(numbers[0]), float(numbers[1])
