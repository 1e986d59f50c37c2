"""The control channel of a client: requests waiting for their replies, even across lost connections."""

import concurrent.futures
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import zmq

from zmqruntime.base_messages import Message
from zmqruntime.exceptions import MessageError, ServerLostError
from zmqruntime.loop import SocketLoop, receive_ready, send_frames
from zmqruntime.refusals import HANDSHAKE_FAILURES

__all__ = ["ControlChannel"]

_LINGER_MS = 200
_MAX_SENDS = 20  # to the same server: otherwise one that closes the connection at each request would be asked forever
_EVENT = struct.Struct("=Hi")
_EVENTS = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | HANDSHAKE_FAILURES


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request waiting for its reply; ``link`` counts the connections before the one it was sent on."""

    data: bytes
    future: "concurrent.futures.Future[Message]"
    may_repeat: bool
    link: int = -1
    sends: int = 0


class ControlChannel:
    """A DEALER socket with its monitor, for use on the client's I/O thread only.

    A request that may be repeated is sent again when its connection is replaced by a new one, because the request or
    its reply was lost with the old one.

    Args:
        loop: the client's loop.
        make_socket: creates the connected DEALER socket.
        decode: converts bytes to a response.
        on_response: called with each response before the waiting future is resolved.
        on_link: called when a connection is established (True) or lost (False).
        on_handshake_failed: called with libzmq's event and its value when the server closes a new connection.
    """

    def __init__(
        self,
        loop: SocketLoop,
        make_socket: "Callable[[], zmq.Socket[bytes]]",
        decode: Callable[[bytes], Message],
        on_response: Callable[[Message], None],
        on_link: Callable[[bool], None],
        on_handshake_failed: Callable[[int, int], None],
    ) -> None:
        self.is_linked = False
        self._loop: Final = loop
        self._make_socket = make_socket
        self._decode = decode
        self._on_response = on_response
        self._on_link = on_link
        self._on_handshake_failed = on_handshake_failed
        self._link = 0
        self._waiting: dict[bytes, _Waiting] = {}
        self._outbox: deque[bytes] = deque()
        self._open()

    @property
    def waiting_count(self) -> int:
        """Number of requests waiting for their reply."""
        return len(self._waiting)

    @property
    def has_repeatable(self) -> bool:
        """Whether any waiting request could be answered by another server just as well."""
        return any(waiting.may_repeat for waiting in self._waiting.values())

    def put(
        self, key: bytes, data: bytes, future: "concurrent.futures.Future[Message]", may_repeat: bool = False
    ) -> None:
        """Send a request as soon as the connection accepts it, unless its future has been cancelled."""
        if not future.cancelled():
            self._waiting[key] = _Waiting(data, future, may_repeat)
            self._outbox.append(key)
            self._flush()

    def keep(self, key: bytes, future: "concurrent.futures.Future[Message]") -> None:
        """Wait for the end of the server, which fails a request that was sent another way and will not be answered."""
        if not future.cancelled():
            self._waiting[key] = _Waiting(b"", future, may_repeat=False, link=self._link)

    def forget(self, key: bytes) -> None:
        """Stop waiting for a reply."""
        self._waiting.pop(key, None)
        if key in self._outbox:
            self._outbox.remove(key)

    def renew(self, error: ServerLostError) -> None:
        """Discard everything written for a server that has ended, so that it never reaches its successor.

        Requests that may be repeated wait for the successor; the others fail with ``error``.
        """
        for key, waiting in list(self._waiting.items()):
            if not waiting.may_repeat:
                del self._waiting[key]
                _fail(waiting, error)
            waiting.sends = 0
        self.close(0)
        self._open()
        self._outbox = deque(self._waiting)
        self._flush()

    def fail_all(self, error: Exception) -> None:
        """Fail all waiting requests with ``error``."""
        waiting, self._waiting = self._waiting, {}
        self._outbox.clear()
        for each in waiting.values():
            _fail(each, error)

    def close(self, linger: int = _LINGER_MS) -> None:
        """Close the sockets; ``linger`` in milliseconds."""
        self._loop.remove(self._socket)
        self._loop.remove(self._events)
        self._socket.disable_monitor()
        self._events.close(linger=0)
        self._socket.close(linger)

    def _open(self) -> None:
        self._socket = self._make_socket()
        self._events = self._socket.get_monitor_socket(_EVENTS)
        self._loop.add_reader(self._socket, self._on_readable)
        self._loop.add_reader(self._events, self._on_events)
        self._link += 1
        self.is_linked = False

    def _flush(self) -> None:
        while self._outbox:
            key = self._outbox[0]
            waiting = self._waiting.get(key)
            if waiting is not None:
                try:
                    send_frames(self._socket, [key, b"", waiting.data])
                except zmq.Again:
                    self._loop.add_writer(self._socket, self._flush)
                    return
                waiting.link, waiting.sends = self._link, waiting.sends + 1
            self._outbox.popleft()
        self._loop.remove_writer(self._socket)

    def _on_readable(self) -> None:
        for frames in self._loop.receive(self._socket):
            waiting = self._waiting.pop(frames[0], None)
            if waiting is None or len(frames) != 3:
                continue
            try:
                response = self._decode(frames[2])
            except MessageError as error:
                _fail(waiting, error)
                continue
            self._on_response(response)
            if waiting.future.set_running_or_notify_cancel():
                waiting.future.set_result(response)

    def _on_events(self) -> None:
        events = self._events
        for frames in list(receive_ready(events)):
            if events is not self._events:  # renewed while an earlier event was handled
                return
            event, value = _EVENT.unpack(frames[0])
            if event & HANDSHAKE_FAILURES:
                self._on_handshake_failed(event, value)
                continue
            self.is_linked = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            if self.is_linked:
                self._send_again()
            else:
                self._link += 1
            self._on_link(self.is_linked)

    def _send_again(self) -> None:
        """Resend requests from earlier connections; those sent since the last loss are already under way."""
        for key, waiting in list(self._waiting.items()):
            if not waiting.may_repeat or not 0 <= waiting.link < self._link:
                continue
            if waiting.sends >= _MAX_SENDS:
                del self._waiting[key]
                _fail(
                    waiting, ServerLostError(f"the server closed the connection {waiting.sends} times on this request")
                )
            else:
                self._outbox.append(key)
        self._flush()


def _fail(waiting: _Waiting, error: Exception) -> None:
    if waiting.future.set_running_or_notify_cancel():
        waiting.future.set_exception(error)
