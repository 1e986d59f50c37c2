from .backlog import (
    Policy as Policy,
)
from .compression import (
    Compression as Compression,
)
from .display import (
    DeferredAck as DeferredAck,
    DisplayItem as DisplayItem,
)
from .dtypes import (
    ElementType as ElementType,
    RecordField as RecordField,
)
from .exceptions import (
    ArrayFramesError as ArrayFramesError,
    ArrayTooLargeError as ArrayTooLargeError,
    SegmentError as SegmentError,
    StreamingError as StreamingError,
    StreamTimeoutError as StreamTimeoutError,
    UnsupportedArrayError as UnsupportedArrayError,
    UnsupportedMetadataError as UnsupportedMetadataError,
    ViewerCommandError as ViewerCommandError,
)
from .frames import (
    ArrayHeader as ArrayHeader,
    MemoryOrder as MemoryOrder,
    decode_array as decode_array,
    encode_array as encode_array,
)
from .inbox import (
    ReceiverCounts as ReceiverCounts,
    SenderCounts as SenderCounts,
)
from .metadata import (
    Meta as Meta,
)
from .process_manager import (
    VisualizerProcessManager as VisualizerProcessManager,
)
from .receiver import (
    Receiver as Receiver,
    receive as receive,
)
from .segments import (
    sweep_segments as sweep_segments,
)
from .sender import (
    Sender as Sender,
)
from .sending import (
    flush as flush,
    send as send,
)
from .server import (
    StreamingVisualizerServer as StreamingVisualizerServer,
)
from .stream import (
    ImageStream as ImageStream,
    StreamCounts as StreamCounts,
)
from .wire import (
    Position as Position,
    ViewerPort as ViewerPort,
)
