"""Shows labels, shapes, points and ROIs as ImageJ ROIs, in the overlay and, except labels, in the ROI Manager.

All regions are converted to the bytes of ``.roi`` files first, so ImageJ shows exactly what an exported file contains.
ROIs that the user added to the overlay or the manager are kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs_runtime.rois import Points, Roi, from_napari, labels_to_rois, to_imagej
from openhcs_runtime.viewers.fiji.imagej import ImageJ
from openhcs_runtime.viewers.fiji.layout import Cell, Places, StackAxes
from zmqruntime import Shape, ShapeKind
from zmqruntime.streaming import UnsupportedArrayError

__all__ = ["ManagedRois", "Outline", "Regions", "extent", "label_outlines", "outlines_of_points", "outlines_of_shapes"]

_OWNER = "stream"
"""Property that marks our ROIs, as opposed to the user's."""
_YELLOW = 0xFFFF00
_GOLDEN = 0.618033988749895
_MANAGER_LIMIT = 2_000
_ROI_BYTES = 1_500
"""Size of a Java object without its corners."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One region: the bytes of a ``.roi`` file, its name, and the label that determines its colour, 0 for none."""

    data: bytes
    name: str = ""
    label: int = 0


def label_outlines(labels: npt.NDArray[Any]) -> list[Outline]:
    """Return the objects of a label image (Y, X), without holes.

    Raises:
        UnsupportedArrayError: the array is not a label image.
    """
    if labels.ndim != 2 or labels.dtype.kind not in "bui" or not labels.size:
        raise UnsupportedArrayError(f"labels must be integers (Y, X), not {labels.dtype} {labels.shape}")
    if labels.min() < 0:
        raise UnsupportedArrayError(f"labels must be 0 or greater, not {labels.min()}")
    if labels.dtype.kind == "b" or labels.max() <= labels.size:
        return [_outline(roi, str(roi.label)) for roi in labels_to_rois(labels.astype(np.int32), keep_holes=False)]
    # Renumber large labels, as the search for objects allocates memory for every number up to the largest.
    names, numbers = np.unique(np.append(labels, 0), return_inverse=True)
    image = numbers[:-1].reshape(labels.shape).astype(np.int32)
    found = [replace(roi, label=int(names[roi.label])) for roi in labels_to_rois(image, keep_holes=False)]
    return [_outline(roi, str(roi.label)) for roi in found]


def outlines_of_shapes(shapes: Iterable[Shape]) -> list[Outline]:
    """Return outlines of shapes as sent by a producer; of (z, y, x) only the last two are used."""
    found = []
    for number, shape in enumerate(shapes, start=1):
        corners = np.asarray(shape.coordinates, float)[:, -2:]
        kind = "path" if shape.kind is ShapeKind.POLYLINE else str(shape.kind)
        name = str(shape.properties.get("name") or shape.properties.get("label") or number)
        found.append(_outline(from_napari(kind, corners), name))
    return found


def outlines_of_points(points: npt.NDArray[Any], name: str) -> list[Outline]:
    """Return points (points, axes) as one multi-point ROI; only the last two axes are used. Empty for no points.

    Raises:
        UnsupportedArrayError: the array does not have such a shape.
    """
    if points.ndim != 2 or points.shape[1] < 2:
        raise UnsupportedArrayError(f"points must be (points, axes) with rows and columns, not {points.shape}")
    places = tuple((float(y), float(x)) for y, x in points[:, -2:])
    return [_outline(Points(places), name)] if places else []


@dataclass(slots=True, eq=False)
class _Group:
    """The regions of one layer and position."""

    rois: Sequence[Any]
    is_managed: bool
    nbytes: int
    in_manager: list[Any] = field(default_factory=list)
    place: tuple[int, int, int] | tuple[int] | None = None

    def put_at(self, place: tuple[int, int, int] | tuple[int]) -> bool:
        """Set the planes in which the regions are visible; return True if that changed."""
        if place == self.place:
            return False
        self.place = place
        for roi in (*self.rois, *self.in_manager):
            roi.setPosition(*place)
        return True


class Regions:
    """The ROIs of one window. New ones replace those of the same layer and position."""

    def __init__(self, ij: ImageJ, title: str) -> None:
        self.nbytes = 0
        """Approximate memory used in Java, in bytes."""
        self._ij = ij
        self._title = title
        self._groups: dict[Cell, _Group] = {}
        self._fresh: list[_Group] = []
        self._has_gone = False
        self._image: Any = None
        self._numbers: tuple[object, ...] = ()

    def put(self, cell: Cell, outlines: Sequence[Outline], colour: int | None, *, is_managed: bool) -> bool:
        """Set the regions of a layer and position; return True if there were others before.

        Raises:
            ValueError: the bytes of an outline are not a ROI.
        """
        rois = []
        for outline in outlines:
            roi = self._ij.decode_roi(outline.data, outline.name)
            roi.setProperty(_OWNER, "yes")
            roi.setStrokeColor(self._colour(outline, colour))
            rois.append(roi)
        had = self.drop(cell)
        group = _Group(rois, is_managed, sum(_ROI_BYTES + 2 * len(outline.data) for outline in outlines))
        self._groups[cell] = group
        self._fresh.append(group)
        self._numbers = ()
        self.nbytes += group.nbytes
        return had

    def drop(self, cell: Cell) -> bool:
        """Remove the regions of a layer and position; return True if there were any."""
        group = self._groups.pop(cell, None)
        if group is None:
            return False
        self.nbytes -= group.nbytes
        self._has_gone = True
        return True

    @property
    def is_empty(self) -> bool:
        """Whether there are no regions."""
        return not self._groups

    def without_plane(self, axes: StackAxes) -> list[Cell]:
        """Return the positions of regions that have no plane in the stack."""
        if _numbers_of(axes) == self._numbers:
            return []
        slices, frames = Places(axes.slices), Places(axes.frames)
        return [cell for cell in self._groups if slices.find(cell.slice) is None or frames.find(cell.frame) is None]

    def adopt(self, other: "Regions") -> None:
        """Take over all regions of another window."""
        self._groups.update(other._groups)
        self.nbytes += other.nbytes
        self._has_gone, self._numbers = True, ()

    @property
    def has_managed(self) -> bool:
        """Whether any regions belong in the ROI Manager."""
        return any(group.is_managed and group.rois for group in self._groups.values())

    def commit(self, image: Any, axes: StackAxes) -> bool:
        """Update the overlay to the regions and the current plane numbers; return True if it changed."""
        is_moved = self._place(axes)
        is_new = self._has_gone or image is not self._image
        if not (is_new or is_moved or self._fresh):
            return False
        overlay = image.getOverlay()
        if is_new or overlay is None:
            overlay = self._users(overlay)
        for group in self._groups.values() if is_new else self._fresh:
            for roi in group.rois:
                overlay.add(roi)
        if is_new or overlay.size():
            image.setOverlay(overlay if overlay.size() else None)
        self._fresh.clear()
        self._has_gone, self._image = False, image
        return True

    def manage(self, manager: Any, room: int, *, again: bool) -> int:
        """Add missing regions, or all of them ``again``, to the ROI Manager.

        Args:
            manager: the ROI Manager.
            room: maximum number of ROIs.
            again: add all regions again.

        Returns:
            How many ROIs of this window the manager contains.
        """
        count = 0
        for cell, group in self._groups.items():
            if again:
                group.in_manager.clear()
            if not group.is_managed or group.in_manager:
                count += len(group.in_manager)
                continue
            for roi in group.rois[: max(0, room - count)]:
                copy = roi.clone()
                copy.setName(f"{self._title}: {cell.layer} {roi.getName() or ''}".rstrip())
                manager.addRoi(copy)
                group.in_manager.append(manager.getRoi(manager.getCount() - 1))
                count += 1
        return count

    def _users(self, overlay: Any) -> Any:
        """Return a new overlay with the ROIs the user added to the previous one."""
        made = self._ij.Overlay()
        for roi in overlay.toArray() if overlay is not None else ():
            if roi.getProperty(_OWNER) is None:
                made.add(roi)
        return made

    def _place(self, axes: StackAxes) -> bool:
        """Set the planes of each region; return True if any changed.

        Regions are shown in all channels, and in all slices or frames if their position doesn't include them.
        """
        numbers = _numbers_of(axes)
        if numbers == self._numbers:
            return False
        self._numbers = numbers
        slices, frames = Places(axes.slices), Places(axes.frames)
        is_hyperstack = sum(size > 1 for size in axes.sizes) > 1
        moved = []
        for cell, group in self._groups.items():
            slice_ = slices.find(cell.slice) or 0 if len(axes.slices) > 1 else 0
            frame = frames.find(cell.frame) or 0 if len(axes.frames) > 1 else 0
            moved.append(group.put_at((0, slice_, frame) if is_hyperstack else (slice_ or frame,)))
        return any(moved)

    def _colour(self, outline: Outline, colour: int | None) -> Any:
        if colour is None and outline.label:
            return self._ij.Color.getHSBColor(outline.label * _GOLDEN % 1.0, 0.8, 1.0)
        return self._ij.Color(_YELLOW if colour is None else colour)


class ManagedRois:
    """Our ROIs in the ROI Manager, the first 2,000 of them; ROIs added by the user are kept."""

    def __init__(self, ij: ImageJ) -> None:
        self._ij = ij
        self._is_opened = False

    def update(self, all_regions: Sequence[Regions], *, again: bool) -> None:
        """Add missing ROIs. If some were removed, use ``again`` to remove all our ROIs first.

        The manager opens automatically for the first ROIs; once the user has closed it, it stays closed.
        """
        manager = self._ij.roi_manager(make=not self._is_opened and any(regions.has_managed for regions in all_regions))
        if manager is None:
            return
        self._is_opened = True
        with self._ij.away_from_images():
            if again:
                users = [roi for roi in manager.getRoisAsArray() if roi.getProperty(_OWNER) is None]
                manager.reset()
                for roi in users:
                    manager.addRoi(roi)
            room = _MANAGER_LIMIT
            for regions in all_regions:
                room -= regions.manage(manager, room, again=again)


def extent(ij: ImageJ, outlines: Iterable[Outline]) -> tuple[int, int]:
    """Return the number of rows and columns that contain all outlines.

    Raises:
        ValueError: the bytes of an outline are not a ROI.
    """
    boxes = [ij.decode_roi(outline.data, outline.name).getBounds() for outline in outlines]
    rows = max((int(box.y + box.height) for box in boxes), default=1)
    columns = max((int(box.x + box.width) for box in boxes), default=1)
    return max(rows, 1), max(columns, 1)


def _numbers_of(axes: StackAxes) -> tuple[object, ...]:
    return axes.sizes, tuple(axes.slices), tuple(axes.frames)


def _outline(roi: Roi, name: str) -> Outline:
    return Outline(to_imagej(roi), name, roi.label)
