"""The content of one napari viewer: assigns items to layers, updates napari, and limits the memory used.

It works on napari's model, with or without a window, on one thread. Items are added with ``put_...``, and
:meth:`Scene.flush` passes all changes to napari at once.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

import numpy.typing as npt

from openhcs_runtime.viewers.components import (
    Axes,
    LayerKey,
    Modes,
    Place,
    Value,
    WellTexts,
    describe,
    is_at,
    split_planes,
    with_text,
)
from openhcs_runtime.viewers.metadata import Appearance, Kind, read_appearance
from openhcs_runtime.viewers.napari.image_layers import StackLayer
from openhcs_runtime.viewers.napari.overlays import PointsOverlay, ShapesOverlay
from openhcs_runtime.viewers.napari.regions import Dots, Drawn
from zmqruntime.streaming import Position, ViewerCommandError

__all__ = ["Flushed", "Scene"]

_log = logging.getLogger(__name__)

_GROW_SECONDS = 0.06
_RANKS = {Kind.IMAGE: 0, Kind.LABELS: 1, Kind.SHAPES: 2, Kind.POINTS: 3}

AnyLayer: TypeAlias = StackLayer | PointsOverlay | ShapesOverlay
OneLayer = TypeVar("OneLayer", StackLayer, PointsOverlay, ShapesOverlay)


@dataclass(frozen=True, slots=True)
class Flushed:
    """Outcome of :meth:`Scene.flush`.

    Attributes:
        is_done: nothing is left to do.
        is_seen: the picture has changed, so there will be a draw.
    """

    is_done: bool
    is_seen: bool


class Scene:
    """Our layers in one napari viewer; other layers are left alone.

    Args:
        viewer: a ``napari.Viewer`` or a ``napari.components.ViewerModel``.
        modes: which components are sliders.
        memory_budget: memory for planes and regions, in bytes; when it is used up, the oldest are dropped and counted.
    """

    def __init__(self, viewer: Any, modes: Modes, memory_budget: int) -> None:
        self.dropped = 0
        """Number of planes and sets of regions dropped because of the memory budget."""
        self.on_moved: Callable[[], None] = lambda: None
        """Called when the sliders were moved; :meth:`flush` then draws the items at their new place."""
        self._viewer = viewer
        self._modes = modes
        self._budget = memory_budget
        self._axes = Axes(modes.sliders)
        self._wells = WellTexts()
        self._layers: dict[LayerKey, AnyLayer] = {}
        self._removed: set[LayerKey] = set()
        self._ages: dict[tuple[LayerKey, Place], None] = {}  # the oldest first
        self._nbytes = 0
        self._new_places: list[Place] = []
        self._grow_at = 0.0
        self._to_renew: set[LayerKey] = set()
        self._to_refresh: set[LayerKey] = set()
        self._to_style: set[LayerKey] = set()
        self._are_overlays_behind = False
        self._pixel_size: tuple[float, float] | None = None
        self._z_step: float | None = None
        self._without_size: set[LayerKey] = set()
        self._is_removing = False
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.dims.events.point.connect(self._on_moved)

    def close(self) -> None:
        """Disconnect from the viewer; the layers stay in it."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.dims.events.point.disconnect(self._on_moved)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def put_image(
        self, array: npt.NDArray[Any], layer_name: str, position: Position, metadata: Mapping[str, Any]
    ) -> None:
        """Add an image.

        Raises:
            UnsupportedArrayError: napari can't show the array.
        """
        look = self._look(metadata, position)
        for where, plane in split_planes(array, position, rgb=look.rgb):
            key = self._modes.layer(look.kind, layer_name, where, plane.shape)
            layer = self._find(key, look, partial(self._new_stack, key, plane, look))
            if layer is None:
                continue
            place = self._modes.place(where)
            before = layer.nbytes
            if layer.put(place, plane, look):
                self._to_renew.add(key)
            self._to_style.add(key)
            self._keep(layer, place, before)

    def put_points(self, dots: Dots, layer_name: str, position: Position, metadata: Mapping[str, Any]) -> None:
        """Show points over the images of their position."""
        look = self._look(metadata, position)
        ndim = dots.data.shape[1]
        key = self._modes.layer(Kind.POINTS, layer_name, position, (ndim,))
        scale = self._scale(look, ndim - 2)
        layer = self._find(key, look, lambda: PointsOverlay(key, self._title(key), ndim, look.colour, scale))
        if layer is not None:
            place, before = self._modes.place(position), layer.nbytes
            layer.put(place, dots)
            self._keep(layer, place, before)

    def put_shapes(self, drawn: Drawn, layer_name: str, position: Position, metadata: Mapping[str, Any]) -> None:
        """Show shapes over the images of their position."""
        look = self._look(metadata, position)
        key = self._modes.layer(Kind.SHAPES, layer_name, position)
        scale = self._scale(look, 0)
        layer = self._find(key, look, lambda: ShapesOverlay(key, self._title(key), look.colour, scale))
        if layer is not None:
            place, before = self._modes.place(position), layer.nbytes
            layer.put(place, drawn)
            self._keep(layer, place, before)

    # --- drawing -----------------------------------------------------------------------------------------------------

    def flush(self, *, at_once: bool = False) -> Flushed:
        """Update napari.

        If there is much to do, some shapes are left for the next call; so are longer sliders, which are slow in
        napari, unless ``at_once`` is true.
        """
        here, names = self.place, self._axes.names
        grew = self._grow() if at_once or time.monotonic() >= self._grow_at else False
        stacks = {key: layer for key, layer in self._layers.items() if isinstance(layer, StackLayer)}
        to_renew = set(stacks) if self._axes.names != names else self._to_renew & stacks.keys()
        to_refresh = (self._to_refresh & stacks.keys()) - to_renew
        self._to_renew.clear()
        self._to_refresh.clear()
        if grew:
            to_renew |= _announcers(stacks)
        for key in to_renew:
            stacks[key].renew()
        if grew:
            self._go_to(here)
        for key in to_refresh:
            stacks[key].refresh()
        for key in self._to_style & stacks.keys():
            stacks[key].style()
        self._to_style.clear()
        is_seen = bool(to_renew or to_refresh or self._are_overlays_behind)
        if self._are_overlays_behind:
            where = dict(self.place)
            are_done = [one.draw(where) for one in self._layers.values() if not isinstance(one, StackLayer)]
            self._are_overlays_behind = not all(are_done)
        if grew:
            self._grow_at = time.monotonic() + _GROW_SECONDS
        return Flushed(is_done=not (self._are_overlays_behind or self._new_places), is_seen=is_seen)

    @property
    def place(self) -> Place:
        """The current place of the sliders."""
        if not any(isinstance(layer, StackLayer) for layer in self._layers.values()):
            return ()
        return self._axes.place(self._steps())

    @property
    def text(self) -> str:
        """The current place of the sliders, and what is in its well, as text."""
        return with_text(describe(self.place), self._wells.of(self.place))

    # --- commands ----------------------------------------------------------------------------------------------------

    def clear(self, layer_name: str | None) -> None:
        """Remove all our layers, or those with one name; layers that the user removed may come back."""
        self._removed = {key for key in self._removed if layer_name not in (None, key.name)}
        for layer in [layer for layer in self._layers.values() if layer_name in (None, layer.key.name)]:
            self._forget(layer)
            self._is_removing = True
            try:
                self._viewer.layers.remove(layer.layer)
            finally:
                self._is_removing = False
        self._renew_all()
        if layer_name is None:
            self._axes.clear()
            self._wells.clear()
            self._new_places.clear()
            self._pixel_size = self._z_step = None

    def navigate(self, position: Position) -> None:
        """Move the sliders to a position, and make the layers of its other components visible.

        Raises:
            ViewerCommandError: there are no images for the position.
        """
        self.flush(at_once=True)
        where = dict(self._modes.place(position))
        wanted = {name: value for name, value in position.items() if name not in where}
        known = [place for key, place in self._ages if is_at(place, where) and is_at(key.values, wanted)]
        if not any(where.keys() <= dict(place).keys() for place in known):
            raise ViewerCommandError(f"nothing is shown of {describe(tuple(position.items())) or 'that'}")
        for layer in self._layers.values():
            if any(name in wanted for name, _ in layer.key.values):
                layer.layer.visible = is_at(layer.key.values, wanted)
        self._go_to(tuple(where.items()))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _look(self, metadata: Mapping[str, Any], position: Position) -> Appearance:
        """Read the metadata of an item, and note what holds for more than the item."""
        look = read_appearance(metadata)
        self._wells.note(position, look.well_text)
        self._calibrate(look)
        return look

    def _find(self, key: LayerKey, look: Appearance, make: Callable[[], OneLayer]) -> OneLayer | None:
        """Return the layer for a key, created if necessary; None if the user has removed it."""
        if key in self._removed:
            return None
        layer = self._layers.get(key)
        if layer is None:
            layer = make()
            self._add(layer, look)
        return cast(OneLayer, layer)  # the kind is part of the key

    def _new_stack(self, key: LayerKey, plane: npt.NDArray[Any], look: Appearance) -> StackLayer:
        scale = self._scale(look, len(self._axes.names))
        return StackLayer(key, self._title(key), self._axes, plane, look, scale)

    def _add(self, layer: AnyLayer, look: Appearance) -> None:
        """Add a layer: images below labels below shapes below points, and otherwise the newest on top."""
        ranks = {id(one.layer): _RANKS[one.key.kind] for one in self._layers.values()}
        rank = _RANKS[layer.key.kind]
        above = [number for number, one in enumerate(self._viewer.layers) if ranks.get(id(one), -1) > rank]
        self._layers[layer.key] = layer
        if look.pixel_size is None:
            self._without_size.add(layer.key)
        self._viewer.layers.insert(min(above, default=len(self._viewer.layers)), layer.layer)

    def _title(self, key: LayerKey) -> str:
        """Return the title of a layer, with the image size if there is already a layer for another size."""
        alike = [one for one in self._layers if (one.kind, one.name, one.values) == (key.kind, key.name, key.values)]
        if not alike or key.kind is Kind.POINTS:
            return key.title
        return f"{key.title} ({' x '.join(map(str, key.shape))})"

    def _keep(self, layer: AnyLayer, place: Place, before: int) -> None:
        """Register the newest item of a layer that used ``before`` bytes, and drop the oldest if necessary."""
        age = (layer.key, place)
        self._ages.pop(age, None)
        self._ages[age] = None
        self._new_places.append(place)
        self._mark(layer, place)
        self._nbytes += layer.nbytes - before
        while self._nbytes > self._budget and len(self._ages) > 1:
            oldest = next(iter(self._ages))
            del self._ages[oldest]
            self._drop(*oldest)

    def _drop(self, key: LayerKey, place: Place) -> None:
        layer = self._layers[key]
        before = layer.nbytes
        layer.drop(place)
        self._nbytes += layer.nbytes - before
        self._mark(layer, place)
        self.dropped += 1
        if self.dropped.bit_count() == 1:
            _log.warning("dropped %d images or sets of regions so far: the memory budget is used up", self.dropped)

    def _mark(self, layer: AnyLayer, place: Place) -> None:
        """Note that napari has to be told about a change, if it is visible."""
        if not isinstance(layer, StackLayer):
            self._are_overlays_behind = True
        elif is_at(place, self._sight()):
            self._to_refresh.add(layer.key)

    def _sight(self) -> dict[str, Value]:
        """Return the values of the sliders, except those shown as axes of the picture."""
        first = self._first_axis()
        shown = {
            self._axes.names[axis - first] for axis in self._viewer.dims.displayed if axis - first in self._range()
        }
        return {name: value for name, value in self.place if name not in shown}

    def _range(self) -> range:
        return range(len(self._axes.names))

    def _first_axis(self) -> int:
        """Return the napari axis of our first slider; layers of the user may have more axes than ours."""
        return int(self._viewer.dims.ndim) - len(self._axes.names) - 2

    def _steps(self) -> tuple[int, ...]:
        points: Sequence[float] = self._viewer.dims.point
        first = self._first_axis()
        return tuple(
            round(points[first + axis] / scale) if 0 <= first + axis < len(points) else 0
            for axis, scale in zip(self._range(), self._outer_scale(len(self._axes.names)), strict=True)
        )

    def _go_to(self, place: Place) -> None:
        steps = self._axes.steps(place, self._steps())
        first = self._first_axis()
        scales = self._outer_scale(len(steps))
        moves = {first + axis: step * scale for axis, (step, scale) in enumerate(zip(steps, scales, strict=True))}
        known = {axis: point for axis, point in moves.items() if axis >= 0}
        self._viewer.dims.set_point(list(known), list(known.values()))

    def _grow(self) -> bool:
        """Extend the sliders to everything received; return True if that changed them."""
        grew = [self._axes.add(place) for place in self._new_places]
        self._new_places.clear()
        return any(grew)

    # --- scales ------------------------------------------------------------------------------------------------------

    def _calibrate(self, look: Appearance) -> None:
        """Use the first pixel size and z step received for all layers that don't have their own."""
        is_step_new = look.z_step is not None and look.z_step != self._z_step
        is_size_new = look.pixel_size is not None and self._pixel_size is None
        if not (is_step_new or is_size_new):
            return
        here = self.place
        self._z_step = look.z_step or self._z_step
        self._pixel_size = self._pixel_size or look.pixel_size
        for key, layer in self._layers.items():
            plane = self._pixel_size if key in self._without_size and self._pixel_size else layer.layer.scale[-2:]
            layer.layer.scale = (*self._outer_scale(layer.layer.ndim - 2), *plane)
        self._go_to(here)

    def _scale(self, look: Appearance, outer: int) -> tuple[float, ...]:
        return (*self._outer_scale(outer), *(look.pixel_size or self._pixel_size or (1.0, 1.0)))

    def _outer_scale(self, axes: int) -> tuple[float, ...]:
        """Return the scale of the sliders, which is 1 except for the last one if that is z."""
        has_z = self._axes.names[-1:] == ("z_index",)
        return (*[1.0] * (axes - 1), (self._z_step or 1.0) if has_z else 1.0)[-axes:] if axes > 0 else ()

    # --- what the user does ------------------------------------------------------------------------------------------

    def _forget(self, layer: AnyLayer) -> None:
        del self._layers[layer.key]
        self._nbytes -= layer.nbytes
        for place in layer.places:
            self._ages.pop((layer.key, place), None)
        for keys in (self._to_renew, self._to_refresh, self._without_size):
            keys.discard(layer.key)

    def _on_removed(self, event: Any) -> None:
        """Release the images of a layer removed by the user, and ignore further ones."""
        if self._is_removing:
            return
        for layer in [layer for layer in self._layers.values() if layer.layer is event.value]:
            self._forget(layer)
            self._removed.add(layer.key)
            self._renew_all()

    def _renew_all(self) -> None:
        """Renew all layers after the one that announced the length of the sliders may have been removed."""
        self._to_renew |= {key for key, layer in self._layers.items() if isinstance(layer, StackLayer)}
        self.on_moved()

    def _on_moved(self, event: Any = None) -> None:
        self._are_overlays_behind |= any(not isinstance(layer, StackLayer) for layer in self._layers.values())
        self.on_moved()


def _announcers(stacks: Mapping[LayerKey, StackLayer]) -> set[LayerKey]:
    """Return the layer, if any, that announces the length of the sliders to napari.

    Announcing takes time, and one layer is enough, as napari asks each layer for its shape when it reads it. It has
    to be a visible layer.
    """
    return {next((key for key, stack in stacks.items() if stack.layer.visible), key) for key in list(stacks)[:1]}
