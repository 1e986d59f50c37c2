"""Limits on unauthenticated TCP connections to a server: those that have not presented a key yet.

Each of them takes a file descriptor of the server. On Linux, the kernel therefore holds back a connection until
something arrives on it, and beyond a limit no new connections are accepted until the present ones have presented their
keys or have been closed for not doing so. The server keeps its port and existing connections, and TCP itself retries
the new ones.
"""

import ctypes
import logging
import os
import socket
import struct
import sys
import time
import uuid
from typing import Final

import zmq

from zmqruntime.loop import SocketLoop

__all__ = ["Gate", "Lobby", "default_limit"]

_log = logging.getLogger(__name__)

_EVENTS = (
    zmq.EVENT_LISTENING
    | zmq.EVENT_ACCEPTED
    | zmq.EVENT_ACCEPT_FAILED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_DISCONNECTED
)
_EVENT = struct.Struct("=Hi")
_EVENTS_PER_TURN = 1_000
_SLACK_SECONDS = 1.0  # libzmq closes a late connection after its time is up, but not immediately
_LOOK_SECONDS = 1.0
_SILENT_SECONDS = 60  # more than the kernel keeps a connection on which nothing was sent

_BACKLOG = 1024
_MOST = 1024
_FEWEST = 16
_SHARE = 8  # of the descriptors; a server has two gates
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27  # asm-generic/socket.h
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: return 0


def default_limit() -> int:
    """Return how many unauthenticated connections one socket allows, given the resource limits of this process."""
    if sys.platform == "win32":
        return _MOST
    import resource  # noqa: PLC0415 - not available on Windows

    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if descriptors == resource.RLIM_INFINITY else max(_FEWEST, min(_MOST, descriptors // _SHARE))


class Lobby:
    """A counter of connections that have not authenticated yet.

    The handshake events of libzmq do not tell which connection they belong to. The count is therefore never too low: a
    new connection that is closed is assumed to have been authenticated.

    Args:
        patience: seconds after which a connection that is still open must have authenticated.
    """

    def __init__(self, patience: float) -> None:
        self._patience: Final = patience
        self._came: dict[int, float] = {}
        self._known = 0

    def enter(self, descriptor: int, now: float) -> None:
        """Count a new connection."""
        self.leave(descriptor)
        self._came[descriptor] = now

    def greet(self) -> None:
        """Note that one of the connections has authenticated."""
        self._known = min(self._known + 1, len(self._came))

    def leave(self, descriptor: int) -> None:
        """Note that a connection was closed."""
        if self._came.pop(descriptor, None) is not None:
            self._known = max(0, self._known - 1)

    def strangers(self, now: float) -> int:
        """Return the current number of unauthenticated connections."""
        while self._came:
            descriptor, came = next(iter(self._came.items()))
            if now - came < self._patience:
                break
            self.leave(descriptor)
        return len(self._came) - self._known


class Gate:
    """A limit on the unauthenticated connections of one TCP socket; for use on its loop's thread only.

    It must be created before the socket is bound.

    Args:
        loop: the server's loop.
        sock: the socket.
        handshake_seconds: seconds after which libzmq closes an unauthenticated connection.
        limit: maximum number of unauthenticated connections [default: see :func:`default_limit`].
    """

    def __init__(
        self, loop: SocketLoop, sock: "zmq.Socket[bytes]", handshake_seconds: float, limit: int | None = None
    ) -> None:
        sock.backlog = _BACKLOG
        self.is_open = True
        self._limit = default_limit() if limit is None else limit
        self._loop = loop
        self._socket = sock
        self._lobby = Lobby(handshake_seconds + _SLACK_SECONDS)
        self._listener: socket.socket | None = None
        self._opens_at = 0.0
        self._events = _monitor(sock)
        loop.add_reader(self._events, self._on_events)

    def close(self) -> None:
        """Release all resources; call it before the socket is closed."""
        self._loop.remove(self._events)
        self._socket.disable_monitor()
        self._events.close(linger=0)
        if self._listener is not None:
            self._listener.close()

    def _on_events(self) -> None:
        now = time.monotonic()
        for _ in range(_EVENTS_PER_TURN):
            try:
                frames = self._events.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            event, value = _EVENT.unpack(frames[0])
            self._on_event(event, value, now)
        if self.is_open and (self._lobby.strangers(now) > self._limit or self._opens_at > now):
            self._shut()

    def _on_event(self, event: int, value: int, now: float) -> None:
        match event:
            case zmq.EVENT_ACCEPTED:
                self._lobby.enter(value, now)
            case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._lobby.greet()
            case zmq.EVENT_DISCONNECTED:
                self._lobby.leave(value)
            case zmq.EVENT_ACCEPT_FAILED:  # usually out of descriptors: retrying at once would take a whole processor
                self._opens_at = now + _LOOK_SECONDS
            case zmq.EVENT_LISTENING:
                self._hold(value)

    def _hold(self, descriptor: int) -> None:
        """Keep a duplicate of the listening socket."""
        if sys.platform != "linux":
            return
        self._listener = socket.socket(fileno=os.dup(descriptor))
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _SILENT_SECONDS)

    def _shut(self) -> None:
        if self._listener is None:
            return
        program = ctypes.create_string_buffer(_DROP_ALL, len(_DROP_ALL))
        try:
            self._listener.setsockopt(
                socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program))
            )
        except OSError as error:
            _log.warning("too many unauthenticated connections, and new ones cannot be refused: %s", error)
            return
        self.is_open = False
        _log.warning("too many unauthenticated connections: new ones have to wait until these have gone")
        self._loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Accept connections again once there is room for them."""
        if self._listener is None or self._listener.fileno() < 0:
            return
        now = time.monotonic()
        if self._lobby.strangers(now) > self._limit // 2 or self._opens_at > now:
            self._loop.call_later(_LOOK_SECONDS, self._look)
            return
        self._listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
        self.is_open = True


def _monitor(sock: "zmq.Socket[bytes]") -> "zmq.Socket[bytes]":
    """Return a socket with libzmq's connection events; unlimited, because libzmq's own thread would block when full."""
    address = f"inproc://gate-{uuid.uuid4().hex}"
    sock.monitor(address, _EVENTS)
    events: zmq.Socket[bytes] = sock.context.socket(zmq.PAIR)
    events.rcvhwm = 0
    events.connect(address)
    return events
