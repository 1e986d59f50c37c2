"""The shapes of regions of interest.

Coordinates are (y, x) in pixels; integers are pixel centres, as in scikit-image and napari, so the first pixel extends
from -0.5 to 0.5. ``label`` is the number of the object in its label image, 0 if there is none.
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
    """A filled outline of at least three vertices, closed automatically.

    If it crosses itself, parts enclosed twice are outside (even-odd rule). For objects with holes use a ``Mask``.
    """

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
        """The enclosed area, for an outline that does not cross itself."""
        y, x = self.array.T
        return float(abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1))) / 2)


@dataclass(frozen=True, slots=True)
class Polyline:
    """An open line of at least two vertices."""

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
    """One or more points."""

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

    Attributes:
        center: The centre as (y, x).
        semi_axes: Half its length and half its width, in pixels, the larger one first; swapped if necessary.
        angle_deg: Angle of the first axis, from the x axis towards the y axis (clockwise, as y points downwards),
            normalized to [0, 180); 0 for a circle.
        label: Number of the object in its label image.
        name: Name of the region.
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
            raise RoiError(
                f"an ellipse needs semi-axes greater than 0 and an angle, not {self.semi_axes}, {self.angle_deg}"
            )
        turned = float(self.angle_deg) + (90.0 if first < second else 0.0)
        object.__setattr__(self, "semi_axes", (max(first, second), min(first, second)))
        object.__setattr__(self, "angle_deg", 0.0 if first == second else turned % 180.0 % 180.0)

    @property
    def directions(self) -> NDArray[np.float64]:
        """Return the vectors from the centre to the ends of both axes, (2, 2), as rows y, x."""
        sine, cosine = math.sin(math.radians(self.angle_deg)), math.cos(math.radians(self.angle_deg))
        long, short = self.semi_axes
        return np.array([[long * sine, long * cosine], [short * cosine, -short * sine]])


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A set of pixels, with any number of parts and holes.

    Attributes:
        top: Row of ``pixels[0, 0]`` in the image.
        left: Column of ``pixels[0, 0]`` in the image.
        pixels: Bool array (Y, X) with at least one True pixel; cropped to the bounding box of the True pixels.
        label: Number of the object in its label image.
        name: Name of the region.
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
            raise RoiError(
                f"a mask needs a bool array (Y, X) with at least one True pixel, not {pixels.dtype} {pixels.shape}"
            )
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
    """Return the rows of an array (n, 2) as coordinates."""
    return tuple((float(y), float(x)) for y, x in points.tolist())


def _set_coordinates(roi: Roi, field: str, values: Iterable[Iterable[float]], least: int) -> None:
    """Convert the coordinates to a tuple of pairs of floats, or raise RoiError."""
    given = np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=float)
    if given.ndim != 2 or given.shape[1] != 2 or len(given) < least or not np.isfinite(given).all():
        kind = type(roi).__name__.lower()
        raise RoiError(f"{kind}: {field} must be {least} or more finite pairs (y, x), not of shape {given.shape}")
    object.__setattr__(roi, field, pairs(given))
