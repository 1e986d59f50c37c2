"""Converts shapes, ROIs and points to the data of napari layers; does not need napari."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs_runtime.rois import Mask, NapariShapeType, Roi, RoiError, from_imagej, to_napari
from openhcs_runtime.rois.outlines import outlines, signed_area
from zmqruntime import Shape, ShapeKind
from zmqruntime.streaming import UnsupportedArrayError

__all__ = ["Dots", "Drawn", "dots_of", "regions_of_rois", "regions_of_shapes"]

Features = dict[str, list[Any]]

_BYTES_PER_VALUE = 64  # for a feature in a table of Python objects
_BYTES_PER_SHAPE = 500
_CORNERS = {
    NapariShapeType.POLYGON: (3, None),
    NapariShapeType.PATH: (2, None),
    NapariShapeType.LINE: (2, 2),
    NapariShapeType.ELLIPSE: (4, 4),
    NapariShapeType.RECTANGLE: (4, 4),
}


@dataclass(frozen=True, slots=True, eq=False)
class Dots:
    """Points (points, 2 or 3) as y, x or z, y, x, in pixels, each with a value of every feature."""

    data: npt.NDArray[np.float64]
    features: Features

    @property
    def nbytes(self) -> int:
        """Approximate memory used, in bytes."""
        return self.data.nbytes + _BYTES_PER_VALUE * len(self.features) * len(self.data)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Shapes, each with its type, its corners (n, 2) as y, x in pixels, and a value of every feature."""

    types: Sequence[NapariShapeType]
    data: Sequence[npt.NDArray[np.float64]]
    features: Features

    @property
    def nbytes(self) -> int:
        """Approximate memory used, in bytes."""
        return sum(corners.nbytes + _BYTES_PER_SHAPE for corners in self.data)


def dots_of(points: npt.NDArray[Any], features: Features) -> Dots:
    """Return points from an array (points, axes), of which only the last three axes are used.

    Raises:
        UnsupportedArrayError: the array does not have such a shape.
    """
    if points.ndim != 2 or points.shape[1] < 2 or points.dtype.kind not in "buif":
        raise UnsupportedArrayError(f"points must be numbers (points, axes) with rows and columns, not {points.shape}")
    return Dots(np.array(points[:, -3:], np.float64), features)


def regions_of_shapes(shapes: Iterable[Shape]) -> tuple[Drawn | None, Dots | None]:
    """Convert shapes sent by a producer, separating points; of (z, y, x) only the last two are used.

    Raises:
        RoiError: a shape does not have the corners that its kind requires.
    """
    found = []
    for shape in shapes:
        kind = NapariShapeType.PATH if shape.kind is ShapeKind.POLYLINE else NapariShapeType(str(shape.kind))
        corners = np.asarray(shape.coordinates, float)
        if corners.ndim != 2 or corners.shape[1] < 2:
            raise RoiError(f"the coordinates of a {shape.kind} must be (corners, 2 or 3), not {corners.shape}")
        found.append((kind, corners[:, -2:], dict(shape.properties)))
    return _sorted_out(found)


def regions_of_rois(rois: Sequence[bytes], names: Sequence[str]) -> tuple[Drawn | None, Dots | None]:
    """Convert ImageJ ROIs, each as in a ``.roi`` file; masks become the outer outlines of their pixels.

    Raises:
        RoiError: the bytes are not a ROI.
    """
    found = []
    for number, data in enumerate(rois):
        roi = from_imagej(data)
        name = (names[number] if number < len(names) else "") or roi.name
        properties: dict[str, Any] = {"name": name} if name else {}
        if roi.label:
            properties["label"] = roi.label
        found += [(kind, corners, properties) for kind, corners in _corners(roi)]
    return _sorted_out(found)


def _corners(roi: Roi) -> list[tuple[NapariShapeType, npt.NDArray[np.float64]]]:
    if isinstance(roi, Mask):
        loops = [loop for loop in outlines(roi.pixels) if signed_area(loop) > 0]
        return [(NapariShapeType.POLYGON, loop + np.array([roi.top, roi.left])) for loop in loops]
    drawn = to_napari(roi)
    return [(drawn.shape_type, drawn.data)]


def _sorted_out(
    found: Sequence[tuple[NapariShapeType, npt.NDArray[np.float64], dict[str, Any]]],
) -> tuple[Drawn | None, Dots | None]:
    for kind, corners, _ in found:
        least, most = _CORNERS.get(kind, (0, None))
        if len(corners) < least or (most is not None and len(corners) > most) or not np.isfinite(corners).all():
            raise RoiError(f"a {kind} can't have {len(corners)} corners, or corners that are not finite numbers")
    shapes = [one for one in found if one[0] is not NapariShapeType.POINTS]
    dots = [(row, properties) for kind, rows, properties in found if kind is NapariShapeType.POINTS for row in rows]
    drawn = Drawn([one[0] for one in shapes], [one[1] for one in shapes], _table([one[2] for one in shapes]))
    points = Dots(np.array([row for row, _ in dots]).reshape(-1, 2), _table([properties for _, properties in dots]))
    return (drawn if shapes or not dots else None), (points if dots else None)


def _table(rows: Sequence[dict[str, Any]]) -> Features:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
