"""The messages under their earlier module name."""

from zmqruntime import (
    CancelRequest,
    ControlMessageType,
    ExecuteRequest,
    ExecutionStatus,
    ImageAck,
    MessageFields,
    PongResponse,
    ProgressUpdate,
    ResponseType,
    ROIMessage,
    ShapesMessage,
    StatusRequest,
)

__all__ = [
    "CancelRequest",
    "ControlMessageType",
    "ExecuteRequest",
    "ExecutionStatus",
    "ImageAck",
    "MessageFields",
    "PongResponse",
    "ProgressUpdate",
    "ROIMessage",
    "ResponseType",
    "ShapesMessage",
    "StatusRequest",
]
