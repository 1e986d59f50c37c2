"""The plates and runs that one napari viewer has received: it shows one of them at a time.

Items of different plates, or of different runs, never share a layer. A plate or run that is new is shown at once; those
before it are kept, with their layers as the user left them, and can be shown again.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from openhcs_runtime.viewers.components import Modes, describe
from openhcs_runtime.viewers.napari.regions import Dots, Drawn
from openhcs_runtime.viewers.napari.scene import Flushed, Scene
from openhcs_runtime.viewers.origin import Origin, origin_titles, without_origin
from zmqruntime.streaming import Position, ViewerCommandError

__all__ = ["Scenes"]

_MOST_SCENES = 12


class Scenes:
    """All scenes of one viewer.

    Args:
        viewer: a ``napari.Viewer`` or a ``napari.components.ViewerModel``.
        modes: which components are sliders.
        memory_budget: memory for planes and regions of all scenes, in bytes; when it is used up, the scenes that were
            not shown for the longest time are dropped, and then the oldest items of the scene that is shown.
        has_units: whether layers have units, which must be the same for all layers in the viewer.
    """

    def __init__(self, viewer: Any, modes: Modes, memory_budget: int, *, has_units: bool = True) -> None:
        self.on_moved: Callable[[], None] = lambda: None
        """Called when the sliders were moved; :meth:`flush` then draws the items at their new place."""
        self.on_changed: Callable[[], None] = lambda: None
        """Called when there are other scenes, or another one is shown."""
        self._viewer = viewer
        self._modes = modes
        self._budget = memory_budget
        self._has_units = has_units
        self._scenes: dict[Origin, Scene] = {}  # the one that was not shown for the longest time first
        self._current: Scene | None = None
        self._dropped = 0

    def close(self) -> None:
        """Disconnect from the viewer; the layers stay in it."""
        for scene in self._scenes.values():
            scene.close()

    @property
    def titles(self) -> Mapping[Origin, str]:
        """The title of each scene, those shown last at the end."""
        return origin_titles(self._scenes)

    @property
    def current(self) -> Origin | None:
        """The origin of the scene that is shown; None if there is none."""
        return None if self._current is None else self._current.origin

    @property
    def title(self) -> str:
        """The title of the scene that is shown; empty if its producer does not say where it comes from."""
        return "" if self._current is None else self.titles[self._current.origin]

    @property
    def text(self) -> str:
        """The title and the current place of the sliders."""
        return "" if self._current is None else "\n".join(filter(None, (self.title, self._current.text)))

    @property
    def axis_labels(self) -> Mapping[int, str]:
        """What each slider is at, by its axis in napari."""
        return {} if self._current is None else self._current.axis_labels

    @property
    def has_scale(self) -> bool:
        """Whether the pixel size of what is shown is known."""
        return self._current is not None and self._current.has_scale

    @property
    def dropped(self) -> int:
        """Number of planes and sets of regions dropped because of the memory budget."""
        return self._dropped + sum(scene.dropped for scene in self._scenes.values())

    # --- what comes in -----------------------------------------------------------------------------------------------

    def put_image(
        self, array: npt.NDArray[Any], layer_name: str, position: Position, metadata: Mapping[str, Any]
    ) -> bool:
        """Add an image, and return whether it will be seen in the next draw.

        Raises:
            UnsupportedArrayError: napari can't show the array.
        """
        is_seen = self._scene(position).put_image(array, layer_name, without_origin(position), metadata)
        self._make_room()
        return is_seen

    def put_points(self, dots: Dots, layer_name: str, position: Position, metadata: Mapping[str, Any]) -> bool:
        """Show points over the images of their position; returns as :meth:`put_image`."""
        is_seen = self._scene(position).put_points(dots, layer_name, without_origin(position), metadata)
        self._make_room()
        return is_seen

    def put_shapes(self, drawn: Drawn, layer_name: str, position: Position, metadata: Mapping[str, Any]) -> bool:
        """Show shapes over the images of their position; returns as :meth:`put_image`."""
        is_seen = self._scene(position).put_shapes(drawn, layer_name, without_origin(position), metadata)
        self._make_room()
        return is_seen

    def flush(self, *, at_once: bool = False) -> Flushed:
        """Update napari; see :meth:`Scene.flush`."""
        flushed = Flushed(is_done=True, is_seen=False)
        for scene in self._scenes.values():
            outcome = scene.flush(at_once=at_once)
            if scene is self._current:
                flushed = outcome
        return flushed

    # --- commands ----------------------------------------------------------------------------------------------------

    def show(self, origin: Origin) -> None:
        """Show another scene; does nothing if there is no such scene, or if it is shown already."""
        scene = self._scenes.get(origin)
        if scene is None or scene is self._current:
            return
        if self._current is not None:
            self._current.detach()
        self._scenes[origin] = self._scenes.pop(origin)
        self._current = scene
        scene.attach()
        self.on_changed()
        self.on_moved()

    def clear(self, layer_name: str | None) -> None:
        """Remove everything, or the layers with one name; layers that the user removed may come back."""
        for scene in self._scenes.values():
            scene.clear(layer_name)
        if layer_name is None:
            for scene in list(self._scenes.values()):
                self._forget(scene)
            self._current = None
            self.on_changed()

    def navigate(self, position: Position) -> None:
        """Show the plate and run of a position, and move the sliders there; without them, stay at what is shown.

        Raises:
            ViewerCommandError: there are no images for the position.
        """
        scene = self._wanted(position)
        if scene is None:
            title = origin_titles([Origin.of(position)])[Origin.of(position)]
            where = ", ".join(filter(None, (title, describe(tuple(without_origin(position).items())))))
            raise ViewerCommandError(f"nothing is shown of {where or 'that'}")
        self.show(scene.origin)
        scene.navigate(without_origin(position))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _wanted(self, position: Position) -> Scene | None:
        """Return the scene that is shown if nothing in a position is against it, or else the latest such scene."""
        fitting = [scene for scene in self._scenes.values() if scene.origin.fits(position)]
        return self._current if self._current in fitting else next(reversed(fitting), None)

    def _scene(self, position: Position) -> Scene:
        """Return the scene for a position; a new one is shown."""
        origin = Origin.of(position)
        scene = self._scenes.get(origin)
        if scene is None:
            scene = Scene(self._viewer, self._modes, self._budget, origin, is_attached=False, has_units=self._has_units)
            scene.on_moved = self._on_moved
            self._scenes[origin] = scene
            self.show(origin)
        return scene

    def _make_room(self) -> None:
        """Drop the scenes that were not shown for the longest time while there are too many, or too large ones."""
        while len(self._scenes) > _MOST_SCENES or sum(scene.nbytes for scene in self._scenes.values()) > self._budget:
            oldest = next((scene for scene in self._scenes.values() if scene is not self._current), None)
            if oldest is None:
                return
            self._dropped += oldest.count
            self._forget(oldest)
            self.on_changed()

    def _forget(self, scene: Scene) -> None:
        self._dropped += scene.dropped
        scene.close()
        del self._scenes[scene.origin]

    def _on_moved(self) -> None:
        self.on_moved()
