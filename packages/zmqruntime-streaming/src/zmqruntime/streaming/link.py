"""A producer's connection to a viewer, which reconnects whenever it breaks and begins with a hello.

Any thread may send while it holds the lock; everything else happens on the loop's thread. That is why the loop watches
the descriptor of the socket and not the socket itself, which it would use without the lock. The descriptor tells of
messages only after somebody has looked for them in vain (zmq_getsockopt(3), ``ZMQ_FD``), so that each use of the socket
ends with a look.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence

import zmq
from zmq.utils.monitor import recv_monitor_message

from zmqruntime.address import Address
from zmqruntime.codec import Decoder, encode
from zmqruntime.exceptions import MessageError
from zmqruntime.loop import SocketLoop, receive_ready
from zmqruntime.streaming.wire import FromViewer, StreamBye, StreamHello

__all__ = ["ViewerLink"]

_log = logging.getLogger(__name__)

_LINGER_MS = 200
_BROKEN = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
_MESSAGES_PER_TURN = 512
_EVENTS, _READABLE = int(zmq.EVENTS), int(zmq.POLLIN)  # arithmetic with flags of pyzmq takes longer than the call


class _Changes:
    """The descriptor that is readable after something has happened to a socket."""

    def __init__(self, sock: "zmq.Socket[bytes]") -> None:
        self._descriptor = int(sock.get(zmq.FD))

    def fileno(self) -> int:
        return self._descriptor


class ViewerLink:
    """The connection.

    Args:
        loop: the loop.
        address: address of the viewer.
        lock: held by every use of the socket. It is reentrant, and not held during calls of ``on_message``.
        make_hello: called at the beginning of each connection.
        on_message: called with each message of the viewer and its further frames.
        on_lost: called when the connection is lost.
    """

    def __init__(
        self,
        loop: SocketLoop,
        address: Address,
        lock: threading.Condition,
        make_hello: Callable[[], StreamHello],
        on_message: Callable[[FromViewer, Sequence[zmq.Frame]], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._address = address
        self._lock = lock
        self._make_hello = make_hello
        self._on_message = on_message
        self._on_lost = on_lost
        self._decode: Decoder[FromViewer] = Decoder(FromViewer)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._open()
        except BaseException:
            self._context.destroy(linger=0)
            raise

    def send(self, frames: Sequence[bytes | memoryview]) -> None:
        """Send frames without copying, with the lock held; their memory must not change until the viewer is done."""
        if self._is_given_up:
            return
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
            self._look_for_messages()
        except zmq.ZMQError as error:
            _log.warning("cannot send to the viewer on port %d: %s; connecting again", self._address.port, error)
            self.give_up()

    def give_up(self) -> None:
        """Send no more on this connection and make a new one; with the lock held, on any thread."""
        self._is_given_up = True
        self._loop.call_soon(self._connect_again)

    def close(self) -> None:
        """Send a goodbye and close the sockets."""
        with self._lock:
            with contextlib.suppress(zmq.Again):  # a viewer that is behind notices anyway
                self._socket.send(encode(StreamBye()), zmq.NOBLOCK)
            self._close_sockets(_LINGER_MS)
        self._context.term()

    def _open(self) -> None:
        self._is_given_up = False
        self._socket = self._context.socket(zmq.DEALER)
        self._address.connect(self._socket, patience=2 * self._address.config.heartbeat_window)
        self._monitor = self._socket.get_monitor_socket(_BROKEN)
        self._changes = _Changes(self._socket)
        self._loop.add_reader(self._changes, self._on_change)
        self._loop.add_reader(self._monitor, self._on_event)
        self._socket.send(encode(self._make_hello()))
        self._look_for_messages()

    def _look_for_messages(self) -> None:
        """Have messages received that the descriptor does not tell of any more; to be called after each use."""
        if int(self._socket.get(_EVENTS)) & _READABLE:
            self._loop.call_soon(self._on_change)

    def _close_sockets(self, linger: int) -> None:
        self._loop.remove(self._monitor)
        self._loop.remove(self._changes)
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=linger)

    def _on_event(self) -> None:
        event = recv_monitor_message(self._monitor)
        if event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            _log.warning("the viewer on port %d does not accept our key", self._address.port)
            return
        self._connect_again()

    def _connect_again(self) -> None:
        with self._lock:
            self._close_sockets(0)
            self._on_lost()
            self._open()

    def _on_change(self) -> None:
        with self._lock:
            messages = list(receive_ready(self._socket, _MESSAGES_PER_TURN))
        if len(messages) == _MESSAGES_PER_TURN:
            self._loop.call_soon(self._on_change)
        for head, *rest in messages:
            try:
                message = self._decode(head)
            except MessageError as error:
                _log.warning("the viewer on port %d sent an unreadable message: %s", self._address.port, error)
                continue
            self._on_message(message, [zmq.Frame(frame) for frame in rest])
