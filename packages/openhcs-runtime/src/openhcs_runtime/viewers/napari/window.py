"""Opens, draws, captures and closes the window of napari; the only module that uses private parts of napari."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import napari  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Points, Shapes  # type: ignore[import-untyped]
from qtpy.QtWidgets import QWidget
from vispy.gloo import gl  # type: ignore[import-untyped]
from vispy.gloo.glir import GlirProgram  # type: ignore[import-untyped]

from openhcs_runtime.viewers.napari.qt import quit_application
from zmqruntime import ConfigurationError

__all__ = ["Canvas", "close_window", "open_window", "run_windows"]

_log = logging.getLogger(__name__)

_SIZE = (1200, 900)


def open_window(title: str) -> Any:
    """Open a napari window that is ready to draw.

    Raises:
        ConfigurationError: there is no display.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ConfigurationError("napari needs a display: set DISPLAY, or start it with xvfb-run")
    viewer = napari.Viewer(title=title, show=True)
    viewer.window.resize(*_SIZE)
    _warm_up(viewer)
    return viewer


def run_windows() -> None:
    """Run the event loop until the last window is closed or the application quits."""
    napari.run(force=True)


def close_window(viewer: Any) -> None:
    """Close the window without asking, and end the event loop."""
    try:
        viewer.close()
    except RuntimeError:
        _log.debug("the window was already closed")
    quit_application()


class Canvas:
    """The canvas of a viewer; for a model without a window, nothing is ever drawn.

    Args:
        viewer: the viewer.
        on_drawn: called after each draw.
    """

    def __init__(self, viewer: Any, on_drawn: Callable[[], None]) -> None:
        self._viewer = viewer
        self._on_drawn = on_drawn
        window = getattr(viewer, "window", None)
        self._qt_window = window._qt_window if window is not None else None
        self._scene = window._qt_viewer.canvas._scene_canvas if window is not None else None
        self._sliders = window._qt_viewer.dims if window is not None else None
        self._are_labels_new = False
        self._docked: set[int] = set()
        self._has_scale = False
        if self._scene is not None:
            self._scene.events.draw.connect(self._on_draw, position="last")
            getattr(self._scene.context.shared.parser, "_classmap", {})["Program"] = _Program

    @property
    def is_visible(self) -> bool:
        """Whether changes of the layers are drawn."""
        return self._qt_window is not None and self._qt_window.isVisible() and not self._qt_window.isMinimized()

    def update(self) -> None:
        """Request a draw."""
        if self._scene is not None:
            self._scene.update()

    def picture(self) -> npt.NDArray[np.uint8]:
        """Return a screenshot of the window: (rows, columns, RGBA)."""
        return np.asarray(self._viewer.screenshot(canvas_only=False, flash=False), np.uint8)

    def show_text(self, text: str) -> None:
        """Show a text over the picture, unless the user has hidden it."""
        overlay = self._viewer.canvas.overlays.text
        if overlay.text != text:
            overlay.text = text

    def show_axis_labels(self, labels: Mapping[int, str]) -> None:
        """Label sliders, by their axis, with what they are at."""
        dims = self._viewer.dims
        wanted = tuple(labels.get(axis, label) for axis, label in enumerate(dims.axis_labels))
        if wanted != tuple(dims.axis_labels):
            dims.axis_labels = wanted
            self._are_labels_new = True

    def show_scale(self, has_scale: bool) -> None:
        """Show the scale bar when the pixel size has become known, and hide it when it is not known any more."""
        if has_scale != self._has_scale:
            self._has_scale = has_scale
            self._viewer.canvas.overlays.scale_bar.visible = has_scale

    def show_title(self, title: str) -> None:
        """Set the title of the window."""
        self._viewer.title = title

    def add_dock(self, widget: QWidget, title: str) -> None:
        """Add a widget to the left of the picture; once it is there, does nothing."""
        if self._scene is None or id(widget) in self._docked:
            return
        self._docked.add(id(widget))
        self._viewer.window.add_dock_widget(widget, name=title, area="left", tabify=False)

    def bring_to_front(self) -> None:
        """Open the window if it is minimised or hidden, and bring it to the front."""
        if self._qt_window is None:
            return
        if self._qt_window.isMinimized():
            self._qt_window.showNormal()
        self._qt_window.show()
        self._qt_window.raise_()
        self._qt_window.activateWindow()

    def close(self) -> None:
        """Stop listening to draws."""
        if self._scene is not None:
            self._scene.events.draw.disconnect(self._on_draw)
            self._scene = None

    def _on_draw(self, event: Any = None) -> None:
        _disable_attributes()
        if self._are_labels_new and self._sliders is not None:
            self._are_labels_new = False
            self._sliders._resize_axis_labels()  # napari measures only labels that the user types
        self._on_drawn()


def _disable_attributes() -> None:
    """Disable all vertex attributes.

    vispy 0.17 leaves those of the last draw enabled, even after their layer and its buffers are removed; drawing
    another layer would then crash the process.
    """
    for number in range(gl.glGetParameter(gl.GL_MAX_VERTEX_ATTRIBS)):
        gl.glDisableVertexAttribArray(number)


class _Program(GlirProgram):  # type: ignore[misc]
    """A program that is kept until the window is closed.

    This costs a few kilobytes per layer. With Mesa's software rendering, as used by Xvfb and remote displays, a draw
    after a program was deleted may crash the process.
    """

    def delete(self) -> None:
        """Deactivate the program without deleting it."""
        self.deactivate()


def _warm_up(viewer: Any) -> None:
    """Create a layer of each kind, which takes a second the first time, before the user moves a slider."""
    plane = np.zeros((1, 1, 8, 8), np.uint16)
    layers = [
        Image(plane, contrast_limits=(0, 1)),
        Labels(plane),
        Shapes([np.array([[0, 0], [0, 5], [5, 5]])], shape_type="polygon"),
        Points(np.zeros((1, 2))),
    ]
    viewer.layers.extend(layers)
    viewer.screenshot(flash=False)
    viewer.layers.clear()
    viewer.canvas.overlays.text.position = "top_left"
    viewer.canvas.overlays.text.visible = True
