"""Reads the arrays of deliveries in a viewer, from their shared memory segments or from frames."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt
import zmq

from zmqruntime.messages import ErrorCode
from zmqruntime.streaming.compression import decompress
from zmqruntime.streaming.exceptions import ArrayFramesError, SegmentError
from zmqruntime.streaming.frames import count_bytes, decode_array
from zmqruntime.streaming.mappings import Mappings
from zmqruntime.streaming.segments import open_segment
from zmqruntime.streaming.wire import Delivery, ImageMessage, Packing, PointsMessage, SegmentProbe

__all__ = ["can_open", "read_array"]


def can_open(probe: SegmentProbe | None) -> bool:
    """Return whether this process shares memory with the one that created the probe."""
    if probe is None:
        return False
    try:
        with open_segment(probe.name, len(probe.content)) as mapped:
            return mapped[:] == probe.content
    except SegmentError:
        return False


def read_array(
    delivery: Delivery, frames: Sequence[zmq.Frame], mappings: Mappings, on_release: Callable[[], None]
) -> npt.NDArray[Any] | None:
    """Return the array of a delivery, read-only; None for shapes and ROIs, which have none.

    Args:
        delivery: the delivery.
        frames: its further frames.
        mappings: the segments that are open.
        on_release: called on any thread once there are no more references to an array in a segment.

    Returns:
        The array.

    Raises:
        ArrayFramesError: the frames are not an array.
        SegmentError: the segment cannot be opened.
    """
    if not isinstance(delivery.content, ImageMessage | PointsMessage):
        return None
    if not frames:
        raise ArrayFramesError(ErrorCode.INVALID, "the header of the array is missing")
    head, bodies = frames[0].buffer, [frame.buffer for frame in frames[1:]]
    if delivery.segment is not None:
        body = mappings.read(delivery.segment.name, delivery.segment.nbytes)
        weakref.finalize(body, on_release).atexit = False  # all arrays on it have this one as their base
        return decode_array([head, body.data])
    elements = bodies[0] if len(bodies) == 1 else memoryview(b"".join(bodies))
    if delivery.packing is Packing.BLOSC2:
        return decode_array([head, decompress(elements, count_bytes(head))])
    return decode_array([head, elements])
