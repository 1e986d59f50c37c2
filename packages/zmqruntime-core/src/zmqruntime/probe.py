"""A probe of a server's network thread, which answers even while the server's own loop is busy."""

import struct
from collections.abc import Callable

import zmq

from zmqruntime.loop import SocketLoop, receive_ready

__all__ = ["LifeProbe"]

_EVENT = struct.Struct("=hi")
_BEAT_MS = 500
_SILENT_MS = 2000


class LifeProbe:
    """A connection that carries only ZMTP heartbeats (RFC 37), which libzmq answers in a separate thread.

    It is not the connection used for requests: libzmq closes a connection whose heartbeats are not answered, and the
    replies of a suspended server that resumes would be lost with it.

    Args:
        loop: the client's loop.
        make_socket: creates a connected DEALER socket, after passing it to the given function to set its options.
    """

    def __init__(
        self,
        loop: SocketLoop,
        make_socket: "Callable[[Callable[[zmq.Socket[bytes]], None]], zmq.Socket[bytes]]",
    ) -> None:
        self.is_alive = False
        """Whether the server answered within the last few seconds."""
        self._loop = loop
        self._events: zmq.Socket[bytes]
        self._socket = make_socket(self._prepare)
        loop.add_reader(self._events, self._on_events)

    def close(self) -> None:
        """Close the connection."""
        self._loop.remove(self._events)
        self._socket.disable_monitor()
        self._events.close(linger=0)
        self._socket.close(linger=0)

    def _prepare(self, sock: "zmq.Socket[bytes]") -> None:
        sock.heartbeat_ivl, sock.heartbeat_timeout = _BEAT_MS, _SILENT_MS
        self._events = sock.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)

    def _on_events(self) -> None:
        for frames in receive_ready(self._events):
            event, _ = _EVENT.unpack(frames[0])
            self.is_alive = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
