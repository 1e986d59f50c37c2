"""The napari viewer: what producers send, shown in a window of its own or in a napari that is open already."""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs_runtime.viewers.components import ComponentMode, Modes
from openhcs_runtime.viewers.napari.qt import Call, FramePump, Timeout, ends_on_signals
from openhcs_runtime.viewers.napari.regions import Dots, Drawn, dots_of, regions_of_rois, regions_of_shapes
from openhcs_runtime.viewers.napari.scene import Scene
from openhcs_runtime.viewers.napari.window import Canvas, close_window, open_window, run_windows
from zmqruntime import ConfigurationError, Shape, TransportMode, ZMQConfig
from zmqruntime.streaming import (
    DeferredAck,
    DisplayItem,
    Position,
    StreamingVisualizerServer,
    ViewerCommandError,
    ViewerPort,
)

__all__ = ["MEMORY_BUDGET", "NapariViewerServer"]

_log = logging.getLogger(__name__)

MEMORY_BUDGET = 2 * 1024**3
_SLICE_SECONDS = 0.008  # of a frame, for taking in; the rest is napari's
_DRAW_SECONDS = 1.0


class NapariViewerServer(StreamingVisualizerServer):
    """Shows images, labels, shapes, ROIs and points as layers of napari.

    It is used on the thread of Qt's event loop: :meth:`serve_forever` runs one with a window; a program that has its
    own calls :meth:`start`. Images are acknowledged as displayed after the draw, or when they are in a part of a layer
    that is not in view.

    The metadata of images: ``colormap`` (a colour's name, ``#rrggbb``, or a colormap of napari), ``contrast_limits``
    (two numbers), ``pixel_size`` (micrometres, one number or rows and columns), ``z_step`` (micrometres), ``rgb`` (the
    last axis is red, green, blue), ``kind`` (``"labels"`` of a label image). Of shapes, points, ROIs: ``color``.

    Args:
        port: the data port.
        host: an address to bind TCP to.
        transport_mode: IPC or TCP.
        config: what the viewer and its producers agree on.
        modes: components that are something else than the usual: channels have layers, all others sliders.
        memory_budget: bytes that planes and regions may take; past it, the oldest go, counted in the log.
        viewer: the napari to show it in; a window is opened where there is none, and closed at the end.

    Raises:
        ConfigurationError: there is no such mode.
    """

    viewer_type = "napari"
    has_display_thread = False

    def __init__(
        self,
        port: int = ViewerPort.NAPARI,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        modes: Mapping[str, ComponentMode | str] = MappingProxyType({}),
        memory_budget: int = MEMORY_BUDGET,
        viewer: Any = None,
    ) -> None:
        super().__init__(port, host=host, transport_mode=transport_mode, config=config)
        try:
            self._modes = Modes.of(modes)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        self._memory_budget = memory_budget
        self._given = viewer
        self._pending: deque[DisplayItem] = deque()
        self._taken: list[DeferredAck] = []  # wait for the next flush
        self._flushed: list[DeferredAck] = []  # wait for the next draw

    # --- life --------------------------------------------------------------------------------------------------------

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Open the window; only then is there anything that could display."""
        self._viewer = self._given or open_window(f"Images on port {self.port}")
        self._scene = Scene(self._viewer, self._modes, self._memory_budget)
        self._canvas = Canvas(self._viewer, self._on_drawn)
        self._pump = FramePump(self._on_frame)
        self._draw_timeout = Timeout(self._on_drawn)
        self._scene.on_moved = self._pump.schedule
        self._on_ended = Call(self._let_go)
        stack.callback(self._on_ended.post)
        super().on_open(stack)

    def serve_forever(self, on_ready: Callable[[], None] | None = None) -> None:
        """Open the window and show what comes, in this thread, until the window is closed, :meth:`close`, a shutdown
        request, SIGTERM or Ctrl-C. Raises as :meth:`start` does.
        """
        self.start()
        try:
            with ends_on_signals(lambda: self.loop.stop()):
                if on_ready is not None:
                    self.loop.call_soon(on_ready)
                run_windows()
        finally:
            self.close()

    def wake_display(self) -> None:
        """Something waits; on the I/O thread."""
        self._pump.wake()

    # --- frames, on Qt's thread --------------------------------------------------------------------------------------

    def display_batch(self, items: Sequence[DisplayItem]) -> None:
        """Keep what waited: it is taken in a slice at a time."""
        self._pending.extend(items)

    def _on_frame(self) -> bool:
        """One frame: take in, tell napari, and let it draw. True if there is more."""
        self.display_waiting()
        end = time.monotonic() + _SLICE_SECONDS
        while self._pending and time.monotonic() < end:
            self.display(self._pending.popleft())
        is_done = self._update()
        return bool(self._pending) or not is_done

    def _update(self, *, at_once: bool = False) -> bool:
        taken, self._taken = self._taken, []
        try:
            flushed = self._scene.flush(at_once=at_once)
            self._canvas.show_text(self._scene.text)
        except Exception as error:  # noqa: BLE001 - napari failed; the producers hear of it, and the next frame comes
            _log.exception("napari failed")
            for ack in taken:
                ack.failed(f"napari failed: {type(error).__name__}: {error}")
            return True
        if not flushed.is_done:
            self._taken = taken
            return False
        if flushed.is_seen and self._canvas.is_visible:
            self._flushed += taken
            self._canvas.update()
            if self._flushed and not self._draw_timeout.is_waiting:
                self._draw_timeout.start(_DRAW_SECONDS)
        else:
            for ack in taken:
                ack.displayed()
        return True

    def _on_drawn(self) -> None:
        """After a draw; or the system draws nothing of a window that nobody can see."""
        drawn, self._flushed = self._flushed, []
        self._draw_timeout.stop()
        for ack in drawn:
            ack.displayed()

    def _let_go(self) -> None:
        """The server has ended: so does its window, but not one that it was given."""
        self._pump.stop()
        self._draw_timeout.stop()
        self._pending.clear()
        self._canvas.close()
        self._scene.close()
        if self._given is None:
            close_window(self._viewer)

    # --- what comes in, on Qt's thread -------------------------------------------------------------------------------

    def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
        """Put an image, or labels, into the stack of its layer."""
        with self._acknowledged():
            self._scene.put_image(image_data, metadata["layer_name"], metadata["position"], metadata)

    def display_points(
        self, points: npt.NDArray[Any], features: dict[str, list[Any]], metadata: dict[str, Any]
    ) -> None:
        """Show points with the table of their features."""
        with self._acknowledged():
            dots = dots_of(points, features)
            self._scene.put_points(dots, metadata["layer_name"], metadata["position"], metadata)

    def display_shapes(self, shapes: list[Shape], metadata: dict[str, Any]) -> None:
        """Show shapes, those that are points as points."""
        with self._acknowledged():
            self._show_regions(regions_of_shapes(shapes), metadata)

    def display_rois(self, rois: list[bytes], names: list[str], metadata: dict[str, Any]) -> None:
        """Show ImageJ's ROIs as shapes and points."""
        with self._acknowledged():
            self._show_regions(regions_of_rois(rois, names), metadata)

    def _show_regions(self, regions: tuple[Drawn | None, Dots | None], metadata: dict[str, Any]) -> None:
        drawn, dots = regions
        if drawn is not None:
            self._scene.put_shapes(drawn, metadata["layer_name"], metadata["position"] or {}, metadata)
        if dots is not None:
            self._scene.put_points(dots, metadata["layer_name"], metadata["position"] or {}, metadata)

    def clear(self, layer_name: str | None) -> None:
        """Remove all layers that came from producers, or one."""
        self._update(at_once=True)
        self._scene.clear(layer_name)

    def navigate(self, position: Position) -> None:
        """Move the sliders to a position."""
        self._update(at_once=True)
        self._scene.navigate(position)

    def take_screenshot(self) -> npt.NDArray[np.uint8]:
        """The whole window, with what is over the picture."""
        if not self._canvas.is_visible:
            raise ViewerCommandError("napari's window is not on the screen, so there is no picture of it")
        while not self._update(at_once=True):
            pass
        return self._canvas.picture()

    @property
    def dropped(self) -> int:
        """How many images and sets of regions the memory budget has cost."""
        return self._scene.dropped

    @contextlib.contextmanager
    def _acknowledged(self) -> Iterator[None]:
        """Acknowledge what is put into the scene in the block after a later draw."""
        ack = self.defer_ack()
        yield
        self._taken.append(ack)
