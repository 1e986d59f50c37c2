"""The napari viewer, which shows what producers send in its own window or in a napari that is already open."""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs_runtime.viewers.components import ComponentMode, Modes
from openhcs_runtime.viewers.napari.plate_list import PlateList
from openhcs_runtime.viewers.napari.qt import Call, FramePump, Timeout, ends_on_signals
from openhcs_runtime.viewers.napari.regions import Dots, Drawn, dots_of, regions_of_rois, regions_of_shapes
from openhcs_runtime.viewers.napari.scenes import Scenes
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
_WINDOW = 256
"""Items of a producer that may be on their way: napari draws once for all that have come, and a draw takes longer."""
_SLICE_SECONDS = 0.008  # of a frame, for adding items; the rest is for napari
_DRAW_SECONDS = 1.0


class NapariViewerServer(StreamingVisualizerServer):
    """Shows images, labels, shapes, ROIs and points as napari layers.

    It is used on the thread of Qt's event loop: :meth:`serve_forever` runs an event loop with a window; programs that
    have their own event loop call :meth:`start`. Images are acknowledged as displayed after they were drawn, or when
    they are in a part of a layer that is not in view.

    It shows one plate or run at a time, by ``plate`` and ``run`` in the position of an item: a new one is shown at
    once, and :attr:`plates` goes back to the others.

    Metadata of images: ``colormap`` (name of a colour, ``#rrggbb``, or a napari colormap), ``contrast_limits`` (two
    numbers), ``pixel_size`` (micrometres, one number or rows and columns), ``z_step`` (micrometres), ``rgb`` (the last
    axis is red, green, blue), ``kind`` (``"labels"`` for a label image). Metadata of shapes, points and ROIs:
    ``color``. Metadata of all: ``visible`` (false for a layer that the user has to switch on).

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
        super().__init__(port, host=host, transport_mode=transport_mode, config=config, window=_WINDOW)
        try:
            self._modes = Modes.of(modes)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        self._memory_budget = memory_budget
        self._given = viewer
        self._pending: deque[DisplayItem] = deque()
        self._taken: list[DeferredAck] = []  # waiting for the next flush, and then for the next draw
        self._unseen: list[DeferredAck] = []  # waiting for the next flush only
        self._flushed: list[DeferredAck] = []  # waiting for the next draw
        self._is_draw_due = False

    # --- life --------------------------------------------------------------------------------------------------------

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Open the window before accepting images."""
        self._viewer = self._given or open_window(self._title)
        is_own = self._given is None  # layers of the user have units of their own
        self._scene = Scenes(self._viewer, self._modes, self._memory_budget, has_units=is_own)
        self.plates = PlateList(self._scene.show)
        """The list of the plates and runs that were received, from which the user chooses."""
        self._canvas = Canvas(self._viewer, self._on_drawn)
        self._pump = FramePump(self._on_frame)
        self._draw_timeout = Timeout(self._on_drawn)
        self._scene.on_moved = self._pump.schedule
        self._scene.on_changed = self._on_changed
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

    @property
    def _title(self) -> str:
        return f"Images on port {self.port}"

    def _on_changed(self) -> None:
        """Show which plates and runs there are, and which one is shown."""
        self.plates.fill(self._scene.titles, self._scene.current)
        if self._given is None:
            self._canvas.show_title(" - ".join(filter(None, (self._scene.title, self._title))))
            if self.plates.is_useful:
                self._canvas.add_dock(self.plates, "Plate")

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
        unseen, self._unseen = self._unseen, []
        try:
            flushed = self._scene.flush(at_once=at_once)
            self._canvas.show_text(self._scene.text)
            self._canvas.show_axis_labels(self._scene.axis_labels)
            self._canvas.show_scale(self._scene.has_scale)
        except Exception as error:  # noqa: BLE001 - napari failed; producers are told, and the next frame follows
            _log.exception("napari failed")
            for ack in taken + unseen:
                ack.failed(f"napari failed: {type(error).__name__}: {error}")
            return True
        self._is_draw_due |= flushed.is_seen
        if not flushed.is_done:
            self._taken, self._unseen = taken, unseen
            return False
        for ack in unseen:
            ack.displayed()
        is_draw_due, self._is_draw_due = self._is_draw_due, False
        if is_draw_due and self._canvas.is_visible:
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
        ack = self.defer_ack()
        is_seen = self._scene.put_image(image_data, metadata["layer_name"], metadata["position"], metadata)
        self._keep(ack, is_seen)

    def display_points(
        self, points: npt.NDArray[Any], features: dict[str, list[Any]], metadata: dict[str, Any]
    ) -> None:
        """Show points with their features."""
        ack = self.defer_ack()
        dots = dots_of(points, features)
        self._keep(ack, self._scene.put_points(dots, metadata["layer_name"], metadata["position"], metadata))

    def display_shapes(self, shapes: list[Shape], metadata: dict[str, Any]) -> None:
        """Show shapes, and point shapes as points."""
        ack = self.defer_ack()
        self._keep(ack, self._show_regions(regions_of_shapes(shapes), metadata))

    def display_rois(self, rois: list[bytes], names: list[str], metadata: dict[str, Any]) -> None:
        """Show ImageJ ROIs as shapes and points."""
        ack = self.defer_ack()
        self._keep(ack, self._show_regions(regions_of_rois(rois, names), metadata))

    def _show_regions(self, regions: tuple[Drawn | None, Dots | None], metadata: dict[str, Any]) -> bool:
        """Put regions into the scene, and return whether some of them are in sight."""
        drawn, dots = regions
        layer, position, is_seen = metadata["layer_name"], metadata["position"] or {}, False
        if drawn is not None:
            is_seen |= self._scene.put_shapes(drawn, layer, position, metadata)
        if dots is not None:
            is_seen |= self._scene.put_points(dots, layer, position, metadata)
        return is_seen

    def _keep(self, ack: DeferredAck, is_seen: bool) -> None:
        """Keep an acknowledgement until the item is in napari and, if it is in sight, drawn."""
        (self._taken if is_seen else self._unseen).append(ack)

    def clear(self, layer_name: str | None) -> None:
        """Remove all layers from producers, or one of them."""
        self._update(at_once=True)
        self._scene.clear(layer_name)

    def navigate(self, position: Position) -> None:
        """Show the plate of a position, move the sliders there, and bring the window to the front."""
        self._update(at_once=True)
        self._scene.navigate(position)
        self._canvas.bring_to_front()

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
