"""The exceptions of the streaming layer.

ZMQRuntimeError
└── StreamingError
    ├── UnsupportedArrayError   the array cannot be sent; says why, and what to send instead
    │   └── UnsupportedMetadataError   its metadata would not arrive as it is
    ├── ArrayTooLargeError      the array is larger than the stream's memory budget allows
    ├── ArrayFramesError        received frames are not an array (also a ``MessageError``)
    ├── SegmentError            a shared memory segment of a peer cannot be opened
    ├── StreamTimeoutError      the viewer was not ready in time (also a ``TimeoutError``)
    └── ViewerCommandError      the viewer could not carry out a command
"""

from zmqruntime.exceptions import MessageError, ZMQRuntimeError

__all__ = [
    "ArrayFramesError",
    "ArrayTooLargeError",
    "SegmentError",
    "StreamTimeoutError",
    "StreamingError",
    "UnsupportedArrayError",
    "UnsupportedMetadataError",
    "ViewerCommandError",
]


class StreamingError(ZMQRuntimeError):
    """Base class of all exceptions of ``zmqruntime.streaming``."""


class UnsupportedArrayError(StreamingError):
    """The elements of the array are not plain memory with the same meaning on every machine."""


class UnsupportedMetadataError(UnsupportedArrayError):
    """A value of the metadata would not arrive as it is, or there is too much of it."""


class ArrayTooLargeError(StreamingError):
    """The array is larger than half the stream's memory budget."""


class ArrayFramesError(StreamingError, MessageError):
    """The received frames are not an array."""


class SegmentError(StreamingError):
    """The segment does not exist, belongs to another user, or is shorter than announced."""


class StreamTimeoutError(StreamingError, TimeoutError):
    """The viewer did not accept, or did not show, an item in time."""


class ViewerCommandError(StreamingError):
    """The viewer does not support the command, or the command failed."""
