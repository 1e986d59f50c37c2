"""Every error that the streaming layer raises, in one tree below the core's.

ZMQRuntimeError
└── StreamingError
    ├── UnsupportedArrayError   an array of ours cannot be sent; says why and what to send instead
    └── ArrayFramesError        frames of a peer that are not an array (also a ``MessageError``)
"""

from zmqruntime.exceptions import MessageError, ZMQRuntimeError

__all__ = ["ArrayFramesError", "StreamingError", "UnsupportedArrayError"]


class StreamingError(ZMQRuntimeError):
    """Base of all errors of ``zmqruntime.streaming``."""


class UnsupportedArrayError(StreamingError):
    """The array's elements are not plain memory that means the same on every machine."""


class ArrayFramesError(StreamingError, MessageError):
    """The frames that came in are not an array."""
