"""The parts of ImageJ used by the viewer, accessed through JPype; the same for plain ImageJ and Fiji.

Java classes have no types that Python can check, so Java objects are ``Any``, and only modules in this folder use them.
"""

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs_runtime.viewers.fiji.placing import Area, WindowPlaces
from openhcs_runtime.viewers.fiji.planes import Element, fill

__all__ = ["ImageJ"]

_MAX_SPARES = 8


class ImageJ:
    """Access to ImageJ, after :func:`~openhcs_runtime.viewers.fiji.java.start_java`."""

    def __init__(self) -> None:
        self.jpype: Any = importlib.import_module("jpype")
        self.IJ = self.java("ij.IJ")
        self.ImagePlus = self.java("ij.ImagePlus")
        self.ImageStack = self.java("ij.ImageStack")
        self.CompositeImage = self.java("ij.CompositeImage")
        self.WindowManager = self.java("ij.WindowManager")
        self.StackWindow = self.java("ij.gui.StackWindow")
        self.Overlay = self.java("ij.gui.Overlay")
        self.LUT = self.java("ij.process.LUT")
        self.Color = self.java("java.awt.Color")
        self._RoiDecoder = self.java("ij.io.RoiDecoder")
        self._RoiManager = self.java("ij.plugin.frame.RoiManager")
        self._ByteProcessor = self.java("ij.process.ByteProcessor")
        self._EventQueue = self.java("java.awt.EventQueue")
        self._toolkit = self.java("java.awt.Toolkit").getDefaultToolkit()
        self._native_order = self.java("java.nio.ByteOrder").nativeOrder()
        self._arrays = {
            Element.UINT8: self.jpype.JArray(self.jpype.JByte),
            Element.UINT16: self.jpype.JArray(self.jpype.JShort),
            Element.FLOAT32: self.jpype.JArray(self.jpype.JFloat),
        }
        self._blanks: dict[tuple[Element, int], Any] = {}
        self._spares: dict[tuple[Element, int], list[Any]] = {}
        self._staging = np.empty(0, np.uint8)
        self._staging_buffer: Any = None

    def java(self, name: str) -> Any:
        """Return a Java class by its name."""
        return self.jpype.JClass(name)

    @property
    def main_window(self) -> Any:
        """ImageJ's main window, with menus and tools; None if the user closed it."""
        return self.IJ.getInstance()

    # --- pixels ------------------------------------------------------------------------------------------------------

    def new_pixels(self, element: Element, count: int) -> Any:
        """Return a Java array of zeros."""
        return self._arrays[element](count)

    def blank(self, element: Element, count: int) -> Any:
        """Return the shared array of zeros for missing planes of this size; it is never written to."""
        found = self._blanks.get((element, count))
        if found is None:
            found = self._blanks[element, count] = self.new_pixels(element, count)
        return found

    def spare_pixels(self, element: Element, count: int) -> Any:
        """Return a Java array to be overwritten, either one that was given back or a new one."""
        spares = self._spares.get((element, count))
        return spares.pop() if spares else self.new_pixels(element, count)

    def give_back(self, pixels: Any, element: Element) -> None:
        """Release an array that is no longer shown, so that it can be reused."""
        spares = self._spares.setdefault((element, len(pixels)), [])
        if len(spares) < _MAX_SPARES:
            spares.append(pixels)

    def write(self, plane: npt.NDArray[Any], element: Element, target: Any) -> None:
        """Copy a plane (Y, X) into a Java array, converted to its element type.

        The copy goes through a permanent buffer, because Java would keep a reference to the memory of the plane, which
        is only borrowed, until its next garbage collection.
        """
        nbytes = plane.size * element.dtype.itemsize
        if self._staging.size < nbytes:
            self._staging = np.empty(nbytes, np.uint8)
            self._staging_buffer = self.jpype.nio.convertToDirectBuffer(self._staging.data)
        fill(self._staging[:nbytes].view(element.dtype).reshape(plane.shape), plane)
        buffer = self._staging_buffer.duplicate().order(self._native_order)
        match element:
            case Element.UINT8:
                buffer.get(target)
            case Element.UINT16:
                buffer.asShortBuffer().get(target)
            case Element.FLOAT32:
                buffer.asFloatBuffer().get(target)

    def read(self, pixels: Any, element: Element, shape: tuple[int, int]) -> npt.NDArray[Any]:
        """Return a copy of a Java array as a plane (Y, X)."""
        signed = {Element.UINT8: np.int8, Element.UINT16: np.int16, Element.FLOAT32: np.float32}[element]
        return np.array(pixels[:], signed).view(element.dtype).reshape(shape)

    # --- windows -----------------------------------------------------------------------------------------------------

    def on_window_thread(self, work: Callable[[], None]) -> None:
        """Run a function on the AWT event thread, and wait for it."""
        self._EventQueue.invokeAndWait(self.jpype.JProxy("java.lang.Runnable", dict={"run": work}))

    def place(self, image: Any, places: WindowPlaces) -> None:
        """Move the window of an image, which has just opened, to its place below ImageJ's main window."""
        window, main = image.getWindow(), self.main_window
        if window is None:
            return
        screen = self._toolkit.getScreenSize()
        top = int(main.getY() + main.getHeight()) if main is not None else 0
        area = Area(0, top, int(screen.getWidth()), int(screen.getHeight()) - top)
        window.setLocation(*places.next(int(window.getWidth()), int(window.getHeight()), area))

    def paint(self, images: Sequence[Any]) -> None:
        """Draw the canvases of images; when this returns they are on the screen."""

        def work() -> None:
            for image in images:
                canvas = image.getCanvas()
                graphics = canvas.getGraphics() if canvas is not None else None
                if graphics is not None:
                    canvas.paint(graphics)
                    graphics.dispose()

        self.on_window_thread(work)
        self._toolkit.sync()

    def picture(self, image: Any) -> npt.NDArray[np.uint8]:
        """Return the canvas of an image, with its overlays: (rows, columns, RGB)."""
        canvas = image.getCanvas()
        width, height = int(canvas.getWidth()), int(canvas.getHeight())
        buffered_image = self.java("java.awt.image.BufferedImage")
        target = buffered_image(width, height, buffered_image.TYPE_INT_RGB)

        def work() -> None:
            graphics = target.createGraphics()
            canvas.paint(graphics)
            graphics.dispose()

        self.on_window_thread(work)
        packed = np.array(target.getRGB(0, 0, width, height, None, 0, width)[:], np.int32).view(np.uint32)
        return np.stack([packed >> 16, packed >> 8, packed], axis=-1).astype(np.uint8).reshape(height, width, 3)

    def on_quit(self, callback: Callable[[], None]) -> None:
        """Set the function to call when the user closes ImageJ's main window."""
        if self.main_window is None:
            return
        ignored = [
            "windowOpened", "windowClosing", "windowIconified", "windowDeiconified", "windowActivated",
            "windowDeactivated",
        ]  # fmt: skip
        methods: dict[str, Callable[[object], None]] = dict.fromkeys(ignored, _ignore)
        listener = self.jpype.JProxy(
            "java.awt.event.WindowListener", dict={**methods, "windowClosed": lambda event: callback()}
        )
        self.main_window.addWindowListener(listener)

    def add_menu(self, title: str, entries: Mapping[str, Callable[[], None]]) -> None:
        """Add a menu to ImageJ's menu bar."""
        bar = self.java("ij.Menus").getMenuBar()
        if bar is None:
            return
        menu = self.java("java.awt.Menu")(title)
        for name, callback in entries.items():
            entry = self.java("java.awt.MenuItem")(name)
            entry.addActionListener(
                self.jpype.JProxy(
                    "java.awt.event.ActionListener", dict={"actionPerformed": functools.partial(_call, callback)}
                )
            )
            menu.add(entry)
        bar.add(menu)

    def dispose_all(self) -> None:
        """Close all windows without asking."""
        for frame in self.java("java.awt.Window").getWindows():
            frame.dispose()

    # --- regions -----------------------------------------------------------------------------------------------------

    def decode_roi(self, data: bytes, name: str) -> Any:
        """Create an ImageJ ROI from the bytes of a ``.roi`` file.

        Raises:
            ValueError: the bytes are not an ImageJ ROI.
        """
        try:
            roi = self._RoiDecoder(self._arrays[Element.UINT8](data), name or None).getRoi()
        except (self.jpype.JException, TypeError) as error:
            raise ValueError(f"{name or 'a ROI'} is not an ImageJ ROI: {error}") from error
        if roi is None:
            raise ValueError(f"{name or 'a ROI'} is not an ImageJ ROI")
        return roi

    def roi_manager(self, *, make: bool) -> Any:
        """Return the ROI Manager; None if there isn't one and ``make`` is false."""
        manager = self._RoiManager.getInstance2()
        return self._RoiManager() if manager is None and make else manager

    @contextlib.contextmanager
    def away_from_images(self) -> Iterator[None]:
        """Make an empty image ImageJ's current image on this thread during the block.

        Every ROI added to the ROI Manager locks the current image and redraws its sliders, twice.
        """
        self.WindowManager.setTempCurrentImage(self.ImagePlus("", self._ByteProcessor(1, 1)))
        try:
            yield
        finally:
            self.WindowManager.setTempCurrentImage(None)


def _call(callback: Callable[[], None], event: object) -> None:
    callback()


def _ignore(event: object) -> None:
    """Ignore an event."""
