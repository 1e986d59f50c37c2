"""The shapes of regions of interest.

Coordinates are (y, x) in pixels; whole numbers are the middles of pixels, as in scikit-image and napari, so the first
pixel reaches from -0.5 to 0.5. `label` is the number of the object in its label image, 0 when there is none.
"""

import math
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import RoiError

__all__ = ["Coordinate", "Ellipse", "Mask", "Points", "Polygon", "Polyline", "Roi", "RoiError", "pairs"]

Coordinate: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Polygon:
    """A filled outline through at least three vertices, closed by itself. Where it crosses itself the parts that are
    enclosed twice are outside (even-odd rule). It has no holes: a `Mask` does."""

    vertices: tuple[Coordinate, ...]
    _: KW_ONLY
    label: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        _set_coordinates(self, "vertices", self.vertices, 3)

    @property
    def array(self) -> NDArray[np.float64]:
        """The vertices, (n, 2) as y, x."""
        return np.array(self.vertices)

    @property
    def area_px2(self) -> float:
        """What it encloses, for an outline that does not cross itself."""
        y, x = self.array.T
        return float(abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1))) / 2)


@dataclass(frozen=True, slots=True)
class Polyline:
    """An open line through at least two vertices."""

    vertices: tuple[Coordinate, ...]
    _: KW_ONLY
    label: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        _set_coordinates(self, "vertices", self.vertices, 2)

    @property
    def array(self) -> NDArray[np.float64]:
        """The vertices, (n, 2) as y, x."""
        return np.array(self.vertices)


@dataclass(frozen=True, slots=True)
class Points:
    """At least one point."""

    coordinates: tuple[Coordinate, ...]
    _: KW_ONLY
    label: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        _set_coordinates(self, "coordinates", self.coordinates, 1)

    @property
    def array(self) -> NDArray[np.float64]:
        """The points, (n, 2) as y, x."""
        return np.array(self.coordinates)


@dataclass(frozen=True, slots=True)
class Ellipse:
    """A filled ellipse.

    semi_axes: half its length and half its width, in pixels; made so that the first one is not the smaller one.
    angle_deg: of the first axis, from the x axis towards the y axis (clockwise where y grows downwards), made to be in
        [0, 180); 0 for a circle.
    """

    center: Coordinate
    semi_axes: tuple[float, float]
    angle_deg: float = 0.0
    _: KW_ONLY
    label: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        _set_coordinates(self, "center", [self.center], 1)
        object.__setattr__(self, "center", self.center[0])
        first, second = (float(axis) for axis in self.semi_axes)
        if not (0 < first < math.inf and 0 < second < math.inf and math.isfinite(self.angle_deg)):
            raise RoiError(f"an ellipse needs semi-axes above 0 and an angle, not {self.semi_axes}, {self.angle_deg}")
        turned = float(self.angle_deg) + (90.0 if first < second else 0.0)
        object.__setattr__(self, "semi_axes", (max(first, second), min(first, second)))
        object.__setattr__(self, "angle_deg", 0.0 if first == second else turned % 180.0 % 180.0)

    @property
    def directions(self) -> NDArray[np.float64]:
        """The vectors from the center to the ends of both axes, (2, 2): each a row y, x."""
        sine, cosine = math.sin(math.radians(self.angle_deg)), math.cos(math.radians(self.angle_deg))
        long, short = self.semi_axes
        return np.array([[long * sine, long * cosine], [short * cosine, -short * sine]])


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Pixels, with any holes and any number of parts.

    top, left: the place of `pixels[0, 0]` in the image. pixels: bool (Y, X), at least one of them True; cut to the
    smallest box around those.
    """

    top: int
    left: int
    pixels: NDArray[np.bool_]
    _: KW_ONLY
    label: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels)
        if pixels.ndim != 2 or pixels.dtype != bool or not pixels.any():
            raise RoiError(f"a mask needs a bool array (Y, X) with a pixel in it, not {pixels.dtype} {pixels.shape}")
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        cut = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
        cut.setflags(write=False)
        object.__setattr__(self, "pixels", cut)
        object.__setattr__(self, "top", int(self.top) + int(rows[0]))
        object.__setattr__(self, "left", int(self.left) + int(columns[0]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mask) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def _facts(self) -> tuple[Any, ...]:
        return self.top, self.left, self.pixels.shape, self.pixels.tobytes(), self.label, self.name


Roi: TypeAlias = Polygon | Polyline | Ellipse | Points | Mask
"""Any of the shapes."""


def pairs(points: NDArray[Any]) -> tuple[Coordinate, ...]:
    """Rows of an array (n, 2) as coordinates."""
    return tuple((float(y), float(x)) for y, x in points.tolist())


def _set_coordinates(roi: Roi, field: str, values: Iterable[Iterable[float]], least: int) -> None:
    """Make the coordinates a tuple of pairs of floats. Raises RoiError."""
    given = np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=float)
    if given.ndim != 2 or given.shape[1] != 2 or len(given) < least or not np.isfinite(given).all():
        kind = type(roi).__name__.lower()
        raise RoiError(f"{kind}: {field} must be {least} or more finite pairs (y, x), not of shape {given.shape}")
    object.__setattr__(roi, field, pairs(given))
