"""Sends images, labels, regions and objects of a worker's wells to the viewer, without waiting for it."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import PROJECTED, Component, ImageKey
from openhcs_runtime.pipeline.calls import GroupResult
from openhcs_runtime.pipeline.cells import Column
from openhcs_runtime.pipeline.plan import PlateJob
from openhcs_runtime.rois import Roi
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.viewer_target import ViewCounts, ViewTarget
from openhcs_runtime.viewers.colours import channel_colormap
from openhcs_runtime.viewers.metadata import VISIBLE, WELL_TEXT
from openhcs_runtime.viewers.origin import Origin
from openhcs_runtime.viewers.rois import mask_labels, shapes_of
from openhcs_runtime.viewers.well_texts import WellDescriptions, describe_wells
from zmqruntime import ZMQRuntimeError
from zmqruntime.execution import current_task
from zmqruntime.streaming import ImageStream, Position, StreamTimeoutError

__all__ = ["ViewerFeed", "image_position"]

_log = logging.getLogger(__name__)

_BUDGET = 256 * 1024**2
_CONNECT_SECONDS = 0.5
_CLOSE_SECONDS = 12.0
_STALL_SECONDS = 4.0
_LOOK_SECONDS = 0.5
_CENTROID = ("centroid_y_px", "centroid_x_px")


class ViewerFeed:
    """Sends the images of the wells of one run to the viewer of the job, if it has one.

    Nothing here raises errors or waits for a viewer, except ``close``; if something can't be shown, this is logged
    once in the log of the task. Thread-safe.

    Args:
        on_counts: called by ``notify`` and ``close`` with the counts of everything sent so far, if there is anything.
    """

    def __init__(self, on_counts: Callable[[ViewCounts], None] | None = None) -> None:
        self._on_counts = on_counts
        self._streams: dict[ViewTarget, ImageStream | None] = {}
        self._closed = ViewCounts()
        self._told: set[str] = set()
        self._wells: WellDescriptions | None = None
        self._lock = threading.Lock()

    def show(self, job: PlateJob, index: int, result: GroupResult) -> None:
        """Show the result of step ``index`` for a pattern group, if the pipeline asks for it."""
        stream = self._stream(job.view)
        if stream is None:
            return
        chosen = any(step.stream for step in job.steps)
        step = job.steps[index]
        if chosen and not step.stream:
            return
        metadata = _metadata(job, self._well_text(job, result))
        try:
            if step.stream or step.materialize or index + 1 == len(job.steps):
                _send_images(stream, job, step.name, result, metadata)
            _send_objects(stream, job, step.name, result, metadata)
        except ZMQRuntimeError as error:
            self._warn(f"the result of step {step.name!r} can't be shown: {error}")

    def notify(self) -> None:
        """Report the counts."""
        if self._streams and self._on_counts is not None:
            self._on_counts(self.counts)

    @property
    def counts(self) -> ViewCounts:
        """The counts of everything sent so far."""
        known = [ViewCounts.of(stream.counts) for stream in self._streams.values() if stream is not None]
        return sum(known, self._closed)

    def close(self) -> None:
        """Give connected viewers time to show the rest while they make progress, then disconnect.

        Can be called more than once.
        """
        for stream in filter(None, self._streams.values()):
            if stream.wait_connected(_CONNECT_SECONDS):  # in a short run the connection may still be in progress
                _show_rest(stream)
            stream.close(0.0)
        self.notify()
        self._closed = self.counts
        self._streams.clear()

    def _stream(self, target: ViewTarget | None) -> ImageStream | None:
        if target is None:
            return None
        with self._lock:
            if target not in self._streams:
                self._streams[target] = self._open(target)
            return self._streams[target]

    def _well_text(self, job: PlateJob, result: GroupResult) -> str:
        """Return what the well of a result contains; empty if that is not known."""
        with self._lock:
            if self._wells is None:
                self._wells = describe_wells(Path(job.output_dir))
                if self._wells.problem:
                    self._warn(self._wells.problem)
        return self._wells.of(result.keys[0].well) if result.keys else ""

    def _open(self, target: ViewTarget) -> ImageStream | None:
        try:
            return ImageStream(target.port, host=target.host, config=OPENHCS_CONFIG, memory_budget=_BUDGET)
        except (ZMQRuntimeError, OSError) as error:
            self._warn(f"can't show images in viewer {target}: {error}")
            return None

    def _warn(self, text: str) -> None:
        if text not in self._told and len(self._told) < 20:
            self._told.add(text)
            _log.warning("%s", text)


def image_position(key: ImageKey, named: frozenset[Component], channel_names: Mapping[int, str]) -> Position:
    """Return the position of an image: its well, and the components with several values that were not projected."""
    position: Position = {Component.WELL.value: key.well}
    for component in (Component.SITE, Component.CHANNEL, Component.Z_INDEX, Component.TIMEPOINT):
        value = key.value(component)
        if component in named and value != PROJECTED:
            is_channel = component is Component.CHANNEL
            position[component.value] = channel_names.get(int(value), value) if is_channel else value
    return position


def _position(job: PlateJob, key: ImageKey) -> Position:
    """Return the position of an image in a viewer that may show other plates and runs as well."""
    where = image_position(key, job.named, dict(job.channel_names))
    return {**Origin.of_run(job.plate_path, job.output_dir).position, **where}


def _show_rest(stream: ImageStream) -> None:
    """Wait until everything is shown.

    Waits at most ``_CLOSE_SECONDS``, less if the viewer hangs or ends, and not at all if the run was cancelled.
    """
    now = time.monotonic()
    end, stalled, seen = now + _CLOSE_SECONDS, now + _STALL_SECONDS, 0
    while not current_task().cancelled and time.monotonic() < min(end, stalled):
        try:
            stream.settle(_LOOK_SECONDS)
        except StreamTimeoutError:
            shown = stream.counts.displayed + stream.counts.failed
            stalled = time.monotonic() + _STALL_SECONDS if shown > seen else stalled
            seen = shown
        else:
            return


def _send_images(
    stream: ImageStream, job: PlateJob, layer: str, result: GroupResult, common: Mapping[str, Any]
) -> None:
    names = dict(job.channel_names)
    for key, plane in zip(result.keys, result.stack, strict=True):
        metadata = dict(common)
        if Component.CHANNEL in job.named and key.channel != PROJECTED:
            metadata["colormap"] = channel_colormap(key.channel, names.get(key.channel, ""))
        stream.send(plane, layer_name=layer, position=_position(job, key), metadata=metadata)


def _send_objects(
    stream: ImageStream, job: PlateJob, layer: str, result: GroupResult, metadata: dict[str, Any]
) -> None:
    for key, labels in result.labels.items():
        _send_labels(stream, f"{layer} labels", _position(job, key), labels, metadata)
    for key, rois in result.rois.items():
        position = _position(job, key)
        _send_shapes(stream, f"{layer} regions", position, rois, metadata)
        masks = mask_labels(rois, (result.stack.shape[1], result.stack.shape[2]))
        if masks is not None:
            _send_labels(stream, f"{layer} masks", position, masks, metadata)
    for measured in result.measurements:
        # The outlines show the same objects; a point covers the edge that one wants to see.
        hidden = {**metadata, VISIBLE: False}
        _send_points(stream, f"{layer} objects", _position(job, measured.key), measured.table, hidden)


def _send_labels(
    stream: ImageStream, layer: str, position: Position, labels: NDArray[Any], metadata: dict[str, Any]
) -> None:
    stream.send(labels, layer_name=layer, position=position, metadata={**metadata, "kind": "labels"})


def _send_shapes(
    stream: ImageStream, layer: str, position: Position, rois: tuple[Roi, ...], metadata: dict[str, Any]
) -> None:
    shapes = shapes_of(rois)
    if shapes:
        stream.send_shapes(shapes, layer_name=layer, position=position, metadata=metadata)


def _send_points(
    stream: ImageStream, layer: str, position: Position, objects: Mapping[str, Column], metadata: dict[str, Any]
) -> None:
    if not all(column in objects for column in _CENTROID):
        return
    features = {name: column.cells for name, column in objects.items() if name not in _CENTROID}
    coordinates = np.column_stack([np.array(objects[column].cells, float) for column in _CENTROID])
    stream.send_points(coordinates, layer_name=layer, position=position, features=features, metadata=metadata)


def _metadata(job: PlateJob, well_text: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {} if job.pixel_size_um is None else {"pixel_size": job.pixel_size_um}
    return {**metadata, WELL_TEXT: well_text} if well_text else metadata
