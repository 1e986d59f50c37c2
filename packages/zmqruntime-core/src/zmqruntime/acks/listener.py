"""A listener for viewers' acknowledgements of images, which passes them to queue trackers and callbacks.

A listener belongs to one process: a PULL socket can distribute messages among processes, but not by recipient. By
default it listens on ``ZMQConfig.shared_ack_port``; a second process on the same machine that also shows images uses
another port and passes it to the viewers that it starts. Kept for the names of the origin documents: see
:mod:`zmqruntime.acks`.
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
    """Counts of what has arrived since the listener was created."""

    matched: int = 0
    """Acknowledgements of images that were waiting for one."""
    unmatched: int = 0
    """Acknowledgements that no tracker was waiting for."""
    bad: int = 0
    """Messages that are not acknowledgements."""


class AckListener:
    """A listener on one port, with its own thread; can be used from any thread.

    A viewer connects a PUSH socket to the port and sends each :class:`zmqruntime.ImageAck` as one frame. The control
    port, ``control_port_offset`` higher, answers pings like that of any server, so that the listener can be identified.

    Args:
        registry: registry whose trackers receive the acknowledgements [default: the one of this process].
    """

    def __init__(self, registry: QueueTrackerRegistry | None = None) -> None:
        self._registry = GlobalQueueTrackerRegistry() if registry is None else registry
        self._callbacks: tuple[AckCallback, ...] = ()
        self._server: _AckServer | None = None
        self._lock = threading.Lock()
        self._decode: Decoder[ImageAck] = Decoder(ImageAck)
        self._counts = AckCounts()

    def register_callback(self, callback: AckCallback) -> None:
        """Call ``callback`` with every acknowledgement, after the trackers; only once, even if registered twice.

        It is called on the listener's thread and must be quick, or it delays later acknowledgements. Exceptions that it
        raises are logged and otherwise ignored.
        """
        with self._lock:
            if callback not in self._callbacks:
                self._callbacks = (*self._callbacks, callback)

    def unregister_callback(self, callback: AckCallback) -> None:
        """Stop calling ``callback``; do nothing if it is not registered."""
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
        """Start listening; do nothing if already listening on this port. May be called again after :meth:`stop`.

        Args:
            port: the port to listen on [default: the configuration's ``shared_ack_port``].
            config: settings shared by this process and its viewers.
            host: the address to bind TCP to; selects TCP.
            transport_mode: IPC or TCP [default: IPC if the platform supports it and no host is given].

        Returns:
            The port.

        Raises:
            PortInUseError: another process or an unrelated program is listening there.
            ConfigurationError: this listener is on another port, or the address cannot be used.
        """
        config = config or ZMQConfig()
        wanted = config.shared_ack_port if port is None else port
        with self._lock:
            if self._server is not None and self._server.port == wanted:
                return wanted
            if self._server is not None:
                raise ConfigurationError(
                    f"already listening for acknowledgements on port {self._server.port}; call stop() first"
                )
            server = _AckServer(self._take_frames, wanted, host=host, transport_mode=transport_mode, config=config)
            try:
                server.start()
            except PortInUseError as error:
                raise PortInUseError(
                    f"cannot receive acknowledgements: {error}; or start() this listener on a free port, "
                    "and pass that port to the viewers that this process starts"
                ) from error
            self._server = server
        return wanted

    def stop(self) -> None:
        """Release the port and the thread, but keep trackers and callbacks. May be called twice and by a callback."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()

    @property
    def port(self) -> int | None:
        """The port it is listening on, or None."""
        server = self._server
        return None if server is None else server.port

    @property
    def counts(self) -> AckCounts:
        """Counts of what has arrived so far."""
        return self._counts

    def take(self, ack: ImageAck) -> None:
        """Pass an acknowledgement that arrived by another route to the trackers and callbacks."""
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
        if bad.bit_count() == 1:  # the first, then ever more rarely: a viewer of another release sends nothing else
            _log.warning("%d unreadable acknowledgements so far, the latest: %s", bad, error)


class _AckServer(ZMQServer):
    """The server of a listener, with a data channel that receives."""

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
        """Answer pings, but refuse to shut down on request: this is part of a program, not a server process."""
        if isinstance(request, ShutdownRequest):
            return ErrorResponse(
                code=ErrorCode.UNSUPPORTED,
                message=f"port {self.port} belongs to a program that shows images; close that program instead",
            )
        return super().handle_request(request)

    def on_data_readable(self) -> None:
        """Pass on the frames that arrived."""
        for frames in receive_ready(self.data_socket):
            self._take(frames)


class GlobalAckListener(AckListener):
    """The listener of this process and its trackers: ``GlobalAckListener()`` always returns the same object."""

    _of_this_process: ClassVar["GlobalAckListener | None"] = None
    _making = threading.Lock()

    def __new__(cls) -> Self:
        """Return the listener of this process, creating it on first use."""
        with cls._making:
            if not isinstance(cls._of_this_process, cls):
                one = super().__new__(cls)
                AckListener.__init__(one)
                cls._of_this_process = one
            return cls._of_this_process

    def __init__(self) -> None:
        """Do nothing: the object was initialized when it was created."""
