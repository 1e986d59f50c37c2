"""One napari layer of shapes or points, containing only those for the current position of the sliders.

The cost therefore depends on what is visible, not on the size of the plate. Many shapes are drawn in several steps.
"""

import abc
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from napari.layers import Points, Shapes  # type: ignore[import-untyped]

from openhcs_runtime.viewers.components import LayerKey, Place, Value, is_at
from openhcs_runtime.viewers.napari.regions import Dots, Drawn, Features

__all__ = ["Overlay", "PointsOverlay", "ShapesOverlay"]

_SHAPES_PER_STEP = 64
_STYLES = ("current_edge_color", "current_face_color", "current_edge_width")
_YELLOW = "#ffff00"

Group = TypeVar("Group", Dots, Drawn)


class Overlay(abc.ABC, Generic[Group]):
    """Everything received for one layer, by place, and the napari layer that shows part of it."""

    layer: Any

    def __init__(self, key: LayerKey) -> None:
        self.key = key
        self.nbytes = 0
        self._groups: dict[Place, Group] = {}
        self._shown: list[Group] | None = None

    def put(self, place: Place, group: Group) -> None:
        """Set the group at a place, replacing the previous one."""
        self.drop(place)
        self._groups[place] = group
        self.nbytes += group.nbytes

    def drop(self, place: Place) -> None:
        """Remove the group at a place."""
        group = self._groups.pop(place, None)
        if group is not None:
            self.nbytes -= group.nbytes

    @property
    def places(self) -> list[Place]:
        """The places of the groups."""
        return list(self._groups)

    def draw(self, where: Mapping[str, Value]) -> bool:
        """Show the groups at a place, or part of them; return True once all of them are shown."""
        wanted = [group for place, group in self._groups.items() if is_at(place, where)]
        if self._shown is None or [id(one) for one in wanted] != [id(one) for one in self._shown]:
            self._shown = wanted
            self._begin(wanted)
        return self._go_on()

    @abc.abstractmethod
    def _begin(self, groups: list[Group]) -> None:
        """Show the first of the groups."""

    @abc.abstractmethod
    def _go_on(self) -> bool:
        """Show more of the groups; return True once all of them are shown."""


class PointsOverlay(Overlay[Dots]):
    """Points, with 2 or 3 (with z) dimensions."""

    def __init__(
        self, key: LayerKey, title: str, ndim: int, colour: int | None, scale: tuple[float, ...], size: float = 8.0
    ) -> None:
        super().__init__(key)
        self._ndim = ndim
        self.layer = Points(ndim=ndim, name=title, scale=scale, face_color=_name_of(colour), size=size)

    def _begin(self, groups: list[Dots]) -> None:
        self.layer.selected_data = set()
        self.layer.data = np.concatenate([np.empty((0, self._ndim)), *(group.data for group in groups)])
        self.layer.features = _join([(group.features, len(group.data)) for group in groups])

    def _go_on(self) -> bool:
        return True


class ShapesOverlay(Overlay[Drawn]):
    """Shapes, as outlines."""

    def __init__(self, key: LayerKey, title: str, colour: int | None, scale: tuple[float, ...]) -> None:
        super().__init__(key)
        self._left = 0
        self.layer = Shapes(
            ndim=2,
            name=title,
            scale=scale,
            edge_color=_name_of(colour),
            face_color="transparent",
            edge_width=1,
            opacity=1.0,
        )

    def _begin(self, groups: list[Drawn]) -> None:
        self._types = [kind for group in groups for kind in group.types]
        self._corners = [corners for group in groups for corners in group.data]
        self._features = _join([(group.features, len(group.data)) for group in groups])
        self._left = len(self._types)
        self._remove_all()
        if not self._left:
            self.layer.features = self._features

    def _remove_all(self) -> None:
        """Remove all shapes without setting the data, after which napari 0.9 accepts no more in three dimensions."""
        layer = self.layer
        if not layer.nshapes:
            return
        styles = {name: getattr(layer, name) for name in _STYLES}  # for the next shape; a selection changes them
        layer.selected_data = set(range(layer.nshapes))
        layer.remove_selected()
        for name, style in styles.items():
            setattr(layer, name, style)

    def _go_on(self) -> bool:
        if not self._left:
            return True
        begin = len(self._types) - self._left
        part = slice(begin, begin + _SHAPES_PER_STEP)
        self.layer.add(self._corners[part], shape_type=[str(kind) for kind in self._types[part]])
        self._left = max(0, self._left - _SHAPES_PER_STEP)
        if not self._left:
            self.layer.features = self._features
        return not self._left


def _join(tables: list[tuple[Features, int]]) -> Features:
    """Join tables, each given with its number of rows; missing values are None."""
    names = dict.fromkeys(name for features, _ in tables for name in features)
    return {name: [value for features, rows in tables for value in features.get(name, [None] * rows)] for name in names}


def _name_of(colour: int | None) -> str:
    return _YELLOW if colour is None else f"#{colour:06x}"
