"""The window of napari: opened, drawn, pictured, closed. What napari has no public name for is used here only."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import napari  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Points, Shapes  # type: ignore[import-untyped]
from vispy.gloo import gl  # type: ignore[import-untyped]
from vispy.gloo.glir import GlirProgram  # type: ignore[import-untyped]

from openhcs_runtime.viewers.napari.qt import quit_application
from zmqruntime import ConfigurationError

__all__ = ["Canvas", "close_window", "open_window", "run_windows"]

_log = logging.getLogger(__name__)

_SIZE = (1200, 900)


def open_window(title: str) -> Any:
    """A window of napari, ready to draw.

    Raises:
        ConfigurationError: there is no screen.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ConfigurationError("napari needs a screen: set DISPLAY, or start it under xvfb-run")
    viewer = napari.Viewer(title=title, show=True)
    viewer.window.resize(*_SIZE)
    _warm_up(viewer)
    return viewer


def run_windows() -> None:
    """Run the event loop until the last window is closed, or the application told to quit."""
    napari.run(force=True)


def close_window(viewer: Any) -> None:
    """Close it without a question, and end the event loop."""
    try:
        viewer.close()
    except RuntimeError:
        _log.debug("the window was closed already")
    quit_application()


class Canvas:
    """The picture in the window of a viewer; of a model without one, nothing is ever drawn.

    on_drawn: called after each draw.
    """

    def __init__(self, viewer: Any, on_drawn: Callable[[], None]) -> None:
        self._viewer = viewer
        self._on_drawn = on_drawn
        window = getattr(viewer, "window", None)
        self._qt_window = window._qt_window if window is not None else None
        self._scene = window._qt_viewer.canvas._scene_canvas if window is not None else None
        if self._scene is not None:
            self._scene.events.draw.connect(self._on_draw, position="last")
            getattr(self._scene.context.shared.parser, "_classmap", {})["Program"] = _Program

    @property
    def is_visible(self) -> bool:
        """Whether a change of the layers leads to a draw."""
        return self._qt_window is not None and self._qt_window.isVisible() and not self._qt_window.isMinimized()

    def update(self) -> None:
        """Have it drawn soon."""
        if self._scene is not None:
            self._scene.update()

    def picture(self) -> npt.NDArray[np.uint8]:
        """The window as it is: (rows, columns, RGBA)."""
        return np.asarray(self._viewer.screenshot(canvas_only=False, flash=False), np.uint8)

    def show_text(self, text: str) -> None:
        """Write over the picture, unless the user has hidden that."""
        overlay = self._viewer.canvas.overlays.text
        if overlay.text != text:
            overlay.text = text

    def close(self) -> None:
        """Be told of no draw any more."""
        if self._scene is not None:
            self._scene.events.draw.disconnect(self._on_draw)
            self._scene = None

    def _on_draw(self, event: Any = None) -> None:
        _disable_attributes()
        self._on_drawn()


def _disable_attributes() -> None:
    """vispy 0.17 leaves the attributes of what it drew last enabled, also when their layer is removed and their buffers
    with it; then the process ends in the draw of another.
    """
    for number in range(gl.glGetParameter(gl.GL_MAX_VERTEX_ATTRIBS)):
        gl.glDisableVertexAttribArray(number)


class _Program(GlirProgram):  # type: ignore[misc]
    """One that stays until the window is closed, some kilobytes for each layer that ever was. Mesa without a graphics
    card, which Xvfb and remote screens have, may end the process in a draw after one was deleted.
    """

    def delete(self) -> None:
        """Only let go of it."""
        self.deactivate()


def _warm_up(viewer: Any) -> None:
    """The first layer of each kind takes napari a second: for shaders and controls. Better now than in front of a user
    who moves a slider.
    """
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
    viewer.canvas.overlays.text.visible = True
