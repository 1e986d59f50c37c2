"""A server process with a control channel and a data channel over ZeroMQ.

Start with :class:`ZMQServer` and :class:`ZMQClient`; ``zmqruntime.execution`` (long tasks) and
``zmqruntime.streaming`` (arrays) are separate distributions that build on them.
"""

import pathlib
from pkgutil import extend_path

if any(pathlib.Path(__file__).parent.parent.glob("zmqruntime-[0-9]*.dist-info")):
    raise ImportError(
        "another distribution called 'zmqruntime' is installed here and shares the import name of 'zmqruntime-core': "
        "pip uninstall zmqruntime, then pip install --force-reinstall zmqruntime-core, or use another environment"
    )

from zmqruntime.acks.listener import AckCounts, AckListener, GlobalAckListener
from zmqruntime.acks.tracker import (
    GlobalQueueTrackerRegistry,
    ImageFailure,
    QueueCounts,
    QueueTracker,
    QueueTrackerRegistry,
)
from zmqruntime.address import Address
from zmqruntime.base_messages import Message
from zmqruntime.client import ClientState, Standing, ZMQClient
from zmqruntime.config import Security, TransportMode, ZMQConfig
from zmqruntime.control_client import ControlClient
from zmqruntime.exceptions import (
    ClosedError,
    ConfigurationError,
    ConnectionFailedError,
    KeyMismatchError,
    MessageError,
    OutdatedServerError,
    PortInUseError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
    ServerSilentError,
    ServerStartError,
    UnsendableError,
    WrongServerError,
    ZMQRuntimeError,
)
from zmqruntime.frozen import freeze_support
from zmqruntime.messages import (
    AckStage,
    BatchRequest,
    BatchResponse,
    CancelRequest,
    CancelResponse,
    ControlMessageType,
    ErrorCode,
    ExecuteRequest,
    ExecutionSnapshot,
    ExecutionStatus,
    HistoryRequest,
    ImageAck,
    LogLevel,
    LogLine,
    MessageFields,
    PongResponse,
    ProgressPhase,
    ProgressStatus,
    ProgressUpdate,
    QueueAction,
    QueueRequest,
    QueueResponse,
    ResponseType,
    ROIMessage,
    Shape,
    ShapeKind,
    ShapesMessage,
    StateChange,
    StatusRequest,
    StatusResponse,
)
from zmqruntime.security import KeyStore
from zmqruntime.server import ZMQServer
from zmqruntime.transport import (
    get_default_transport_mode,
    get_ipc_socket_path,
    get_zmq_transport_url,
    remove_ipc_socket,
)
from zmqruntime.vocabulary import Vocabulary

__path__ = extend_path(__path__, __name__)

__all__ = [
    "AckCounts",
    "AckListener",
    "AckStage",
    "Address",
    "BatchRequest",
    "BatchResponse",
    "CancelRequest",
    "CancelResponse",
    "ClientState",
    "ClosedError",
    "ConfigurationError",
    "ConnectionFailedError",
    "ControlClient",
    "ControlMessageType",
    "ErrorCode",
    "ExecuteRequest",
    "ExecutionSnapshot",
    "ExecutionStatus",
    "GlobalAckListener",
    "GlobalQueueTrackerRegistry",
    "HistoryRequest",
    "ImageAck",
    "ImageFailure",
    "KeyMismatchError",
    "KeyStore",
    "LogLevel",
    "LogLine",
    "Message",
    "MessageError",
    "MessageFields",
    "OutdatedServerError",
    "PongResponse",
    "PortInUseError",
    "ProgressPhase",
    "ProgressStatus",
    "ProgressUpdate",
    "QueueAction",
    "QueueCounts",
    "QueueRequest",
    "QueueResponse",
    "QueueTracker",
    "QueueTrackerRegistry",
    "ROIMessage",
    "RequestRefusedError",
    "RequestTimeoutError",
    "ResponseType",
    "Security",
    "ServerLostError",
    "ServerSilentError",
    "ServerStartError",
    "Shape",
    "ShapeKind",
    "ShapesMessage",
    "Standing",
    "StateChange",
    "StatusRequest",
    "StatusResponse",
    "TransportMode",
    "UnsendableError",
    "Vocabulary",
    "WrongServerError",
    "ZMQClient",
    "ZMQConfig",
    "ZMQRuntimeError",
    "ZMQServer",
    "freeze_support",
    "get_default_transport_mode",
    "get_ipc_socket_path",
    "get_zmq_transport_url",
    "remove_ipc_socket",
]


def __dir__() -> list[str]:
    return sorted(__all__)
