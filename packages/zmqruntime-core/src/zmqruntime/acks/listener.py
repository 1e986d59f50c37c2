"""Receives what viewers say of their images, and passes it to the queue trackers and to whoever wants to know.

A listener belongs to one process: a PULL socket can share out its messages, but not tell whose they are. By default it
is on ``ZMQConfig.shared_ack_port``; a second process on the same machine that shows images too takes a port of its own,
and names it to the viewers that it starts. Kept for the names of the origin documents: see :mod:`zmqruntime.acks`.
"""

import logging
import threading
from collections.abc import Callable
from typing import ClassVar, Self

import msgspec
import zmq

from zmqruntime.acks.tracker import GlobalQueueTrackerRegistry, QueueTrackerRegistry
from zmqruntime.base_messages import ErrorCode, ErrorResponse, Message, ShutdownRequest
from zmqruntime.codec import Decoder
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ConfigurationError, MessageError, PortInUseError
from zmqruntime.loop import receive_ready
from zmqruntime.server import ZMQServer
from zmqruntime.viewer_messages import ImageAck

__all__ = ["AckCounts", "AckListener", "GlobalAckListener"]

_log = logging.getLogger(__name__)

AckCallback = Callable[[ImageAck], None]


class AckCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What has arrived since the listener was made."""

    matched: int = 0
    """Acknowledgements of images that waited for one."""
    unmatched: int = 0
    """Acknowledgements that no tracker waited for."""
    bad: int = 0
    """Messages that are no acknowledgement."""


class AckListener:
    """Listens on one port, in a thread of its own; may be used from any thread.

    A viewer connects a PUSH socket to the port and sends each :class:`zmqruntime.ImageAck` as one frame. The port
    beside it, ``control_port_offset`` higher, answers a ping like any server's, so that it can be told who listens.

    Args:
        registry: whose trackers are told; that of this process when None.
    """

    def __init__(self, registry: QueueTrackerRegistry | None = None) -> None:
        self._registry = GlobalQueueTrackerRegistry() if registry is None else registry
        self._callbacks: tuple[AckCallback, ...] = ()
        self._server: _AckServer | None = None
        self._lock = threading.Lock()
        self._decode: Decoder[ImageAck] = Decoder(ImageAck)
        self._counts = AckCounts()

    def register_callback(self, callback: AckCallback) -> None:
        """Call ``callback`` with every acknowledgement, after the trackers have it; once, if it is registered twice.

        It is called on the listener's thread and must be quick, or it holds up the acknowledgements after it. What it
        raises is logged and harms nobody.
        """
        with self._lock:
            if callback not in self._callbacks:
                self._callbacks = (*self._callbacks, callback)

    def unregister_callback(self, callback: AckCallback) -> None:
        """Call it no more; does nothing if it is not registered."""
        with self._lock:
            self._callbacks = tuple(known for known in self._callbacks if known != callback)

    def start(
        self,
        port: int | None = None,
        *,
        config: ZMQConfig | None = None,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
    ) -> int:
        """Listen, and say on which port; does nothing if it listens there already. May be called again after stop.

        Args:
            port: the configuration's ``shared_ack_port`` when None.
            config: what this process and its viewers agree on.
            host: an address to bind TCP to; naming one selects TCP.
            transport_mode: IPC or TCP; IPC where the platform has it and no host is named.

        Raises:
            PortInUseError: another process listens there, or a program that is not ours.
            ConfigurationError: this listener is on another port, or the address cannot be used.
        """
        config = config or ZMQConfig()
        wanted = config.shared_ack_port if port is None else port
        with self._lock:
            if self._server is not None and self._server.port == wanted:
                return wanted
            if self._server is not None:
                raise ConfigurationError(f"acknowledgements are received on {self._server.port}; stop() first")
            server = _AckServer(self._take_frames, wanted, host=host, transport_mode=transport_mode, config=config)
            try:
                server.start()
            except PortInUseError as error:
                raise PortInUseError(
                    f"cannot receive acknowledgements: {error}; or start() this listener on a free port, "
                    "and name that to the viewers that this process starts"
                ) from error
            self._server = server
        return wanted

    def stop(self) -> None:
        """Release the port and the thread; trackers and callbacks stay. May be called twice, also by a callback."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()

    @property
    def port(self) -> int | None:
        """Where it listens, None if it does not."""
        server = self._server
        return None if server is None else server.port

    @property
    def counts(self) -> AckCounts:
        """What has arrived so far."""
        return self._counts

    def take(self, ack: ImageAck) -> None:
        """Pass on an acknowledgement that came another way than over the port, to the trackers and the callbacks."""
        matched = self._registry.take_ack(ack)
        with self._lock:
            counts = self._counts
            self._counts = msgspec.structs.replace(
                counts, matched=counts.matched + matched, unmatched=counts.unmatched + (not matched)
            )
        for callback in self._callbacks:
            try:
                callback(ack)
            except Exception:  # noqa: BLE001 - the callback is not ours
                _log.exception("the callback %r failed", callback)

    # --- on the listener's thread ----------------------------------------------------------------------------------

    def _take_frames(self, frames: list[bytes]) -> None:
        try:
            if len(frames) != 1:
                raise MessageError(ErrorCode.INVALID, f"an acknowledgement is one frame, not {len(frames)}")
            ack = self._decode(frames[0])
        except MessageError as error:
            self._note_bad(error)
            return
        self.take(ack)

    def _note_bad(self, error: MessageError) -> None:
        with self._lock:
            bad = self._counts.bad + 1
            self._counts = msgspec.structs.replace(self._counts, bad=bad)
        if bad.bit_count() == 1:  # the first, then ever fewer: a viewer of another release sends nothing else
            _log.warning("%d unreadable acknowledgements so far, the latest: %s", bad, error)


class _AckServer(ZMQServer):
    """The sockets of a listener: everything that a server's port needs, with a data channel that receives."""

    data_socket_type = zmq.PULL

    def __init__(
        self,
        take: Callable[[list[bytes]], None],
        port: int,
        *,
        host: str | None,
        transport_mode: TransportMode | None,
        config: ZMQConfig,
    ) -> None:
        super().__init__(port, host=host, transport_mode=transport_mode, config=config)
        self._take = take

    def handle_request(self, request: Message) -> Message:
        """Says who it is, but does not end on request: it is a part of its program, not a server process."""
        if isinstance(request, ShutdownRequest):
            return ErrorResponse(
                code=ErrorCode.UNSUPPORTED, message=f"port {self.port} belongs to a program that shows images; end that"
            )
        return super().handle_request(request)

    def on_data_readable(self) -> None:
        """Pass on what arrived."""
        for frames in receive_ready(self.data_socket):
            self._take(frames)


class GlobalAckListener(AckListener):
    """The listener of this process, for the trackers of this process: every ``GlobalAckListener()`` is the same one."""

    _of_this_process: ClassVar["GlobalAckListener | None"] = None
    _making = threading.Lock()

    def __new__(cls) -> Self:
        with cls._making:
            if not isinstance(cls._of_this_process, cls):
                one = super().__new__(cls)
                AckListener.__init__(one)
                cls._of_this_process = one
            return cls._of_this_process

    def __init__(self) -> None:
        """What was made once is not made again."""
