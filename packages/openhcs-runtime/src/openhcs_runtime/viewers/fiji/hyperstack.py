"""One image window of ImageJ: a hyperstack that grows and whose planes are updated in place.

A plane that is received again is copied into ImageJ's existing array; nothing is rebuilt. Planes that have not been
received share one black array. When a stack grows, its window and the slider positions are kept.
"""

from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

from openhcs_runtime.viewers.components import describe
from openhcs_runtime.viewers.fiji.growth import new_image, set_stack
from openhcs_runtime.viewers.fiji.imagej import ImageJ
from openhcs_runtime.viewers.fiji.layout import LAYER, Cell, Places, StackAxes, Value
from openhcs_runtime.viewers.fiji.planes import Element
from openhcs_runtime.viewers.fiji.styles import ChannelStyles

__all__ = ["Hyperstack"]


class Hyperstack:
    """The planes of one window, and the window itself.

    Args:
        ij: ImageJ.
        title: title of the window.
        shape: rows and columns of each plane.
        element: initial pixel type.
    """

    def __init__(self, ij: ImageJ, title: str, shape: tuple[int, int], element: Element) -> None:
        self.title = title
        self.shape = shape
        self.element = element
        self.axes = StackAxes()
        self.styles = ChannelStyles(ij)
        self.image: Any = None
        self._pixel_size: tuple[float, float, float] | None = None
        self._ij = ij
        self._pixels: dict[Cell, Any] = {}
        self._stack: Any = None
        self._built = StackAxes()
        """Axes of the image in ImageJ."""
        self._built_element = element
        self._is_grown = False
        self._replaced: set[Cell] = set()
        self._touched: set[Cell] = set()

    # --- planes ------------------------------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Memory used by the planes, in bytes."""
        return len(self._pixels) * self.shape[0] * self.shape[1] * self.element.dtype.itemsize

    @property
    def has_planes(self) -> bool:
        """Whether there are planes other than black ones for regions."""
        return bool(self._pixels)

    def put(self, cell: Cell, plane: npt.NDArray[Any], element: Element) -> None:
        """Add or replace a plane; it is on the screen after :meth:`commit` and :meth:`ImageJ.paint`."""
        if element > self.element:
            self._widen(element)
        if self.axes.channels == [()]:
            self.axes = StackAxes()  # there were only black planes for regions
        self._is_grown |= self.axes.add(cell)
        target = self._pixels.get(cell)
        if target is None:
            target = self._pixels[cell] = self._ij.spare_pixels(self.element, plane.size)
            self._replaced.add(cell)
        self._ij.write(plane, self.element, target)
        self._touched.add(cell)

    def hold(self, cell: Cell) -> None:
        """Add black planes for regions if there are no planes for their slice or frame."""
        channel = self.axes.channels[0] if self.axes.channels else ()
        room = Cell(channel, _room(self.axes.slices, cell.slice), _room(self.axes.frames, cell.frame))
        self._is_grown |= self.axes.add(room)

    def drop(self, cell: Cell) -> None:
        """Remove a plane, which becomes black again."""
        pixels = self._pixels.pop(cell, None)
        if pixels is not None:
            self._ij.give_back(pixels, self.element)
            self._replaced.add(cell)
            self._touched.add(cell)

    def remove_channels(self, layer: str) -> bool:
        """Remove the channels of a layer; return False if no others are left."""
        kept = [value for value in self.axes.channels if (LAYER, layer) not in value]
        if len(kept) < len(self.axes.channels):
            self.axes.channels[:] = kept or [()]
            self._is_grown = True
        return bool(kept)

    def calibrate(self, pixel_size: tuple[float, float, float]) -> None:
        """Set the pixel size: rows, columns, slices, in micrometres."""
        if pixel_size != self._pixel_size:
            self._pixel_size = pixel_size
            self._calibrate()

    def values(self, cell: Cell) -> npt.NDArray[Any] | None:
        """Return a copy of a plane; None if it has not been received."""
        pixels = self._pixels.get(cell)
        return None if pixels is None else self._ij.read(pixels, self.element, self.shape)

    def _widen(self, element: Element) -> None:
        """Convert all planes to a wider type, keeping their values; the image in ImageJ is rebuilt in place."""
        old, narrow = self.element, self._pixels
        self.element, self._pixels, self._is_grown = element, {}, True
        for cell in list(narrow):  # if the memory does not suffice for all, the rest is black
            pixels = self._ij.new_pixels(element, self.shape[0] * self.shape[1])
            self._ij.write(self._ij.read(narrow.pop(cell), old, self.shape), element, pixels)
            self._pixels[cell] = pixels

    # --- the window --------------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether the image has a window; the user may have closed it."""
        return self.image is not None and bool(self.image.isVisible())

    def commit(self) -> bool:
        """Update the image in ImageJ; return True if the visible part changed."""
        if self.image is not None and not self._is_ours():
            self._forget_image()
        if self.image is not None and not self.is_open:
            self.image.setWindow(None)  # ImageJ keeps a closed window, and would reopen it to extend it
        luts: dict[Value, Any] | None = None
        if self.image is not None:
            self.styles.note_user(self.image, self._built.channels)
        if self._is_grown:
            luts = {} if self.image is None else self.styles.luts(self.image, self._built.channels)
        if self._is_grown:
            self._grow()
        elif self._replaced:
            self._exchange(self._replaced)
        is_visible = self._is_grown or self._is_any_visible()
        is_visible |= self.styles.apply(self.image, self.axes.channels, luts)
        self._is_grown = False
        self._replaced.clear()
        self._touched.clear()
        if is_visible and self.is_open:
            self.image.updateAndDraw()
        return is_visible

    def show(self) -> None:
        """Open the window, or bring it to the front."""
        if self.is_open:
            self.image.getWindow().toFront()
            self._ij.WindowManager.setCurrentWindow(self.image.getWindow())
        else:
            self.image.setOpenAsHyperStack(True)
            self.image.show()

    def close(self) -> None:
        """Close the window and release the planes."""
        if self.image is not None:
            self.image.setIgnoreFlush(False)
            self.image.changes = False
            self.image.close()
        self._pixels.clear()

    def go_to(self, cells: Iterable[Cell]) -> None:
        """Move the sliders to the first of these planes, preferring those that have been received."""
        first = min(cells, key=lambda cell: (cell not in self._pixels, self.axes.numbers(cell)[::-1]))
        self.image.setPosition(*self.axes.numbers(first))

    @property
    def current(self) -> Cell:
        """The plane at the current position of the sliders."""
        return self._built.cell_at(self.image.getC(), self.image.getZ(), self.image.getT())

    # --- inside ------------------------------------------------------------------------------------------------------

    def _is_ours(self) -> bool:
        """Return False if the user changed the image by cropping or converting it; it then belongs to the user."""
        image = self.image
        now = (image.getHeight(), image.getWidth(), image.getBitDepth(), image.getStackSize())
        channels, slices, frames = self._built.sizes
        return bool(now == (*self.shape, int(self._built_element), channels * slices * frames))

    def _forget_image(self) -> None:
        self.image, self._stack, self._built, self._is_grown = None, None, StackAxes(), True
        self.styles.forget_applied()

    def _is_any_visible(self) -> bool:
        if not self._touched:
            return False
        current = self.current
        return any((cell.slice, cell.frame) == (current.slice, current.frame) for cell in self._touched)

    def _grow(self) -> None:
        current = None if self.image is None else self.current
        is_new = self.image is None
        if is_new:
            self.image = new_image(self._ij, self.title, self.shape, self._blank())
        if not self._append():
            self._rebuild()
        built = self._built.channels
        origins = [built.index(value) if value in built else None for value in self.axes.channels]
        set_stack(self._ij, self.image, self._stack, self._built.sizes, self.axes.sizes, origins)
        self._built = self.axes.copy()
        self._built_element = self.element
        if current is not None and self.axes.has(current):
            self.image.setPosition(*self.axes.numbers(current))
        if is_new:
            self._calibrate()

    def _append(self) -> bool:
        """Add planes of frames after all existing ones; return False if the stack grew in any other way."""
        built, axes = self._built, self.axes
        known = len(built.frames)
        if (
            not known
            or self.element is not self._built_element
            or (built.channels, built.slices) != (axes.channels, axes.slices)
        ):
            return False
        if axes.frames[:known] != built.frames:
            return False
        self._exchange(cell for cell in self._replaced if cell.frame in built.frames)
        for cell in axes.cells(known):
            self._stack.addSlice(self._label(cell), self._plane(cell))
        return True

    def _rebuild(self) -> None:
        """Rebuild the stack from the same planes, in their new order."""
        self._stack = self._ij.ImageStack(self.shape[1], self.shape[0])
        for cell in self.axes.cells():
            self._stack.addSlice(self._label(cell), self._plane(cell))

    def _exchange(self, cells: Iterable[Cell]) -> None:
        """Replace the arrays of these planes in the stack."""
        image = self.image
        for cell in cells:
            channel, slice_, frame = self.axes.numbers(cell)
            number = image.getStackIndex(channel, slice_, frame)
            pixels = self._plane(cell)
            self._stack.setPixels(pixels, number)
            self._stack.setSliceLabel(self._label(cell), number)
            if (slice_, frame) != (image.getZ(), image.getT()):
                continue
            shown = image.getProcessor(channel)  # from which a composite draws this channel
            if shown is not None:
                shown.setPixels(pixels)
            if channel == image.getC():
                image.getProcessor().setPixels(pixels)

    def _blank(self) -> Any:
        return self._ij.blank(self.element, self.shape[0] * self.shape[1])

    def _plane(self, cell: Cell) -> Any:
        pixels = self._pixels.get(cell)
        return self._blank() if pixels is None else pixels

    def _label(self, cell: Cell) -> str:
        words = [describe(value) for value in (cell.channel, cell.frame, cell.slice) if value]
        return ", ".join(words) if cell in self._pixels else f"{', '.join(words)} (not here)"

    def _calibrate(self) -> None:
        if self.image is None or self._pixel_size is None:
            return
        calibration = self.image.getCalibration()
        calibration.pixelHeight, calibration.pixelWidth, calibration.pixelDepth = self._pixel_size
        calibration.setUnit("micron")


def _room(values: list[Value], wanted: Value) -> Value:
    """Return an existing value that covers the wanted one, or else the wanted one."""
    return wanted if Places(values).find(wanted) is None else values[0]
