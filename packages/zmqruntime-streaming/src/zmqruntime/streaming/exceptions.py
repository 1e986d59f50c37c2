"""Every error that the streaming layer raises, in one tree below the core's.

ZMQRuntimeError
└── StreamingError
    ├── UnsupportedArrayError   an array of ours cannot be sent; says why and what to send instead
    ├── ArrayTooLargeError      an array of ours is larger than the stream's memory budget allows
    ├── ArrayFramesError        frames of a peer that are not an array (also a ``MessageError``)
    ├── SegmentError            a peer's segment of shared memory cannot be opened
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
    "ViewerCommandError",
]


class StreamingError(ZMQRuntimeError):
    """Base of all errors of ``zmqruntime.streaming``."""


class UnsupportedArrayError(StreamingError):
    """The array's elements are not plain memory that means the same on every machine."""


class ArrayTooLargeError(StreamingError):
    """The array is larger than half the stream's memory budget."""


class ArrayFramesError(StreamingError, MessageError):
    """The frames that came in are not an array."""


class SegmentError(StreamingError):
    """The segment is not there, is not this user's, or is shorter than promised."""


class StreamTimeoutError(StreamingError, TimeoutError):
    """The viewer did not take, or not show, in time what it was sent."""


class ViewerCommandError(StreamingError):
    """The viewer does not know the command, or failed at it."""
