"""Arrays shown in another process."""

from zmqruntime.streaming.dtypes import ElementType, Field
from zmqruntime.streaming.exceptions import ArrayFramesError, StreamingError, UnsupportedArrayError
from zmqruntime.streaming.frames import ArrayHeader, MemoryOrder, decode_array, encode_array

__all__ = [
    "ArrayFramesError",
    "ArrayHeader",
    "ElementType",
    "Field",
    "MemoryOrder",
    "StreamingError",
    "UnsupportedArrayError",
    "decode_array",
    "encode_array",
]
