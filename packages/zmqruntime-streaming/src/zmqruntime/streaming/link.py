"""A producer's connection to a viewer: made again whenever it breaks, with a hello at its beginning."""

import contextlib
import logging
from collections.abc import Callable, Sequence

import zmq
from zmq.utils.monitor import recv_monitor_message

from zmqruntime.codec import Decoder, encode
from zmqruntime.config import Security, TransportMode, ZMQConfig
from zmqruntime.exceptions import MessageError
from zmqruntime.loop import SocketLoop, receive_ready
from zmqruntime.security import KeyStore
from zmqruntime.streaming.wire import FromViewer, StreamBye, StreamHello
from zmqruntime.transport import LOOPBACK, get_zmq_transport_url

__all__ = ["ViewerAddress", "ViewerLink"]

_log = logging.getLogger(__name__)

_LINGER_MS = 200
_RETRY_MS, _RETRY_MAX_MS = 50, 1000
_BROKEN = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH


class ViewerAddress:
    """Where a viewer is.

    Args:
        port: its data port.
        host: where a TCP viewer is; naming one selects TCP.
        transport_mode: IPC or TCP.
        config: what the viewer and its producers agree on.
    """

    def __init__(self, port: int, host: str | None, transport_mode: TransportMode, config: ZMQConfig) -> None:
        self.port = port
        self.host = host or LOOPBACK
        self.transport_mode = transport_mode
        self.config = config

    @property
    def is_local(self) -> bool:
        """Whether it is surely on this machine. Who is not may still be."""
        return self.transport_mode is TransportMode.IPC or self.host in (LOOPBACK, "localhost", "::1")

    def connect(self, context: "zmq.Context[zmq.Socket[bytes]]", kind: int, port: int) -> "zmq.Socket[bytes]":
        """A socket of ours, connected to one of its ports.

        Raises:
            ConfigurationError: the address cannot be used, or the viewer's key is not known.
        """
        sock = context.socket(kind)
        try:
            sock.linger = _LINGER_MS
            sock.maxmsgsize = self.config.max_message_bytes
            sock.ipv6 = ":" in self.host
            sock.reconnect_ivl, sock.reconnect_ivl_max = _RETRY_MS, _RETRY_MAX_MS
            if not self.is_local:
                # A host can vanish without a word. A process of this one cannot, but one that was stopped must not
                # be taken for lost: it goes on reading our segments when it continues.
                sock.heartbeat_ivl = int(self.config.heartbeat_interval * 1000)
                sock.heartbeat_timeout = int(2 * self.config.heartbeat_window * 1000)
            if self.transport_mode is TransportMode.TCP and self.config.security is Security.CURVE:
                store = KeyStore(self.config)
                keys = store.client()
                sock.curve_publickey, sock.curve_secretkey = keys.public, keys.secret
                sock.curve_serverkey = store.server_key_for(self.host, self.port, is_local=self.is_local)
            sock.connect(get_zmq_transport_url(port, self.host, self.transport_mode, self.config))
        except BaseException:
            sock.close(linger=0)
            raise
        return sock


class ViewerLink:
    """Lives on the loop's thread. ``on_message`` gets what the viewer says, ``on_lost`` is called when it is gone."""

    def __init__(
        self,
        loop: SocketLoop,
        address: ViewerAddress,
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
        self._open()

    def send(self, frames: Sequence[bytes | memoryview]) -> None:
        """Send frames, where they are; their memory must stay as it is until the viewer is done with them."""
        self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)

    def close(self) -> None:
        """Say good-bye and release the sockets."""
        with contextlib.suppress(zmq.Again):  # a viewer that is behind with reading sees us go all the same
            self._socket.send(encode(StreamBye()), zmq.NOBLOCK)
        self._close_sockets(_LINGER_MS)
        self._context.term()

    def _open(self) -> None:
        self._socket = self._address.connect(self._context, zmq.DEALER, self._address.port)
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
            _log.warning("the viewer on port %d does not know our key", self._address.port)
            return
        self._close_sockets(0)
        self._on_lost()
        self._open()

    def _on_readable(self) -> None:
        for head, *rest in receive_ready(self._socket):
            try:
                message = self._decode(head)
            except MessageError as error:
                _log.warning("the viewer on port %d sent something unreadable: %s", self._address.port, error)
                continue
            self._on_message(message, [zmq.Frame(frame) for frame in rest])
