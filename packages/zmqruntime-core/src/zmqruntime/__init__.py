"""A server process with a control and a data channel over ZeroMQ.

Start with :class:`ZMQServer` and :class:`ZMQClient`; ``zmqruntime.execution`` (long tasks) and
``zmqruntime.streaming`` (arrays) are separate distributions that build on them.
"""

from pkgutil import extend_path

from zmqruntime.client import ClientState, ZMQClient
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import (
    ClosedError,
    ConfigurationError,
    ConnectionFailedError,
    MessageError,
    PortInUseError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
    ServerStartError,
    ZMQRuntimeError,
)
from zmqruntime.messages import (
    AckStage,
    CancelRequest,
    CancelResponse,
    ControlMessageType,
    ErrorCode,
    ExecuteRequest,
    ExecutionSnapshot,
    ExecutionStatus,
    ImageAck,
    LogLevel,
    LogLine,
    PongResponse,
    ProgressPhase,
    ProgressStatus,
    ProgressUpdate,
    ResponseType,
    StateChange,
    StatusRequest,
    StatusResponse,
)
from zmqruntime.server import ZMQServer
from zmqruntime.transport import (
    get_default_transport_mode,
    get_ipc_socket_path,
    get_zmq_transport_url,
    remove_ipc_socket,
)

__path__ = extend_path(__path__, __name__)

__all__ = [
    "AckStage",
    "CancelRequest",
    "CancelResponse",
    "ClientState",
    "ClosedError",
    "ConfigurationError",
    "ConnectionFailedError",
    "ControlMessageType",
    "ErrorCode",
    "ExecuteRequest",
    "ExecutionSnapshot",
    "ExecutionStatus",
    "ImageAck",
    "LogLevel",
    "LogLine",
    "MessageError",
    "PongResponse",
    "PortInUseError",
    "ProgressPhase",
    "ProgressStatus",
    "ProgressUpdate",
    "RequestRefusedError",
    "RequestTimeoutError",
    "ResponseType",
    "ServerLostError",
    "ServerStartError",
    "StateChange",
    "StatusRequest",
    "StatusResponse",
    "TransportMode",
    "ZMQClient",
    "ZMQConfig",
    "ZMQRuntimeError",
    "ZMQServer",
    "get_default_transport_mode",
    "get_ipc_socket_path",
    "get_zmq_transport_url",
    "remove_ipc_socket",
]
