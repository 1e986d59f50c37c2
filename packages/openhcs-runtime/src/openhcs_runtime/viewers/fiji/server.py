"""The Fiji viewer, which shows in ImageJ what producers send."""

import contextlib
import logging
import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs_runtime.viewers.fiji.imagej import ImageJ
from openhcs_runtime.viewers.fiji.java import find_installation, start_java
from openhcs_runtime.viewers.fiji.layout import HyperstackAxis, Layout, WindowScope
from openhcs_runtime.viewers.fiji.planes import grey_planes
from openhcs_runtime.viewers.fiji.regions import (
    Outline,
    label_outlines,
    outlines_of_points,
    outlines_of_shapes,
)
from openhcs_runtime.viewers.fiji.screen import Screen, Window
from zmqruntime import ConfigurationError, Shape, TransportMode, ZMQConfig
from zmqruntime.streaming import DeferredAck, DisplayItem, Position, StreamingVisualizerServer, ViewerPort

__all__ = ["MEMORY_BUDGET", "FijiViewerServer"]

_log = logging.getLogger(__name__)

MEMORY_BUDGET = 2 * 1024**3
_HEAP_BESIDES = 2 * 1024**3  # used only as needed, for ImageJ itself and for the pictures it draws of large planes
_MAX_WINDOWS = 24
_WINDOW = 128
"""Items of a producer that may be on their way: ImageJ draws once for all that have come."""


class FijiViewerServer(StreamingVisualizerServer):
    """Shows images as hyperstacks in ImageJ or Fiji, with labels, shapes, points and ROIs over them.

    There can be only one per process, and the process ends when the user quits ImageJ. Images are acknowledged as
    displayed when ImageJ has drawn them, or when they are in a part of a stack that is not in view.

    Metadata of images: ``colormap`` (name of a colour, or ``#rrggbb``), ``contrast_limits`` (two numbers),
    ``pixel_size`` (micrometres, one number or rows and columns), ``z_step`` (micrometres), ``rgb`` (the last axis is
    red, green, blue), ``kind`` (``"labels"`` shows the outlines of a label image). Metadata of shapes, points and
    ROIs: ``color``.

    Args:
        port: the data port.
        host: address to bind TCP to.
        transport_mode: IPC or TCP.
        config: configuration shared by viewer and producers.
        windows: what one window contains: a well, a site, or everything.
        axes: components that are shown in another way than ``windows`` defines, for example ``{"site": "slice"}``.
        memory_budget: memory for planes and regions in ImageJ, in bytes; when it is used up, the oldest are dropped,
            and the log says how many.
        max_windows: how many windows open automatically; images of further windows are kept, and shown when navigated
            to.
        fiji: folder of a Fiji, or Maven coordinates for pyimagej [default: FIJI_HOME].
        jar: file of a plain ImageJ [default: IJ_JAR, or the usual places].

    Raises:
        ConfigurationError: a setting is not valid, or ImageJ was not found.
    """

    viewer_type = "fiji"

    def __init__(
        self,
        port: int = ViewerPort.FIJI,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        windows: WindowScope | str = WindowScope.WELL,
        axes: Mapping[str, HyperstackAxis | str] = MappingProxyType({}),
        memory_budget: int = MEMORY_BUDGET,
        max_windows: int = _MAX_WINDOWS,
        fiji: str | None = None,
        jar: str | None = None,
    ) -> None:
        super().__init__(port, host=host, transport_mode=transport_mode, config=config, window=_WINDOW)
        try:
            self._layout = Layout.of(windows, axes)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        self._memory_budget = memory_budget
        self._max_windows = max_windows
        self._installation = find_installation(fiji, jar)
        self._waiting: list[tuple[DeferredAck, set[Window]]] = []
        self._reported_drops = 0
        self._lock = threading.Lock()
        """Protects the screen, which is used by the display thread and by menus."""

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Start ImageJ before accepting images."""
        start_java(self._installation, self._memory_budget + _HEAP_BESIDES)
        self._ij = ImageJ()
        self._screen = Screen(self._ij, self._layout, self._memory_budget, self._max_windows)
        self._ij.on_quit(self._on_quit)
        self._ij.add_menu("Stream", {"Open all windows": self._on_reopen})
        stack.callback(self._ij.dispose_all)
        super().on_open(stack)

    # --- what comes in, on the display thread ------------------------------------------------------------------------

    def display_batch(self, items: Sequence[DisplayItem]) -> None:
        """Add all waiting items, then draw once."""
        with self._lock:
            for item in items:
                self.display(item)
            self._draw()

    def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
        """Show an image in its hyperstack, or the outlines of labels over it."""
        layer, position = metadata["layer_name"], metadata["position"]
        if metadata.get("kind") == "labels":
            windows: set[Window] = set()
            planes = [(more, plane.shape, label_outlines(plane)) for more, plane in grey_planes(image_data, {})]
            for more, (rows, columns), outlines in planes:
                place = {**position, **more}
                windows |= self._screen.put_regions(outlines, layer, place, metadata, (rows, columns))
            self._wait_for(windows)
        else:
            self._wait_for(self._screen.put_image(image_data, layer, position, metadata))

    def display_points(
        self, points: npt.NDArray[Any], features: dict[str, list[Any]], metadata: dict[str, Any]
    ) -> None:
        """Show points as one multi-point ROI; ImageJ can't show their features."""
        self._show_regions(outlines_of_points(points, metadata["layer_name"]), metadata)

    def display_shapes(self, shapes: list[Shape], metadata: dict[str, Any]) -> None:
        """Show shapes as ROIs."""
        self._show_regions(outlines_of_shapes(shapes), metadata)

    def display_rois(self, rois: list[bytes], names: list[str], metadata: dict[str, Any]) -> None:
        """Show ImageJ ROIs."""
        padded = [*names, *[""] * len(rois)]
        self._show_regions([Outline(data, name) for data, name in zip(rois, padded, strict=False)], metadata)

    def clear(self, layer_name: str | None) -> None:
        """Close all windows, or remove one layer."""
        self._draw()
        self._screen.clear(layer_name)

    def navigate(self, position: Position) -> None:
        """Bring the window of a position to the front, and move its sliders."""
        self._draw()
        self._screen.navigate(position)

    def take_screenshot(self) -> npt.NDArray[np.uint8]:
        """Return the image in the front window, in its size on the screen, with its overlays."""
        self._draw()
        return self._screen.picture()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _show_regions(self, outlines: list[Outline], metadata: dict[str, Any]) -> None:
        self._wait_for(self._screen.put_regions(outlines, metadata["layer_name"], metadata["position"] or {}, metadata))

    def _wait_for(self, windows: set[Window]) -> None:
        self._waiting.append((self.defer_ack(), windows))

    def _draw(self) -> None:
        failed = self._screen.draw()
        waiting, self._waiting = self._waiting, []
        for ack, windows in waiting:
            reason = next((failed[window] for window in windows if window in failed), None)
            if reason is None:
                ack.displayed()
            else:
                ack.failed(reason)
        dropped = self._screen.dropped
        if dropped >= 2 * self._reported_drops and dropped:
            self._reported_drops = dropped
            _log.warning("dropped %d planes or sets of regions so far: the memory budget is used up", dropped)

    def _on_quit(self) -> None:
        """Close the server; called on ImageJ's thread, which must not wait for ours."""
        _log.info("ImageJ was closed by the user")
        threading.Thread(target=self.close, name="quit", daemon=True).start()

    def _on_reopen(self) -> None:
        threading.Thread(target=self._reopen, name="reopen", daemon=True).start()

    def _reopen(self) -> None:
        with self._lock:
            self._screen.reopen()
