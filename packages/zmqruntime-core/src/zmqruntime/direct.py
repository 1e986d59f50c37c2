"""Requests on sockets of the calling threads, which read their replies themselves: ZMTP on a Unix socket.

No other thread of this process has to be woken for such a request, and a server that ends is seen at once, because its
end closes the connection. A connection carries one request at a time, and is closed if the reply to it does not come,
so that a late reply never answers another request. The little of ZMTP 3.0 (ZeroMQ RFC 23) that a REQ socket needs is
written out here; the NULL mechanism is enough, because only the user can reach the socket file.
"""

import contextlib
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from zmqruntime.address import Address
from zmqruntime.config import TransportMode
from zmqruntime.deadlines import LISTEN_SECONDS, was_stopped

__all__ = ["DirectConnections", "NotSentError", "ReplyLostError"]

_MORE, _LONG, _COMMAND = 1, 2, 4  # flags of a ZMTP frame
_GREETING_BYTES = 64
_MECHANISM = b"NULL".ljust(20, b"\0")
_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + _MECHANISM + bytes(32)
_READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03REQ"
_HELLO = _GREETING + bytes((_COMMAND, len(_READY))) + _READY
_DELIMITER = bytes((_MORE, 0))
_SHORT_REPLY, _LONG_REPLY = _DELIMITER + b"\0", _DELIMITER + bytes((_LONG,))
_CHUNK_BYTES = 64 * 1024
_OPEN_SECONDS = 0.5  # a server that takes longer is busy: the I/O thread waits for it
_LONGEST_WAIT_SECONDS = 3600.0  # of one system call; a deadline may be later
_MOST_IDLE = 4
_MOST_OPEN = 32
_NO_SIGNAL: Final = getattr(socket, "MSG_NOSIGNAL", 0)


class NotSentError(Exception):
    """Nothing of a request has reached a server, so that it may be sent another way."""


class ReplyLostError(Exception):
    """The connection ended after the whole request was sent."""


class _Connection:
    """A connection for one request at a time.

    Args:
        max_bytes: the longest reply to accept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.instance_id = ""
        """The run of the server that it leads to; empty before that is known."""
        self._max_bytes = max_bytes
        self._received = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._poller = select.poll()
        self._poller.register(self._socket, select.POLLIN)

    def open(self, path: str, deadline: float) -> None:
        """Connect, and exchange greetings.

        Raises:
            OSError: nothing is listening there, or it does not speak ZMTP without encryption.
        """
        self._socket.connect(path)
        self._write(_HELLO, deadline)
        greeting = self._take(_GREETING_BYTES, deadline)
        _, ready = self._take_frame(deadline, is_command=True)
        if greeting[0] != 0xFF or greeting[10] < 3 or greeting[12:32] != _MECHANISM or ready[:6] != _READY[:6]:
            raise ConnectionError("this is not a server that speaks ZMTP 3 without encryption")

    def ask(self, data: bytes, deadline: float) -> bytes:
        """Send a request and return its reply.

        Raises:
            NotSentError: the connection is closed, and the server did not get the request.
            ReplyLostError: the connection ended, or the reply was not one.
            TimeoutError: there was no reply in time.
        """
        try:
            self._write(_DELIMITER + _head(len(data)) + data, deadline)
        except TimeoutError:
            raise
        except OSError as error:
            raise NotSentError from error
        try:
            _wait(self._poller, deadline)
            data = self._socket.recv(_CHUNK_BYTES)
            return _reply_in(data) or self._reply_after(data, deadline)
        except TimeoutError:
            raise
        except OSError as error:
            raise ReplyLostError from error

    def interrupt(self) -> None:
        """End the connection under the thread that is using it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _write(self, data: bytes, deadline: float) -> None:
        sent = self._socket.send(data, _NO_SIGNAL)
        if sent == len(data):
            return
        rest, writable = memoryview(data)[sent:], select.poll()
        writable.register(self._socket, select.POLLOUT)
        while rest:
            _wait(writable, deadline)
            with contextlib.suppress(BlockingIOError):
                rest = rest[self._socket.send(rest, _NO_SIGNAL) :]

    def _reply_after(self, begun: bytes, deadline: float) -> bytes:
        """Return a reply that has not arrived in one piece."""
        if not begun:
            raise ConnectionResetError("the server closed the connection")
        self._received += begun
        delimiter, reply = self._take_frame(deadline), self._take_frame(deadline)
        if delimiter != (_MORE, b"") or reply[0] & _MORE or self._received:
            raise ConnectionError("the reply is not one of a REQ socket")
        return reply[1]

    def _take_frame(self, deadline: float, *, is_command: bool = False) -> tuple[int, bytes]:
        """Return the flags and the content of the next frame, or of the next command."""
        while True:
            flags, size = self._take(2, deadline)
            if flags & _LONG:
                size = int.from_bytes(bytes((size,)) + self._take(7, deadline))
            if size > self._max_bytes:
                raise ConnectionError(f"a frame of {size} bytes")
            content = self._take(size, deadline)
            if bool(flags & _COMMAND) is is_command:
                return flags, content

    def _take(self, size: int, deadline: float) -> bytes:
        received = self._received
        while len(received) < size:
            _wait(self._poller, deadline)
            data = self._socket.recv(max(_CHUNK_BYTES, size - len(received)))
            if not data:
                raise ConnectionResetError("the server closed the connection")
            received += data
        taken = bytes(received[:size])
        del received[:size]
        return taken


class DirectConnections:
    """The connections of one client, for use by all its threads: as many as there are requests at the same time.

    Args:
        path: the socket file of the server's control channel.
        max_bytes: the longest reply to accept.
        ping: the encoded request to which a server answers who it is.
        identify: returns the instance id in the answer to it.
    """

    def __init__(self, path: str, max_bytes: int, ping: bytes, identify: Callable[[bytes], str]) -> None:
        self._path: Final = path
        self._max_bytes = max_bytes
        self._ping = ping
        self._identify = identify
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._used: set[_Connection] = set()
        self._is_closed = False

    @classmethod
    def to(cls, address: Address, ping: bytes, identify: Callable[[bytes], str]) -> "DirectConnections | None":
        """Return the connections to an address; None if it is not a Unix socket."""
        if sys.platform == "win32" or address.transport_mode is not TransportMode.IPC:
            return None
        return cls(address.control_url.removeprefix("ipc://"), address.config.max_message_bytes, ping, identify)

    @property
    def are_used(self) -> bool:
        """Whether any request is waiting for its reply."""
        return bool(self._used)

    def ask(self, data: bytes, instance_id: str, seconds: float) -> bytes:
        """Send a request to one run of the server and return its reply.

        Args:
            data: the request.
            instance_id: the run.
            seconds: how long to wait.

        Raises:
            NotSentError: there is no connection to that run of the server.
            ReplyLostError: the connection ended after the request was sent.
            TimeoutError: there was no reply in time.
        """
        deadline = time.monotonic() + seconds
        connection = self._borrow()
        is_well = False
        try:
            if connection.instance_id != instance_id:
                self._open(connection, instance_id, min(deadline, time.monotonic() + _OPEN_SECONDS))
            reply = connection.ask(data, deadline)
            is_well = True
            return reply
        finally:
            self._give_back(connection, is_well)

    def interrupt(self) -> None:
        """End all connections; requests that are waiting fail with :class:`ReplyLostError`."""
        with self._lock:
            idle, self._idle = self._idle, []
            for connection in self._used:
                connection.interrupt()
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """End all connections, and open no others."""
        self._is_closed = True
        self.interrupt()

    def _borrow(self) -> _Connection:
        with self._lock:
            if self._is_closed or len(self._used) >= _MOST_OPEN:
                raise NotSentError
            connection = self._idle.pop() if self._idle else _Connection(self._max_bytes)
            self._used.add(connection)
        return connection

    def _give_back(self, connection: _Connection, is_well: bool) -> None:
        with self._lock:
            self._used.discard(connection)
            is_kept = is_well and not self._is_closed and len(self._idle) < _MOST_IDLE
            if is_kept:
                self._idle.append(connection)
        if not is_kept:
            connection.close()

    def _open(self, connection: _Connection, instance_id: str, deadline: float) -> None:
        if connection.instance_id:
            raise NotSentError  # made to an earlier run of the server
        try:
            connection.open(self._path, deadline)
            found = self._identify(connection.ask(self._ping, deadline))
        except (OSError, ReplyLostError) as error:
            raise NotSentError from error
        if found != instance_id:
            raise NotSentError
        connection.instance_id = instance_id


def _reply_in(data: bytes) -> bytes | None:
    """Return the reply if these bytes are one, as most are; None if the frames have to be looked at."""
    if data[:3] == _SHORT_REPLY and len(data) == 4 + data[3]:
        return data[4:]
    if data[:3] == _LONG_REPLY and len(data) == 11 + int.from_bytes(data[3:11]):
        return data[11:]
    return None


def _head(size: int) -> bytes:
    return bytes((0, size)) if size < 256 else bytes((_LONG,)) + size.to_bytes(8)


def _wait(poller: "select.poll", deadline: float) -> None:
    """Wait until a socket is ready.

    Raises:
        TimeoutError: it is not ready in time. A process that was suspended listens a moment longer.
    """
    while (left := deadline - time.monotonic()) > _LONGEST_WAIT_SECONDS:
        if poller.poll(_LONGEST_WAIT_SECONDS * 1000):
            return
    if poller.poll(max(0.0, left) * 1000):
        return
    if not (was_stopped(deadline) and poller.poll(LISTEN_SECONDS * 1000)):
        raise TimeoutError
