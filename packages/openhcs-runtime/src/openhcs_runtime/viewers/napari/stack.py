"""The planes of one layer as a single array for napari, without copying them into one.

napari slices an array according to the sliders. Here the slices are looked up, so adding or dropping a plane, or
extending a slider, costs the same regardless of the number of planes.
"""

import itertools
from collections.abc import Iterator, Sequence
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs_runtime.viewers.components import Axes, Place
from openhcs_runtime.viewers.metadata import Kind
from openhcs_runtime.viewers.napari.planes import common_dtype

__all__ = ["PlaneStack"]

Index = int | slice | EllipsisType


class PlaneStack:
    """An array (sliders..., Y, X), with another axis for the samples of RGB; black where there is no plane.

    Args:
        axes: the sliders, which are shared by all layers of a viewer and may be extended at any time.
        shape: shape of a plane.
        kind: kind of the layer.
        dtype: dtype of the first plane; it is widened for planes with wider dtypes, without changing values.
    """

    def __init__(self, axes: Axes, shape: tuple[int, ...], kind: Kind, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.nbytes_held = 0
        self._axes = axes
        self._plane_shape = shape
        self._kind = kind
        self._planes: dict[Place, npt.NDArray[Any]] = {}
        self._named: dict[tuple[str, ...], int] = {}  # number of places for each combination of components

    # --- as napari sees it -------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the sliders, followed by the shape of a plane."""
        return (*self._axes.sizes, *self._plane_shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=object))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)

    def __getitem__(self, key: Index | tuple[Index, ...]) -> npt.NDArray[Any]:
        """Return the same as NumPy for integers and slices."""
        sizes = self._axes.sizes
        indices = _padded(key, self.ndim)
        outer, inner = indices[: len(sizes)], indices[len(sizes) :]
        steps = [_steps(index, size) for index, size in zip(outer, sizes, strict=True)]
        kept = tuple(len(found) for found, index in zip(steps, outer, strict=True) if isinstance(index, slice))
        planes = [self._plane_at(place)[inner] for place in itertools.product(*steps)]
        if len(planes) == 1:
            return planes[0].reshape(kept + planes[0].shape)
        shape = planes[0].shape if planes else np.empty(self._plane_shape, bool)[inner].shape
        found = np.empty((len(planes), *shape), self.dtype)
        for number, plane in enumerate(planes):
            found[number] = plane
        return found.reshape(kept + shape)

    # --- its planes --------------------------------------------------------------------------------------------------

    def put(self, place: Place, plane: npt.NDArray[Any]) -> bool:
        """Add or replace a plane, which must not be modified afterwards; return True if the dtype has changed."""
        self.drop(place)
        self._planes[place] = plane
        names = tuple(name for name, _ in place)
        self._named[names] = self._named.get(names, 0) + 1
        self.nbytes_held += plane.nbytes
        before, self.dtype = self.dtype, common_dtype(self.dtype, plane.dtype, self._kind)
        return before != self.dtype

    def drop(self, place: Place) -> None:
        """Remove a plane, if there is one."""
        plane = self._planes.pop(place, None)
        if plane is None:
            return
        self.nbytes_held -= plane.nbytes
        names = tuple(name for name, _ in place)
        self._named[names] -= 1
        if not self._named[names]:
            del self._named[names]

    def __contains__(self, place: Place) -> bool:
        return place in self._planes

    @property
    def places(self) -> Iterator[Place]:
        """The places of the planes."""
        return iter(tuple(self._planes))

    def has_at(self, steps: Sequence[int]) -> bool:
        """Return whether there is a plane at these steps of the sliders."""
        return self._find(steps) is not None

    def _plane_at(self, steps: Sequence[int]) -> npt.NDArray[Any]:
        """Return the plane that matches the most sliders; a black one if there is none."""
        plane = self._find(steps)
        if plane is None:
            return np.broadcast_to(np.zeros((), self.dtype), self._plane_shape)
        return plane.astype(self.dtype, copy=False)

    def _find(self, steps: Sequence[int]) -> npt.NDArray[Any] | None:
        where = dict(self._axes.place(steps))
        for names in sorted(self._named, key=len, reverse=True):
            if all(name in where for name in names):
                plane = self._planes.get(tuple((name, where[name]) for name in names))
                if plane is not None:
                    return plane
        return None


def _padded(key: Index | tuple[Index, ...], ndim: int) -> tuple[int | slice, ...]:
    """Expand a key to one index per axis."""
    keys = key if isinstance(key, tuple) else (key,)
    before: list[int | slice] = []
    after: list[int | slice] = []
    target = before
    for one in keys:
        if isinstance(one, EllipsisType):
            target = after
        else:
            target.append(one)
    missing = ndim - len(before) - len(after)
    if missing < 0:
        raise IndexError(f"{len(keys)} indices for {ndim} axes")
    return (*before, *[slice(None)] * missing, *after)


def _steps(index: int | slice, size: int) -> Sequence[int]:
    if isinstance(index, slice):
        return range(size)[index]
    return [range(size)[int(index)]]
