"""A producer's connection to a viewer, which reconnects whenever it breaks and begins with a hello."""

import contextlib
import logging
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


class ViewerLink:
    """The connection; used on the loop's thread.

    Args:
        loop: the loop.
        address: address of the viewer.
        make_hello: called at the beginning of each connection.
        on_message: called with each message of the viewer and its further frames.
        on_lost: called when the connection is lost.
    """

    def __init__(
        self,
        loop: SocketLoop,
        address: Address,
        make_hello: Callable[[], StreamHello],
        on_message: Callable[[FromViewer, Sequence[zmq.Frame]], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._address = address
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
        """Send frames without copying; their memory must not change until the viewer is done with them."""
        self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)

    def close(self) -> None:
        """Send a goodbye and close the sockets."""
        with contextlib.suppress(zmq.Again):  # a viewer that is behind notices anyway
            self._socket.send(encode(StreamBye()), zmq.NOBLOCK)
        self._close_sockets(_LINGER_MS)
        self._context.term()

    def _open(self) -> None:
        self._socket = self._context.socket(zmq.DEALER)
        self._address.connect(self._socket, patience=2 * self._address.config.heartbeat_window)
        self._monitor = self._socket.get_monitor_socket(_BROKEN)
        self._loop.add_reader(self._socket, self._on_readable)
        self._loop.add_reader(self._monitor, self._on_event)
        self._socket.send(encode(self._make_hello()))

    def _close_sockets(self, linger: int) -> None:
        self._loop.remove(self._monitor)
        self._loop.remove(self._socket)
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=linger)

    def _on_event(self) -> None:
        event = recv_monitor_message(self._monitor)
        if event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            _log.warning("the viewer on port %d does not accept our key", self._address.port)
            return
        self._close_sockets(0)
        self._on_lost()
        self._open()

    def _on_readable(self) -> None:
        for head, *rest in receive_ready(self._socket):
            try:
                message = self._decode(head)
            except MessageError as error:
                _log.warning("the viewer on port %d sent an unreadable message: %s", self._address.port, error)
                continue
            self._on_message(message, [zmq.Frame(frame) for frame in rest])
