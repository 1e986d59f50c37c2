"""The base classes of servers and clients under their earlier module name."""

from zmqruntime import (
    TransportMode,
    ZMQClient,
    ZMQConfig,
    ZMQServer,
    get_default_transport_mode,
    get_ipc_socket_path,
    get_zmq_transport_url,
    remove_ipc_socket,
)

__all__ = [
    "TransportMode",
    "ZMQClient",
    "ZMQConfig",
    "ZMQServer",
    "get_default_transport_mode",
    "get_ipc_socket_path",
    "get_zmq_transport_url",
    "remove_ipc_socket",
]
