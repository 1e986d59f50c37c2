from .acks.listener import (
    AckCounts as AckCounts,
    AckListener as AckListener,
    GlobalAckListener as GlobalAckListener,
)
from .acks.tracker import (
    GlobalQueueTrackerRegistry as GlobalQueueTrackerRegistry,
    ImageFailure as ImageFailure,
    QueueCounts as QueueCounts,
    QueueTracker as QueueTracker,
    QueueTrackerRegistry as QueueTrackerRegistry,
)
from .address import (
    Address as Address,
)
from .base_messages import (
    Message as Message,
)
from .client import (
    ClientState as ClientState,
    Standing as Standing,
    ZMQClient as ZMQClient,
)
from .config import (
    Security as Security,
    TransportMode as TransportMode,
    ZMQConfig as ZMQConfig,
)
from .control_client import (
    ControlClient as ControlClient,
)
from .exceptions import (
    ClosedError as ClosedError,
    ConfigurationError as ConfigurationError,
    ConnectionFailedError as ConnectionFailedError,
    KeyMismatchError as KeyMismatchError,
    MessageError as MessageError,
    OutdatedServerError as OutdatedServerError,
    PortInUseError as PortInUseError,
    RequestRefusedError as RequestRefusedError,
    RequestTimeoutError as RequestTimeoutError,
    ServerLostError as ServerLostError,
    ServerSilentError as ServerSilentError,
    ServerStartError as ServerStartError,
    UnsendableError as UnsendableError,
    WrongServerError as WrongServerError,
    ZMQRuntimeError as ZMQRuntimeError,
)
from .frozen import (
    freeze_support as freeze_support,
)
from .messages import (
    AckStage as AckStage,
    BatchRequest as BatchRequest,
    BatchResponse as BatchResponse,
    CancelRequest as CancelRequest,
    CancelResponse as CancelResponse,
    ControlMessageType as ControlMessageType,
    ErrorCode as ErrorCode,
    ExecuteRequest as ExecuteRequest,
    ExecutionSnapshot as ExecutionSnapshot,
    ExecutionStatus as ExecutionStatus,
    HistoryRequest as HistoryRequest,
    ImageAck as ImageAck,
    LogLevel as LogLevel,
    LogLine as LogLine,
    MessageFields as MessageFields,
    PongResponse as PongResponse,
    ProgressPhase as ProgressPhase,
    ProgressStatus as ProgressStatus,
    ProgressUpdate as ProgressUpdate,
    QueueAction as QueueAction,
    QueueRequest as QueueRequest,
    QueueResponse as QueueResponse,
    ResponseType as ResponseType,
    ROIMessage as ROIMessage,
    Shape as Shape,
    ShapeKind as ShapeKind,
    ShapesMessage as ShapesMessage,
    StateChange as StateChange,
    StatusRequest as StatusRequest,
    StatusResponse as StatusResponse,
)
from .security import (
    KeyStore as KeyStore,
)
from .server import (
    ZMQServer as ZMQServer,
)
from .transport import (
    get_default_transport_mode as get_default_transport_mode,
    get_ipc_socket_path as get_ipc_socket_path,
    get_zmq_transport_url as get_zmq_transport_url,
    remove_ipc_socket as remove_ipc_socket,
)
from .vocabulary import (
    Vocabulary as Vocabulary,
)
