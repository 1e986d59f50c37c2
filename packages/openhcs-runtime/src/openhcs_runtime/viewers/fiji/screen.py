"""All windows of one viewer: assigns images to windows, draws them, and limits the memory they use."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs_runtime.viewers.components import WellTexts, describe, with_text
from openhcs_runtime.viewers.fiji.hyperstack import Hyperstack
from openhcs_runtime.viewers.fiji.imagej import ImageJ
from openhcs_runtime.viewers.fiji.layout import Cell, Layout, Value
from openhcs_runtime.viewers.fiji.placing import WindowPlaces
from openhcs_runtime.viewers.fiji.planes import Element, grey_planes
from openhcs_runtime.viewers.fiji.regions import ManagedRois, Outline, Regions, extent
from openhcs_runtime.viewers.metadata import display_range, read_appearance
from openhcs_runtime.viewers.origin import Origin, short_names, without_origin
from zmqruntime.streaming import Position, ViewerCommandError

__all__ = ["Screen", "Window"]


class Window:
    """One image window with its regions."""

    def __init__(self, ij: ImageJ, key: Value, name: str, title: str, shape: tuple[int, int], element: Element) -> None:
        self.key = key
        self.stack = Hyperstack(ij, title, shape, element)
        self.regions = Regions(ij, name)
        self.was_shown = False
        self.is_size_guessed = False
        """Whether the size was derived from regions, which do not contain the size of their image."""

    @property
    def nbytes(self) -> int:
        """Memory used by its planes and, approximately, its regions, in bytes."""
        return self.stack.nbytes + self.regions.nbytes

    @property
    def is_empty(self) -> bool:
        """Whether there are neither planes nor regions."""
        return self.regions.is_empty and not self.stack.has_planes

    def make_room(self) -> None:
        """Make sure that all regions have a plane, adding black ones if necessary."""
        for cell in self.regions.without_plane(self.stack.axes):
            self.stack.hold(cell)

    def commit(self) -> bool:
        """Update ImageJ; return True if there is something to paint."""
        before = self.stack.image
        self.make_room()
        changed = self.stack.commit()
        self.was_shown &= self.stack.image is before
        changed |= self.regions.commit(self.stack.image, self.stack.axes)
        return changed

    def show(self) -> None:
        """Open the window, or bring it to the front."""
        self.stack.show()
        self.was_shown = True


@dataclass(frozen=True, slots=True)
class _Kept:
    """A unit of the memory budget that can be dropped: a plane, or the regions of one layer and position."""

    window: Window
    cell: Cell
    is_plane: bool

    def drop(self) -> None:
        """Remove it from its window."""
        if self.is_plane:
            self.window.stack.drop(self.cell)
        else:
            self.window.regions.drop(self.cell)


class Screen:
    """Everything the viewer shows; used on one thread.

    Args:
        ij: ImageJ.
        layout: how components are shown.
        memory_budget: memory for planes and regions, in bytes; when it is used up, the oldest are dropped and counted.
        max_windows: how many windows open automatically; further ones are kept and open when navigated to.
    """

    def __init__(self, ij: ImageJ, layout: Layout, memory_budget: int, max_windows: int) -> None:
        self.dropped = 0
        """Number of planes and sets of regions dropped because of the memory budget."""
        self._ij = ij
        self._layout = layout
        self._budget = memory_budget
        self._max_windows = max_windows
        self._wells = WellTexts()
        self._places = WindowPlaces()
        self._windows: dict[tuple[Value, tuple[int, int]], Window] = {}
        self._ages: dict[_Kept, None] = {}  # the oldest first
        self._nbytes = 0
        self._dirty: dict[Window, None] = {}
        self._managed = ManagedRois(ij)
        self._is_manager_behind = False
        self._is_manager_stale = False

    # --- what comes in -----------------------------------------------------------------------------------------------

    def put_image(
        self, array: npt.NDArray[Any], layer: str, position: Position, metadata: Mapping[str, Any]
    ) -> set[Window]:
        """Add an image.

        Returns:
            The windows that have to be drawn for it.

        Raises:
            UnsupportedArrayError: ImageJ can't show the array.
        """
        element = Element.of(array.dtype)
        self._wells.note(position, read_appearance(metadata).well_text)
        windows = set()
        for more, plane in grey_planes(array, metadata):
            place = {**position, **more}
            cell = self._layout.cell(layer, place)
            rows, columns = plane.shape
            window = self._window(self._layout.window(place), (rows, columns), element)
            self._style(window, cell, plane, element, metadata, more)
            before = window.nbytes
            window.stack.put(cell, plane, element)
            self._keep(_Kept(window, cell, is_plane=True), before)
            windows.add(window)
        return windows

    def put_regions(
        self,
        outlines: list[Outline],
        layer: str,
        position: Position,
        metadata: Mapping[str, Any],
        shape: tuple[int, int] | None = None,
    ) -> set[Window]:
        """Show regions over the images of their position, or over black if there are none.

        Args:
            outlines: the regions.
            layer: name of the layer; regions with the same layer and position are replaced.
            position: if it includes no slice or frame, the regions are shown in all.
            metadata: may contain ``color``.
            shape: rows and columns of the image they belong to, None for any. Only labels have a shape, and they are
                not added to the ROI Manager.

        Returns:
            The windows that have to be drawn for them.
        """
        look = read_appearance(metadata)
        self._wells.note(position, look.well_text)
        key = self._layout.window(position)
        cell = self._layout.cell(layer, position)
        window = self._find(key, shape)
        if window is None:
            if shape is None and not outlines:
                return set()
            window = self._window(key, shape or extent(self._ij, outlines), Element.UINT8)
            window.is_size_guessed = shape is None
        before = window.nbytes
        had = window.regions.put(cell, outlines, look.colour, is_managed=shape is None)
        self._is_manager_behind |= shape is None
        self._is_manager_stale |= had and shape is None
        self._keep(_Kept(window, cell, is_plane=False), before)
        return {window}

    # --- drawing -----------------------------------------------------------------------------------------------------

    def draw(self) -> dict[Window, str]:
        """Draw everything that has changed; when this returns it is on the screen.

        Returns:
            The windows that failed, and why.
        """
        failed = {}
        to_paint = []
        for window in self._dirty:
            if not window.was_shown and self._count_open() >= self._max_windows:
                continue  # created in ImageJ only when asked for, as an image takes much more memory than its planes
            try:
                is_changed = window.commit()
                if not window.was_shown:
                    self._show(window)
                if is_changed and window.stack.is_open:
                    to_paint.append(window.stack.image)
            except (self._ij.jpype.JException, ValueError) as error:
                failed[window] = f"ImageJ failed: {error}"
        self._dirty.clear()
        if self._is_manager_behind:
            all_regions = [window.regions for window in self._windows.values()]
            self._managed.update(all_regions, again=self._is_manager_stale)
            self._is_manager_behind = self._is_manager_stale = False
        if to_paint:
            self._ij.paint(to_paint)
        return failed

    # --- commands ----------------------------------------------------------------------------------------------------

    def clear(self, layer: str | None) -> None:
        """Remove everything, or one layer; windows that contain nothing else are closed."""
        self._is_manager_behind = self._is_manager_stale = True
        if layer is None:
            self._wells.clear()
        for kept in [kept for kept in self._ages if layer in (None, kept.cell.layer)]:
            del self._ages[kept]
            kept.drop()
        for window in list(self._windows.values()):
            if layer is None or not (window.stack.remove_channels(layer) or not window.regions.is_empty):
                self._close(window)
            else:
                self._dirty[window] = None
        self._nbytes = sum(window.nbytes for window in self._windows.values())
        self.draw()

    def navigate(self, position: Position) -> None:
        """Bring the first matching window to the front, opening it if it is closed, and move its sliders.

        Raises:
            ViewerCommandError: there are no images for the position.
        """
        for window in self._windows.values():
            window.make_room()
            cells = [cell for cell in window.stack.axes.cells() if self._fits(cell, position)]
            if cells and self._layout.matches(window.key, position):
                window.commit()
                self._show(window)
                window.stack.go_to(cells)
                window.stack.image.updateAndDraw()
                self._ij.paint([window.stack.image])
                return
        raise ViewerCommandError(f"nothing is shown of {describe(tuple(position.items())) or 'that'}")

    def reopen(self) -> None:
        """Open all windows that the user closed, or that exceeded the limit."""
        for window in self._windows.values():
            if not window.stack.is_open:
                window.commit()
                self._show(window)

    def picture(self) -> npt.NDArray[np.uint8]:
        """Return the content of the front window: (rows, columns, RGB).

        Raises:
            ViewerCommandError: there is no window.
        """
        front = self._ij.WindowManager.getCurrentImage()
        stacks = [window.stack for window in self._windows.values() if window.stack.is_open]
        for stack in stacks:
            if stack.image == front:
                return self._ij.picture(stack.image)
        if not stacks:
            raise ViewerCommandError("there is no window to take a screenshot of")
        return self._ij.picture(stacks[-1].image)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _find(self, key: Value, shape: tuple[int, int] | None) -> Window | None:
        if shape is not None:
            return self._windows.get((key, shape))
        return next((window for window in self._windows.values() if window.key == key), None)

    def _window(self, key: Value, shape: tuple[int, int], element: Element) -> Window:
        """Return the window for a key and a size; images of another size have their own window."""
        window = self._windows.get((key, shape))
        if window is not None:
            return window
        others = [other for other in self._windows.values() if other.key == key]
        guesses = [other for other in others if other.is_size_guessed and not other.stack.has_planes]
        name = self._name(key) or "Images"
        if len(others) > len(guesses):
            name = f"{name} ({shape[1]} x {shape[0]})"
        window = Window(self._ij, key, name, with_text(name, self._wells.of(key)), shape, element)
        for guess in guesses:
            window.regions.adopt(guess.regions)
            self._ages = {replace(kept, window=window) if kept.window is guess else kept: None for kept in self._ages}
            self._close(guess)
        self._windows[key, shape] = window
        return window

    def _name(self, key: Value) -> str:
        """Return the name of a window, such as ``p6, A01, run 2026-11-29_213000_nuclei``."""
        position = dict(key)
        origin = Origin.of(position)
        known = [Origin.of(dict(other)) for other, _ in self._windows]
        plate = short_names([one.plate for one in known] + [origin.plate])[origin.plate]
        run = short_names([one.run for one in known if one.plate == origin.plate] + [origin.run])[origin.run]
        where = describe(tuple(without_origin(position).items()))
        return ", ".join(filter(None, (plate, where, f"run {run}" if run else "")))

    def _show(self, window: Window) -> None:
        """Open a window where it hides no other one as long as there is room, or bring it to the front."""
        is_new = not window.stack.is_open
        window.show()
        if is_new:
            self._ij.place(window.stack.image, self._places)

    def _close(self, window: Window) -> None:
        window.stack.close()
        self._windows = {place: one for place, one in self._windows.items() if one is not window}
        self._dirty.pop(window, None)
        if not self._windows:
            self._places.reset()

    def _count_open(self) -> int:
        return sum(window.was_shown and window.stack.is_open for window in self._windows.values())

    def _style(
        self,
        window: Window,
        cell: Cell,
        plane: npt.NDArray[Any],
        element: Element,
        metadata: Mapping[str, Any],
        more: Position,
    ) -> None:
        look = read_appearance(metadata)
        colour = (0xFF0000, 0x00FF00, 0x0000FF)[int(more["channel"]) - 1] if look.rgb else look.colour
        styles = window.stack.styles
        styles.ask(cell.channel, colour, look.contrast_limits)
        if styles.needs_range(cell.channel):  # booleans are 0 and 255
            styles.see(cell.channel, *((0.0, 255.0) if element is Element.UINT8 else display_range(plane)))
        if look.pixel_size is not None:
            window.stack.calibrate((*look.pixel_size, look.z_step or 1.0))

    def _keep(self, kept: _Kept, before: int) -> None:
        """Register the newest item of a window that used ``before`` bytes, and drop the oldest if necessary."""
        self._ages.pop(kept, None)
        self._ages[kept] = None
        self._dirty[kept.window] = None
        self._nbytes += kept.window.nbytes - before
        while self._nbytes > self._budget and len(self._ages) > 1:
            oldest = next(iter(self._ages))
            del self._ages[oldest]
            before = oldest.window.nbytes
            oldest.drop()
            self._nbytes += oldest.window.nbytes - before
            if oldest.window.is_empty:
                self._close(oldest.window)
            else:
                self._dirty[oldest.window] = None
            if not oldest.is_plane:
                self._is_manager_behind = self._is_manager_stale = True
            self.dropped += 1

    def _fits(self, cell: Cell, position: Position) -> bool:
        return all(self._layout.matches(value, position) for value in (cell.channel, cell.slice, cell.frame))
