"""The napari viewer, which shows what producers send in its own window or in a napari that is already open."""

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
_SLICE_SECONDS = 0.008  # of a frame, for adding items; the rest is for napari
_DRAW_SECONDS = 1.0


class NapariViewerServer(StreamingVisualizerServer):
    """Shows images, labels, shapes, ROIs and points as napari layers.

    It is used on the thread of Qt's event loop: :meth:`serve_forever` runs an event loop with a window; programs that
    have their own event loop call :meth:`start`. Images are acknowledged as displayed after they were drawn, or when
    they are in a part of a layer that is not in view.

    Metadata of images: ``colormap`` (name of a colour, ``#rrggbb``, or a napari colormap), ``contrast_limits`` (two
    numbers), ``pixel_size`` (micrometres, one number or rows and columns), ``z_step`` (micrometres), ``rgb`` (the last
    axis is red, green, blue), ``kind`` (``"labels"`` for a label image). Metadata of shapes, points and ROIs:
    ``color``.

    Args:
        port: the data port.
        host: address to bind TCP to.
        transport_mode: IPC or TCP.
        config: configuration shared by viewer and producers.
        modes: components with other than the default modes; by default channels are layers, all others are sliders.
        memory_budget: memory for planes and regions, in bytes; when it is used up, the oldest are dropped, and the log
            says how many.
        viewer: the napari viewer to use [default: a new window, which is closed at the end].

    Raises:
        ConfigurationError: a mode is unknown.
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
        self._taken: list[DeferredAck] = []  # waiting for the next flush
        self._flushed: list[DeferredAck] = []  # waiting for the next draw

    # --- life --------------------------------------------------------------------------------------------------------

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Open the window before accepting images."""
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
        """Open the window and run the viewer in this thread.

        Returns when the window is closed, :meth:`close` is called, or on a shutdown request, SIGTERM or Ctrl-C. Raises
        the errors of :meth:`start`.

        Args:
            on_ready: called once the viewer accepts images.
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
        """Announce waiting items; called on the I/O thread."""
        self._pump.wake()

    # --- frames, on Qt's thread --------------------------------------------------------------------------------------

    def display_batch(self, items: Sequence[DisplayItem]) -> None:
        """Queue the waiting items, which are added in slices."""
        self._pending.extend(items)

    def _on_frame(self) -> bool:
        """Process one frame: add items, update napari, let it draw. Return True if there is more to do."""
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
        except Exception as error:  # noqa: BLE001 - napari failed; producers are told, and the next frame follows
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
        """Acknowledge items after a draw, or after a timeout, as hidden windows are not drawn."""
        drawn, self._flushed = self._flushed, []
        self._draw_timeout.stop()
        for ack in drawn:
            ack.displayed()

    def _let_go(self) -> None:
        """Clean up after the server has ended, and close its window unless it was given one."""
        self._pump.stop()
        self._draw_timeout.stop()
        self._pending.clear()
        self._canvas.close()
        self._scene.close()
        if self._given is None:
            close_window(self._viewer)

    # --- what comes in, on Qt's thread -------------------------------------------------------------------------------

    def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
        """Show an image or labels in the stack of its layer."""
        with self._acknowledged():
            self._scene.put_image(image_data, metadata["layer_name"], metadata["position"], metadata)

    def display_points(
        self, points: npt.NDArray[Any], features: dict[str, list[Any]], metadata: dict[str, Any]
    ) -> None:
        """Show points with their features."""
        with self._acknowledged():
            dots = dots_of(points, features)
            self._scene.put_points(dots, metadata["layer_name"], metadata["position"], metadata)

    def display_shapes(self, shapes: list[Shape], metadata: dict[str, Any]) -> None:
        """Show shapes, and point shapes as points."""
        with self._acknowledged():
            self._show_regions(regions_of_shapes(shapes), metadata)

    def display_rois(self, rois: list[bytes], names: list[str], metadata: dict[str, Any]) -> None:
        """Show ImageJ ROIs as shapes and points."""
        with self._acknowledged():
            self._show_regions(regions_of_rois(rois, names), metadata)

    def _show_regions(self, regions: tuple[Drawn | None, Dots | None], metadata: dict[str, Any]) -> None:
        drawn, dots = regions
        if drawn is not None:
            self._scene.put_shapes(drawn, metadata["layer_name"], metadata["position"] or {}, metadata)
        if dots is not None:
            self._scene.put_points(dots, metadata["layer_name"], metadata["position"] or {}, metadata)

    def clear(self, layer_name: str | None) -> None:
        """Remove all layers from producers, or one of them."""
        self._update(at_once=True)
        self._scene.clear(layer_name)

    def navigate(self, position: Position) -> None:
        """Move the sliders to a position."""
        self._update(at_once=True)
        self._scene.navigate(position)

    def take_screenshot(self) -> npt.NDArray[np.uint8]:
        """Return a screenshot of the whole window, with overlays."""
        if not self._canvas.is_visible:
            raise ViewerCommandError("napari's window is not visible, so there is no screenshot of it")
        while not self._update(at_once=True):
            pass
        return self._canvas.picture()

    @property
    def dropped(self) -> int:
        """Number of images and sets of regions dropped because of the memory budget."""
        return self._scene.dropped

    @contextlib.contextmanager
    def _acknowledged(self) -> Iterator[None]:
        """Acknowledge what is put into the scene in the block after a later draw."""
        ack = self.defer_ack()
        yield
        self._taken.append(ack)
