"""What napari shows of one plate or run: assigns items to layers, updates napari, and limits the memory used.

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
    describe_in_full,
    is_at,
    plain_name,
    split_planes,
    with_text,
)
from openhcs_runtime.viewers.metadata import Appearance, Kind, read_appearance
from openhcs_runtime.viewers.napari.image_layers import StackLayer
from openhcs_runtime.viewers.napari.overlays import PointsOverlay, ShapesOverlay
from openhcs_runtime.viewers.napari.regions import Dots, Drawn
from openhcs_runtime.viewers.origin import NOWHERE, Origin
from zmqruntime.streaming import Position, ViewerCommandError

__all__ = ["Flushed", "Scene"]

_log = logging.getLogger(__name__)

_GROW_SECONDS = 0.06
_GROW_PAUSE = 4.0  # times what it took: napari reads all layers again and draws, whether one plane is new or a hundred
_WITH_PLANES = (Kind.IMAGE, Kind.LABELS)
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
    """Our layers of one plate or run in a napari viewer; other layers are left alone.

    Args:
        viewer: a ``napari.Viewer`` or a ``napari.components.ViewerModel``.
        modes: which components are sliders.
        memory_budget: memory for planes and regions, in bytes; when it is used up, the oldest are dropped and counted.
        origin: where the items come from; noted in the metadata of the layers.
        is_attached: whether the layers are in the viewer; see :meth:`attach`.
        has_units: whether layers have units, which must be the same for all layers in the viewer.
    """

    def __init__(
        self,
        viewer: Any,
        modes: Modes,
        memory_budget: int,
        origin: Origin = NOWHERE,
        *,
        is_attached: bool = True,
        has_units: bool = True,
    ) -> None:
        self.dropped = 0
        """Number of planes and sets of regions dropped because of the memory budget."""
        self.on_moved: Callable[[], None] = lambda: None
        """Called when the sliders were moved; :meth:`flush` then draws the items at their new place."""
        self.origin = origin
        self._viewer = viewer
        self._has_units = has_units
        self._is_attached = False
        self._aside: list[Any] = []
        """The layers in their order, while they are not in the viewer."""
        self._last_place: Place = ()
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
        if is_attached:
            self.attach()

    def close(self) -> None:
        """Disconnect from the viewer; the layers stay in it."""
        if self._is_attached:
            self._viewer.layers.events.removed.disconnect(self._on_removed)
            self._viewer.dims.events.point.disconnect(self._on_moved)
            self._is_attached = False

    def attach(self) -> None:
        """Put the layers into the viewer, with the sliders where they were; does nothing if they are there."""
        if self._is_attached:
            return
        self._is_attached = True
        self._grow()
        self._new_places.clear()
        for layer in self._layers.values():
            if isinstance(layer, StackLayer):
                self._renew(layer)
        self._viewer.layers.extend(self._aside)
        self._aside = []
        self._viewer.layers.events.removed.connect(self._on_removed)
        self._viewer.dims.events.point.connect(self._on_moved)
        self._go_to(self._last_place)
        self._are_overlays_behind = True

    def detach(self) -> None:
        """Take the layers out of the viewer and keep them; what comes meanwhile is added to them unseen."""
        if not self._is_attached:
            return
        self._last_place = self.place
        ours = {id(layer.layer) for layer in self._layers.values()}
        self._aside = [layer for layer in self._viewer.layers if id(layer) in ours]
        self.close()
        for layer in self._aside:
            self._viewer.layers.remove(layer)

    @property
    def nbytes(self) -> int:
        """Memory used by planes and regions, in bytes."""
        return self._nbytes

    @property
    def count(self) -> int:
        """The number of planes and sets of regions."""
        return len(self._ages)

    @property
    def has_scale(self) -> bool:
        """Whether the layers have a scale in micrometres."""
        return self._pixel_size is not None and self._has_units

    # --- what comes in -----------------------------------------------------------------------------------------------

    def put_image(
        self, array: npt.NDArray[Any], layer_name: str, position: Position, metadata: Mapping[str, Any]
    ) -> bool:
        """Add an image, and return whether it will be seen in the next draw.

        Raises:
            UnsupportedArrayError: napari can't show the array.
        """
        look = self._look(metadata, position)
        is_seen = False
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
            is_seen |= self._keep(layer, place, before)
        return is_seen

    def put_points(self, dots: Dots, layer_name: str, position: Position, metadata: Mapping[str, Any]) -> bool:
        """Show points over the images of their position; returns as :meth:`put_image`."""
        look = self._look(metadata, position)
        ndim = dots.data.shape[1]
        key = self._modes.layer(Kind.POINTS, layer_name, position, (ndim,))
        scale = self._scale(look, ndim - 2)
        layer = self._find(key, look, lambda: PointsOverlay(key, self._title(key), ndim, look.colour, scale))
        if layer is None:
            return False
        place, before = self._modes.place(position), layer.nbytes
        layer.put(place, dots)
        return self._keep(layer, place, before)

    def put_shapes(self, drawn: Drawn, layer_name: str, position: Position, metadata: Mapping[str, Any]) -> bool:
        """Show shapes over the images of their position; returns as :meth:`put_image`."""
        look = self._look(metadata, position)
        key = self._modes.layer(Kind.SHAPES, layer_name, position)
        scale = self._scale(look, 0)
        layer = self._find(key, look, lambda: ShapesOverlay(key, self._title(key), look.colour, scale))
        if layer is None:
            return False
        place, before = self._modes.place(position), layer.nbytes
        layer.put(place, drawn)
        return self._keep(layer, place, before)

    # --- drawing -----------------------------------------------------------------------------------------------------

    def flush(self, *, at_once: bool = False) -> Flushed:
        """Update napari.

        If there is much to do, some shapes are left for the next call; so are longer sliders, which are slow in
        napari, unless ``at_once`` is true.
        """
        if not self._is_attached:
            return self._flush_unseen()
        here, names, begun = self.place, self._axes.names, time.monotonic()
        grew = self._grow() if at_once or begun >= self._grow_at else False
        stacks = {key: layer for key, layer in self._layers.items() if isinstance(layer, StackLayer)}
        to_renew = set(stacks) if self._axes.names != names else self._to_renew & stacks.keys()
        to_refresh = (self._to_refresh & stacks.keys()) - to_renew
        self._to_renew.clear()
        self._to_refresh.clear()
        if grew:
            to_renew |= _announcers(stacks)
        for key in to_renew:
            self._renew(stacks[key])
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
            now = time.monotonic()
            self._grow_at = now + max(_GROW_SECONDS, _GROW_PAUSE * (now - begun))
        return Flushed(is_done=not (self._are_overlays_behind or self._new_places), is_seen=is_seen)

    def _flush_unseen(self) -> Flushed:
        """Take in what came while the layers are not in the viewer; :meth:`attach` reads the layers again."""
        self._grow()
        self._to_renew.clear()
        self._to_refresh.clear()
        return Flushed(is_done=True, is_seen=False)

    @property
    def place(self) -> Place:
        """The current place of the sliders."""
        if not self._is_attached:
            return self._last_place
        if not any(isinstance(layer, StackLayer) for layer in self._layers.values()):
            return ()
        return self._axes.place(self._steps())

    @property
    def text(self) -> str:
        """The current place of the sliders, what is in its well, and what images of several sizes show, as text."""
        place = self.place
        if self.origin != NOWHERE:
            channels = {str(value): None for layer in self._visible_stacks() for _, value in layer.key.values}
            text = ", ".join(filter(None, (describe_in_full(place), *channels)))
        else:
            text = describe(place)
        return "\n".join(filter(None, (with_text(text, self._wells.of(place)), self._sizes(place))))

    @property
    def axis_labels(self) -> Mapping[int, str]:
        """For each axis of napari that is a slider of ours, what it is at, such as ``well A07``."""
        here, first = dict(self.place), self._first_axis()
        return {
            first + axis: describe_in_full((name, here[name]) for name in (name,) if name in here) or plain_name(name)
            for axis, name in enumerate(self._axes.names)
            if first + axis >= 0
        }

    def _visible_stacks(self) -> list[StackLayer]:
        return [one for one in self._layers.values() if isinstance(one, StackLayer) and one.layer.visible]

    def _sizes(self, place: Place) -> str:
        """Return a line that says which layers have images of another size here; empty if all have the same."""
        if len({key.shape[:2] for key in self._layers if key.shape}) < 2:
            return ""
        steps = self._axes.steps(place)
        here = {layer.layer.name: layer.key.shape[:2] for layer in self._visible_stacks() if layer.is_at(steps)}
        if len(set(here.values())) < 2:
            return ""
        return "sizes differ: " + "; ".join(f"{name} {rows} x {columns}" for name, (rows, columns) in here.items())

    # --- commands ----------------------------------------------------------------------------------------------------

    def clear(self, layer_name: str | None) -> None:
        """Remove all our layers, or those with one name; layers that the user removed may come back."""
        self._removed = {key for key in self._removed if layer_name not in (None, key.name)}
        for layer in [layer for layer in self._layers.values() if layer_name in (None, layer.key.name)]:
            self._forget(layer)
            self._take_out(layer)
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

    def _take_out(self, layer: AnyLayer) -> None:
        if not self._is_attached:
            self._aside = [one for one in self._aside if one is not layer.layer]
            return
        self._is_removing = True
        try:
            self._viewer.layers.remove(layer.layer)
        finally:
            self._is_removing = False

    def _look(self, metadata: Mapping[str, Any], position: Position) -> Appearance:
        """Read the metadata of an item, and note what holds for more than the item."""
        look = read_appearance(metadata)
        self._wells.note(position, look.well_text)
        self._calibrate(look)
        return look

    def _find(self, key: LayerKey, look: Appearance, make: Callable[[], OneLayer]) -> OneLayer | None:
        """Return the layer for a key, created if necessary; None if the user has removed it."""
        if look.wanted:
            self._removed.discard(key)
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
        layers = self._viewer.layers if self._is_attached else self._aside
        ranks = {id(one.layer): _RANKS[one.key.kind] for one in self._layers.values()}
        rank = _RANKS[layer.key.kind]
        above = [number for number, one in enumerate(layers) if ranks.get(id(one), -1) > rank]
        self._layers[layer.key] = layer
        if look.pixel_size is None:
            self._without_size.add(layer.key)
        layer.layer.visible = look.visible
        layer.layer.metadata.update(self.origin.position)
        self._set_units(layer)
        is_larger = self._is_larger_than_all(layer.key)
        layers.insert(min(above, default=len(layers)), layer.layer)
        if is_larger and self._is_attached:
            self._viewer.reset_view()

    def _is_larger_than_all(self, new: LayerKey) -> bool:
        """Return whether images of a new layer would not fit where all earlier images do."""
        sizes = [max(key.shape[:2]) for key in self._layers if key.shape and key != new and key.kind in _WITH_PLANES]
        return bool(sizes) and new.kind in _WITH_PLANES and max(new.shape[:2]) > max(sizes)

    def _title(self, key: LayerKey) -> str:
        """Return the title of a layer, with the image size if there is already a layer for another size."""
        alike = [one for one in self._layers if (one.kind, one.name, one.values) == (key.kind, key.name, key.values)]
        if not alike or key.kind is Kind.POINTS:
            return key.title
        return f"{key.title} ({' x '.join(map(str, key.shape))})"

    def _keep(self, layer: AnyLayer, place: Place, before: int) -> bool:
        """Register the newest item of a layer that used ``before`` bytes, and drop the oldest if necessary.

        Returns:
            Whether the item is in sight.
        """
        age = (layer.key, place)
        self._ages.pop(age, None)
        self._ages[age] = None
        if not self._axes.has(place):
            self._new_places.append(place)
        is_seen = self._mark(layer, place)
        self._nbytes += layer.nbytes - before
        while self._nbytes > self._budget and len(self._ages) > 1:
            oldest = next(iter(self._ages))
            del self._ages[oldest]
            self._drop(*oldest)
        return is_seen

    def _drop(self, key: LayerKey, place: Place) -> None:
        layer = self._layers[key]
        before = layer.nbytes
        layer.drop(place)
        self._nbytes += layer.nbytes - before
        self._mark(layer, place)
        self.dropped += 1
        if self.dropped.bit_count() == 1:
            _log.warning("dropped %d images or sets of regions so far: the memory budget is used up", self.dropped)

    def _mark(self, layer: AnyLayer, place: Place) -> bool:
        """Note that napari has to be told about a change, if it is in sight; return whether it is."""
        if not self._is_attached:
            return False
        is_seen = is_at(place, self._sight())
        if not isinstance(layer, StackLayer):
            self._are_overlays_behind = True
        elif is_seen:
            self._to_refresh.add(layer.key)
        return is_seen

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
            self._set_units(layer)
        if self._is_attached:
            self._go_to(here)

    def _renew(self, layer: StackLayer) -> None:
        layer.renew()
        self._set_units(layer)

    def _set_units(self, layer: AnyLayer) -> None:
        """Tell napari that the scale is in micrometres, once it is, for the scale bar."""
        if self._pixel_size is not None and self._has_units:
            layer.layer.units = (*["pixel"] * (layer.layer.ndim - 2), "um", "um")

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
