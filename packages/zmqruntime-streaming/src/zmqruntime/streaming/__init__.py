"""Sends arrays to another process, and shows arrays, shapes and points in one.

``send(array, port)`` in one program, ``for array, meta in receive(port)`` in another. To show what a pipeline computes,
it sends with :class:`ImageStream`; a viewer is a :class:`StreamingVisualizerServer`, and
:class:`VisualizerProcessManager` manages its process.
"""

import zmqruntime

if getattr(zmqruntime, "__file__", None) is None:  # the folder of a namespace, without the core in it
    raise ImportError("zmqruntime-streaming needs zmqruntime-core, which is not installed: pip install zmqruntime-core")

from zmqruntime.streaming.backlog import Policy
from zmqruntime.streaming.compression import Compression
from zmqruntime.streaming.display import DeferredAck, DisplayItem
from zmqruntime.streaming.dtypes import ElementType, RecordField
from zmqruntime.streaming.exceptions import (
    ArrayFramesError,
    ArrayTooLargeError,
    SegmentError,
    StreamingError,
    StreamTimeoutError,
    UnsupportedArrayError,
    UnsupportedMetadataError,
    ViewerCommandError,
)
from zmqruntime.streaming.frames import ArrayHeader, MemoryOrder, decode_array, encode_array
from zmqruntime.streaming.inbox import ReceiverCounts, SenderCounts
from zmqruntime.streaming.metadata import Meta
from zmqruntime.streaming.process_manager import VisualizerProcessManager
from zmqruntime.streaming.receiver import Receiver, receive
from zmqruntime.streaming.segments import sweep_segments
from zmqruntime.streaming.sender import Sender
from zmqruntime.streaming.sending import flush, send
from zmqruntime.streaming.server import StreamingVisualizerServer
from zmqruntime.streaming.stream import ImageStream, StreamCounts
from zmqruntime.streaming.wire import Position, ViewerPort

__all__ = [
    "ArrayFramesError",
    "ArrayHeader",
    "ArrayTooLargeError",
    "Compression",
    "DeferredAck",
    "DisplayItem",
    "ElementType",
    "ImageStream",
    "MemoryOrder",
    "Meta",
    "Policy",
    "Position",
    "Receiver",
    "ReceiverCounts",
    "RecordField",
    "SegmentError",
    "Sender",
    "SenderCounts",
    "StreamCounts",
    "StreamTimeoutError",
    "StreamingError",
    "StreamingVisualizerServer",
    "UnsupportedArrayError",
    "UnsupportedMetadataError",
    "ViewerCommandError",
    "ViewerPort",
    "VisualizerProcessManager",
    "decode_array",
    "encode_array",
    "flush",
    "receive",
    "send",
    "sweep_segments",
]


def __dir__() -> list[str]:
    return sorted(__all__)
