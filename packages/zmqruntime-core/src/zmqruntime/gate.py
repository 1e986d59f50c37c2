"""How many connections of strangers a TCP server bears: those that have connected, and have not shown yet who they are.

Each takes a descriptor of the server. So on Linux the kernel keeps a connection to itself until something arrives on
it, and beyond a bound nobody is let in until those that are there have shown their keys, or have been cut for not doing
so. The port stays ours, connections that were there stay, and who knocks meanwhile knocks again, as TCP does by itself.
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
_SLACK_SECONDS = 1.0  # libzmq cuts who is late not before its time, and not at once
_LOOK_SECONDS = 1.0
_SILENT_SECONDS = 60  # more than a connection without a word is kept by the kernel

_BACKLOG = 1024
_MOST = 1024
_FEWEST = 16
_SHARE = 8  # of the descriptors; a server has two gates
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27  # asm-generic/socket.h
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: return 0


def default_limit() -> int:
    """How many strangers one socket bears in a process with the limits of this one."""
    if sys.platform == "win32":
        return _MOST
    import resource  # noqa: PLC0415 - Windows has none

    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if descriptors == resource.RLIM_INFINITY else max(_FEWEST, min(_MOST, descriptors // _SHARE))


class Lobby:
    """Counts the connections that have not shown yet who they are.

    What libzmq tells of a handshake does not say of which connection. So this never counts too few: a young
    connection that ends is taken for one that had shown who it was.

    Args:
        patience: after so many seconds a connection that is still there must have done so.
    """

    def __init__(self, patience: float) -> None:
        self._patience: Final = patience
        self._came: dict[int, float] = {}
        self._known = 0

    def enter(self, descriptor: int, now: float) -> None:
        """Somebody has connected."""
        self.leave(descriptor)
        self._came[descriptor] = now

    def greet(self) -> None:
        """One of them has shown who it is."""
        self._known = min(self._known + 1, len(self._came))

    def leave(self, descriptor: int) -> None:
        """A connection has ended."""
        if self._came.pop(descriptor, None) is not None:
            self._known = max(0, self._known - 1)

    def strangers(self, now: float) -> int:
        """How many there are now."""
        while self._came:
            descriptor, came = next(iter(self._came.items()))
            if now - came < self._patience:
                break
            self.leave(descriptor)
        return len(self._came) - self._known


class Gate:
    """Watches over one socket that is bound to TCP; on its loop's thread only.

    Make it before the socket is bound.

    Args:
        loop: the server's.
        sock: the socket.
        handshake_seconds: when libzmq cuts who has not shown who it is.
        limit: how many of those there may be.
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
        """Release what is ours; before the socket is closed."""
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
            case zmq.EVENT_ACCEPT_FAILED:  # of want of descriptors, as a rule: to go on trying takes a whole processor
                self._opens_at = now + _LOOK_SECONDS
            case zmq.EVENT_LISTENING:
                self._hold(value)

    def _hold(self, descriptor: int) -> None:
        """Have the listening socket in our hands too."""
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
            _log.warning("too many strangers, and nothing can be done about it: %s", error)
            return
        self.is_open = False
        _log.warning("too many have connected and not shown who they are: nobody else is let in until they have gone")
        self._loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Let others in again when there is room for them."""
        if self._listener is None or self._listener.fileno() < 0:
            return
        now = time.monotonic()
        if self._lobby.strangers(now) > self._limit // 2 or self._opens_at > now:
            self._loop.call_later(_LOOK_SECONDS, self._look)
            return
        self._listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
        self.is_open = True


def _monitor(sock: "zmq.Socket[bytes]") -> "zmq.Socket[bytes]":
    """Where libzmq tells of connections; without a limit, since its own thread would wait for room."""
    address = f"inproc://gate-{uuid.uuid4().hex}"
    sock.monitor(address, _EVENTS)
    events: zmq.Socket[bytes] = sock.context.socket(zmq.PAIR)
    events.rcvhwm = 0
    events.connect(address)
    return events
