"""Conversion of regions of interest to and from ImageJ ``.roi`` files and ``.zip`` sets.

In ImageJ, integer coordinates are pixel corners for areas and pixel centres for lines and points; areas are shifted by
half a pixel in both directions. The types correspond as follows:

| region | ImageJ type |
|---|---|
| Polygon | polygon (also read from: freehand, traced, rectangle, rotated rectangle) |
| Polyline | polyline; two points: straight line (also read from: freehand line, angle) |
| Points | point, multi-point |
| Ellipse | ellipse: freehand with the ends of its long axis and the ratio (also read from: oval) |
| Mask | composite: outlines of pixels and holes, even-odd |

The label is a property (``label: 12``) that ImageJ displays and preserves. The format stores 32-bit floats, so
coordinates are exact to 0.01 pixel. It is limited to coordinates from -5,000 to 60,535; others raise an error.
"""

import io
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from openhcs_runtime.exceptions import RoiError
from openhcs_runtime.rois.outlines import fill, outlines
from openhcs_runtime.rois.shapes import Ellipse, Mask, Points, Polygon, Polyline, Roi, pairs

_VERSION = 227
"""Version of the format; it supports subpixel coordinates since 222."""
_LOWEST, _HIGHEST = -5000, 60535
_CORNER = 0.5
"""Distance from a pixel centre to the origin of ImageJ's area coordinates."""
_ELLIPSE_POINTS = 72
_AREAS = {ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED}
_LINES = {ROI_TYPE.POLYLINE, ROI_TYPE.FREELINE, ROI_TYPE.ANGLE}
_DATE = (1980, 1, 1, 0, 0, 0)
"""Timestamp of every entry, so that equal regions produce equal files."""


def to_imagej(roi: Roi) -> bytes:
    """Return the bytes of a ``.roi`` file.

    Raises:
        RoiError: If the format can't store the region.
    """
    match roi:
        case Polygon():
            made = _with_points(ROI_TYPE.POLYGON, roi.array + _CORNER)
        case Polyline():
            made = _line(roi.array) if len(roi.vertices) == 2 else _with_points(ROI_TYPE.POLYLINE, roi.array)
        case Points():
            made = _with_points(ROI_TYPE.POINT, roi.array)
        case Ellipse():
            made = _ellipse(roi)
        case Mask():
            made = _composite(roi)
    if any(ord(character) > 0xFFFF for character in roi.name):
        raise RoiError(f"the ImageJ format can't store the name {roi.name!r}: remove characters beyond U+FFFF")
    made.name = roi.name
    if roi.label:
        made.props = f"label: {roi.label}\n"
    return made.tobytes()


def from_imagej(data: bytes) -> Roi:
    """Return the region in the bytes of a ``.roi`` file.

    Raises:
        RoiError: If the data is not a ``.roi`` file, or of a type that is not a region (text, image).
    """
    try:
        read = ImagejRoi.frombytes(data)
        return _region(read, _label(read))
    except (ValueError, TypeError, struct.error, IndexError, NotImplementedError, RuntimeError) as error:
        raise RoiError(f"not an ImageJ region: {error}") from error


def write_imagej(path: Path, rois: Iterable[Roi]) -> None:
    """Write a ``.roi`` file (exactly one region) or a ``.zip`` file (any number; see ``zip_bytes``).

    Raises:
        RoiError: If the format can't store the regions, or the file name has another extension.
        OSError: If the file can't be written.
    """
    given = tuple(rois)
    if path.suffix.lower() == ".roi":
        if len(given) != 1:
            raise RoiError(f"{path.name} can only store one region, not {len(given)}: write a .zip file")
        path.write_bytes(to_imagej(given[0]))
    elif path.suffix.lower() == ".zip":
        path.write_bytes(zip_bytes(given))
    else:
        raise RoiError(f"{path.name}: use a name ending in .roi or .zip")


def read_imagej(path: Path) -> tuple[Roi, ...]:
    """Return the regions in a ``.roi`` or ``.zip`` file, in the order of the file.

    Raises:
        RoiError: If the file can't be understood.
        OSError: If it can't be read.
    """
    data = path.read_bytes()
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return (from_imagej(data),)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return tuple(from_imagej(archive.read(name)) for name in archive.namelist() if name.lower().endswith(".roi"))


def zip_bytes(rois: Iterable[Roi]) -> bytes:
    """Return a set of regions in the format of ImageJ's ROI Manager; see ``write_set``."""
    target = io.BytesIO()
    write_set(target, rois)
    return target.getvalue()


def write_set(target: BinaryIO, rois: Iterable[Roi]) -> None:
    """Write a set of regions in the format of ImageJ's ROI Manager, one at a time.

    Entries are named after the regions, or after their label or index (``0012``) if they have no name. A number is
    added to duplicate names of entries; the name stored inside an entry is unchanged.

    Raises:
        RoiError: If the format can't store a region.
    """
    taken: set[str] = set()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, roi in enumerate(rois, start=1):
            base = "".join("_" if character in '/\\:*?"<>|\0' else character for character in roi.name)
            base = base or f"{roi.label or number:04d}"
            entry, again = base, 2
            while entry in taken:
                entry, again = f"{base}-{again}", again + 1
            taken.add(entry)
            info = zipfile.ZipInfo(f"{entry}.roi", _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, to_imagej(roi))


def _with_points(kind: ROI_TYPE, points: NDArray[np.float64]) -> ImagejRoi:
    """Return a region with points (n, 2) as y, x in ImageJ coordinates."""
    made = _boxed(kind, points)
    whole = np.floor(points[:, ::-1]).astype(np.int32) - (made.left, made.top)
    made.n_coordinates = len(points)
    made.integer_coordinates = whole
    made.subpixel_coordinates = points[:, ::-1].astype(np.float32)
    made.options |= ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    return made


def _boxed(kind: ROI_TYPE, points: NDArray[np.float64]) -> ImagejRoi:
    if points.min() < _LOWEST or points.max() > _HIGHEST:
        raise RoiError(f"the ImageJ format is limited to coordinates from {_LOWEST} to {_HIGHEST}: divide the image")
    top, left = np.floor(points.min(axis=0)).astype(int).tolist()
    bottom, right = np.ceil(points.max(axis=0)).astype(int).tolist()
    made = ImagejRoi()
    made.version = _VERSION
    made.roitype = kind
    made.top, made.left, made.bottom, made.right = top, left, bottom, right
    return made


def _line(points: NDArray[np.float64]) -> ImagejRoi:
    made = _boxed(ROI_TYPE.LINE, points)
    (made.y1, made.x1), (made.y2, made.x2) = points.tolist()
    made.options |= ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    return made


def _ellipse(roi: Ellipse) -> ImagejRoi:
    """Return an ellipse as the ends of its long axis and their ratio, and points for readers without ellipses."""
    center = np.array(roi.center) + _CORNER
    around = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)
    points = np.stack([np.cos(around), np.sin(around)], axis=1) @ roi.directions + center
    made = _with_points(ROI_TYPE.FREEHAND, points)
    made.subtype = ROI_SUBTYPE.ELLIPSE
    (made.y1, made.x1), (made.y2, made.x2) = center - roi.directions[0], center + roi.directions[0]
    _set_ratio(made, roi.semi_axes[1] / roi.semi_axes[0])
    return made


def _set_ratio(made: ImagejRoi, ratio: float) -> None:
    """Set the ratio of an ellipse, in four bytes that roifile treats as three fields of an arrow."""
    fields = struct.unpack(f"{made.byteorder}BBh", struct.pack(f"{made.byteorder}f", ratio))
    made.arrow_style_or_aspect_ratio, made.arrow_head_size, made.rounded_rect_arc_size = fields


def _ratio(read: ImagejRoi) -> float:
    fields = (read.arrow_style_or_aspect_ratio, read.arrow_head_size, read.rounded_rect_arc_size)
    (ratio,) = struct.unpack(f"{read.byteorder}f", struct.pack(f"{read.byteorder}BBh", *fields))
    return float(ratio)


def _composite(roi: Mask) -> ImagejRoi:
    loops = [loop + np.array([roi.top + _CORNER, roi.left + _CORNER]) for loop in outlines(roi.pixels)]
    made = _boxed(ROI_TYPE.RECT, np.concatenate(loops))
    path: list[float] = []
    for loop in loops:
        for number, (y, x) in enumerate(loop.tolist()):
            path += [float(number > 0), x, y]  # 0: move to, 1: line to
        path.append(4.0)  # close
    made.multi_coordinates = np.array(path, dtype=np.float32)
    made.shape_roi_size = len(path)
    return made


def _label(read: ImagejRoi) -> int:
    for line in read.props.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "label" and value.strip().isdecimal():
            return int(value)
    return 0


def _region(read: ImagejRoi, label: int) -> Roi:
    kind, name = read.roitype, read.name or ""
    if read.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE):
        kind_name = read.subtype.name.lower()
        raise RoiError(f"ImageJ region {name or '(unnamed)'} is {kind_name}, which is not a region of interest")
    if read.composite:
        return _mask(read, label, name)
    if kind is ROI_TYPE.OVAL:
        (top, left), (bottom, right) = _box(read)
        axes = ((right - left) / 2, (bottom - top) / 2)
        center = ((top + bottom) / 2 - _CORNER, (left + right) / 2 - _CORNER)
        return Ellipse(center, axes, label=label, name=name)
    if kind is ROI_TYPE.RECT:
        (top, left), (bottom, right) = _box(read)
        corners = np.array([(top, left), (top, right), (bottom, right), (bottom, left)]) - _CORNER
        return Polygon(pairs(corners), label=label, name=name)
    if kind is ROI_TYPE.LINE:
        return Polyline(((read.y1, read.x1), (read.y2, read.x2)), label=label, name=name)
    if kind is ROI_TYPE.FREEHAND and read.subtype is ROI_SUBTYPE.ELLIPSE:
        return _read_ellipse(read, label, name)
    points = np.asarray(read.coordinates(), dtype=float)[:, ::-1]
    if kind in _AREAS:
        return Polygon(pairs(points - _CORNER), label=label, name=name)
    if kind in _LINES:
        return Polyline(pairs(points), label=label, name=name)
    if kind is ROI_TYPE.POINT:
        return Points(pairs(points), label=label, name=name)
    raise RoiError(f"ImageJ region {name or '(unnamed)'} is of an unknown type, {kind!r}")


def _read_ellipse(read: ImagejRoi, label: int, name: str) -> Ellipse:
    ratio = _ratio(read)
    start, end = np.array([read.y1, read.x1]), np.array([read.y2, read.x2])
    y, x = (end - start).tolist()
    half = float(np.hypot(y, x)) / 2
    center_y, center_x = ((start + end) / 2 - _CORNER).tolist()
    angle = float(np.degrees(np.arctan2(y, x)))
    return Ellipse((center_y, center_x), (half, half * ratio), angle, label=label, name=name)


def _mask(read: ImagejRoi, label: int, name: str) -> Mask:
    if read.multi_coordinates is None:
        raise RoiError(f"ImageJ region {name or '(unnamed)'} is a composite without a path")
    loops = [np.asarray(loop, dtype=float)[:, ::-1] - _CORNER for loop in ImagejRoi.path2coords(read.multi_coordinates)]
    corner = np.floor(np.concatenate(loops).min(axis=0)).astype(int) - 1
    end = np.ceil(np.concatenate(loops).max(axis=0)).astype(int) + 2
    rows, columns = (end - corner).tolist()
    pixels = fill([loop - corner for loop in loops], (rows, columns))
    return Mask(int(corner[0]), int(corner[1]), pixels, label=label, name=name)


def _box(read: ImagejRoi) -> tuple[tuple[float, float], tuple[float, float]]:
    if read.subpixelrect:
        return (read.yd, read.xd), (read.yd + read.heightd, read.xd + read.widthd)
    return (read.top, read.left), (read.bottom, read.right)
