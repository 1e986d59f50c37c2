"""A server process: a control channel that answers every request once, a data channel, and a clean shutdown."""

import atexit
import contextlib
import functools
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from types import FrameType
from typing import ClassVar, Self

import zmq

from zmqruntime._version import VERSION
from zmqruntime.base_messages import (
    HEARTBEAT_TOPIC,
    ErrorCode,
    ErrorResponse,
    Farewell,
    Heartbeat,
    Message,
    OkResponse,
    PingRequest,
    PongResponse,
    ShutdownRequest,
)
from zmqruntime.claims import Claim, ClaimedPort, claimant
from zmqruntime.codec import Decoder, clean_text, encode, encode_given
from zmqruntime.config import Security, TransportMode, ZMQConfig
from zmqruntime.exceptions import ClosedError, ConfigurationError, MessageError, PortInUseError, ZMQRuntimeError
from zmqruntime.gate import Gate
from zmqruntime.identity import ProcessIdentity, describe_port_holder
from zmqruntime.loop import SocketLoop, Timer, is_ctrl_c, receive_ready, send_frames
from zmqruntime.replies import ReplyBook
from zmqruntime.security import ClientCheck, KeyPair, KeyStore
from zmqruntime.server_code import code_of, default_port_of, target_of
from zmqruntime.transport import (
    LOOPBACK,
    choose_transport_mode,
    get_ipc_socket_path,
    get_zmq_transport_url,
    is_listening,
    remove_ipc_socket,
)
from zmqruntime.vocabulary import Vocabulary, check_message, check_topic, union_of

__all__ = ["ZMQServer"]

_log = logging.getLogger(__name__)

_LINGER_MS = 1000
_MESSAGES_PER_SUBSCRIBER = 250  # a slow subscriber asks for what it misses; no need to keep it twice
_HANDSHAKE_MS = 5_000  # a connection that stays silent does not keep a descriptor for longer
_REPLY_BYTES_PER_TURN = 4 * 1024 * 1024
_REQUEST_SECONDS_PER_TURN = 0.003  # more than a hundred submissions; then the loop's other work gets its turn
_LOOK_SECONDS = 2.0
_CLAIM_SECONDS = 1.0  # a server that is shutting down still holds the port for a moment


class ZMQServer:
    """A server on ``port`` (data) and ``port + control_port_offset`` (control) with one I/O thread.

    Subclasses name their messages in ``vocabulary``, answer requests in :meth:`handle_request` and choose the socket
    type of the data channel with ``data_socket_type``. Run it with :meth:`serve_forever` or, alongside other work, with
    :meth:`start` and :meth:`close`, which it also calls as a context manager.

    Args:
        port: the data port [default: the configuration's ``default_port``, or for a class of a program that sets
            neither that nor an ``app_name``, a port derived from the class].
        host: the address to bind TCP to; selects TCP.
        transport_mode: IPC or TCP [default: IPC if the platform supports it and no host is given].
        config: settings shared by the server and its clients.
    """

    data_socket_type: ClassVar[int] = zmq.XPUB
    vocabulary: ClassVar[Vocabulary] = Vocabulary()
    """The requests, replies and events of this class, in addition to those of its base classes."""

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
    ) -> None:
        self.config = config or ZMQConfig()
        self.port = default_port_of(target_of(type(self)), self.config) if port is None else port
        self.control_port = self.port + self.config.control_port_offset
        self.transport_mode = choose_transport_mode(transport_mode, host)
        self.host = host or LOOPBACK
        self.instance_id = uuid.uuid4().hex
        self._speaks = Vocabulary.of(type(self))
        self._decode: Decoder[Message] = Decoder(union_of(self._speaks.requests), self._explain_unknown)
        self._loop: SocketLoop | None = None
        self._lifecycle = threading.Lock()
        self._closed = False
        self._identity = ProcessIdentity.current()
        self._replies: list[tuple[list[bytes], Message | bytes]] = []
        self._heartbeat: Timer | None = None
        self._listeners: set[bytes] = set()
        self._lifetime = self._named = ""
        self._ends_by_order = False

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bind both channels and answer requests in a separate thread.

        Raises:
            PortInUseError: another server or program holds the port; it is left alone.
            ConfigurationError: the address cannot be used.
        """
        self._open().start()

    def serve_forever(self, on_ready: Callable[[], None] | None = None) -> None:
        """Bind and answer requests in this thread until :meth:`close`, a shutdown request, SIGTERM or Ctrl-C.

        Raises the same errors as :meth:`start`.

        Args:
            on_ready: called once both channels are listening.
        """
        loop = self._open()
        with _stop_on_signals(self._stop_by_order):
            if on_ready is not None:
                loop.call_soon(on_ready)
            loop.run()

    def close(self) -> None:
        """Stop the loop and release ports, files and threads. May be called twice and from any thread.

        In a forked child it does nothing, because everything belongs to the parent.
        """
        if os.getpid() != self._identity.pid:
            return
        with self._lifecycle:
            self._closed = True
            loop = self._loop
        if loop is not None:
            loop.stop()
            loop.join()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- for subclasses ------------------------------------------------------------------------------------------

    @property
    def loop(self) -> SocketLoop:
        """The loop that owns the sockets; available after :meth:`start`."""
        if self._loop is None:
            raise ClosedError(f"{type(self).__name__} on port {self.port} is not running; call start() first")
        return self._loop

    def handle_request(self, request: Message) -> Message:
        """Return the reply to ``request``. Runs on the loop's thread and must not block."""
        match request:
            case PingRequest():
                return self._pong
            case ShutdownRequest():
                self._stop_by_order()
                return OkResponse(message=f"the server on port {self.port} is shutting down")
            case _:
                return ErrorResponse(
                    code=ErrorCode.UNSUPPORTED,
                    message=f"{type(self).__name__} does not know the request {type(request).__name__}",
                )

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Called once the ports are claimed, before the first request; register everything opened here with ``stack``.

        The stack is closed on the loop's thread when the server ends, before its sockets are closed.
        """

    def on_data_readable(self) -> None:
        """Called when the data socket is readable: subscriptions on an XPUB, images on a PULL."""
        for frames in receive_ready(self.data_socket):
            topic, is_subscribed = frames[0][1:], frames[0][:1] == b"\x01"
            if topic in (HEARTBEAT_TOPIC, b""):
                self._note_listener(topic, is_subscribed)
            elif is_subscribed:
                self.on_subscribed(topic)
            self.on_topic(topic, is_subscribed)

    def on_subscribed(self, topic: bytes) -> None:
        """Called for each subscriber to ``topic``."""

    def on_topic(self, topic: bytes, is_subscribed: bool) -> None:
        """Called for each subscriber to any topic, and when the last one of a topic is gone."""

    def event_positions(self) -> dict[str, int]:
        """Return the number of events of each recently changed execution, for the heartbeat."""
        return {}

    @property
    def has_listeners(self) -> bool:
        """Whether anything is subscribed to heartbeats."""
        return self._heartbeat is not None

    def publish(self, topic: bytes, message: Message | bytes) -> None:
        """Send a message, encoded or not, to the subscribers of ``topic``; a slow subscriber may miss it.

        Raises:
            TypeError: the topic is not bytes, or the event is not in the vocabulary or contains a value that cannot be
                sent.
            UnsendableError: it is nested too deeply, has too many elements, or contains text that is not UTF-8.
        """
        check_topic(topic)
        data = message if isinstance(message, bytes) else self._encode_event(message)
        if len(data) > self.config.max_message_bytes:
            _log.error("an event of %d bytes was not published: it is larger than clients accept", len(data))
            return
        send_frames(self.data_socket, [topic, data])

    def _encode_event(self, event: Message) -> bytes:
        check_message(event)
        if type(event) not in self._speaks.events:
            raise TypeError(self._unnamed(event, "events"))
        return encode_given(event, f"the event {type(event).__name__}")

    def before_replies(self) -> None:
        """Called at the end of every turn, before its replies are sent: make what they promise durable here.

        May change ``pending_replies``.
        """

    def after_replies(self) -> None:
        """Called once the replies of a turn are sent: publish here what no reply has to wait for."""

    @property
    def pending_replies(self) -> list[tuple[list[bytes], Message | bytes]]:
        """The replies of this turn, each with the envelope that routes it back to the client.

        A reply is already encoded unless it promises something that has yet to be made durable.
        """
        return self._replies

    # --- inside --------------------------------------------------------------------------------------------------

    def be_started_by_client(self, lifetime: str, target: str) -> None:
        """Record that a client started this process, how it named the class, and when the process ends."""
        self._lifetime, self._named = lifetime, target

    def _stop_by_order(self) -> None:
        """Stop, and tell clients not to start a successor."""
        self._ends_by_order = True
        self.loop.stop()

    def _say_farewell(self) -> None:
        """Publish the farewell, if the server was asked to shut down."""
        if self._ends_by_order and self.data_socket_type == zmq.XPUB:
            with contextlib.suppress(zmq.ZMQError):
                self.publish(HEARTBEAT_TOPIC, Farewell(instance_id=self.instance_id))

    def _open(self) -> SocketLoop:
        with self._lifecycle:
            if self._closed:
                raise ClosedError(f"{type(self).__name__} on port {self.port} was closed; create a new one")
            if self._loop is not None:
                raise ClosedError(f"{type(self).__name__} on port {self.port} is already running")
            loop = SocketLoop(f"{type(self).__name__}-{self.port}")
            stack = contextlib.ExitStack()
            loop.at_end = stack.close
            self._loop = loop
            try:
                self._claim_port(stack)
                self._bind(stack)
                self._code = code_of(type(self), self._named_bases(), self._named)
                stack.callback(self._say_farewell)
                loop.add_reader(self.control_socket, self._on_control_readable)
                loop.add_reader(self.data_socket, self.on_data_readable)
                loop.after_turn = self._flush
                self.on_open(stack)
            except BaseException:
                loop.dispose()
                self._loop = None
                raise
            atexit.register(self.close)
            return loop

    def _claim_port(self, stack: contextlib.ExitStack) -> None:
        """Hold the lock file of the port while this server is running, since ZeroMQ allows a second bind to a path."""
        claim = Claim(
            port=self.port,
            pid=self._identity.pid,
            host=self.host if self.transport_mode is TransportMode.TCP else None,
            control_port_offset=self.config.control_port_offset,
        )
        self._claim = ClaimedPort(self.config, claim)
        if not self._claim.acquire(timeout=_CLAIM_SECONDS):
            holder = claimant(self.config, self.port)
            raise PortInUseError(
                f"port {self.port} already has a {self.config.app_name} server{holder and f' ({holder})'}; stop it or "
                "choose another port"
            )
        stack.callback(self._claim.release)
        self.loop.call_later(_LOOK_SECONDS, self._look_after_files)
        if self.transport_mode is TransportMode.IPC:
            for port in (self.port, self.control_port):
                stack.callback(remove_ipc_socket, port, self.config)

    def _bind(self, stack: contextlib.ExitStack) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        stack.callback(context.term)
        keys = self._check_clients(context, stack)
        self.control_socket = stack.enter_context(context.socket(zmq.ROUTER))
        self._book = ReplyBook(self.loop, self.control_socket, self.config.max_message_bytes)
        self.data_socket = stack.enter_context(context.socket(self.data_socket_type))
        for sock, port in ((self.control_socket, self.control_port), (self.data_socket, self.port)):
            sock.linger = _LINGER_MS
            sock.maxmsgsize = self.config.max_message_bytes
            sock.ipv6 = ":" in self.host
            sock.handshake_ivl = _HANDSHAKE_MS
            if sock.type == zmq.XPUB:
                sock.xpub_verbose = True
                sock.sndhwm = _MESSAGES_PER_SUBSCRIBER
            if keys is not None:
                sock.curve_server = True
                sock.curve_secretkey = keys.secret
            if self.transport_mode is TransportMode.TCP:
                stack.callback(Gate(self.loop, sock, _HANDSHAKE_MS / 1000).close)
            self._bind_one(sock, port)

    def _check_clients(self, context: "zmq.Context[zmq.Socket[bytes]]", stack: contextlib.ExitStack) -> KeyPair | None:
        """Start checking the keys of clients and return the server's keys; None if encryption is not needed or off."""
        if self.transport_mode is TransportMode.IPC or self.config.security is Security.NONE:
            return None
        store = KeyStore(self.config)
        store.client()  # created now, so that this user's first client is already admitted
        stack.callback(ClientCheck(context, self.loop, store.is_admitted).close)
        return store.server()

    def _bind_one(self, sock: "zmq.Socket[bytes]", port: int) -> None:
        url = get_zmq_transport_url(port, self.host, self.transport_mode, self.config)
        if self.transport_mode is TransportMode.IPC and is_listening(port, self.host, TransportMode.IPC, self.config):
            raise PortInUseError(f"another program is listening on {url}; stop it or choose another port")
        try:
            sock.bind(url)
        except zmq.ZMQError as error:
            if error.errno == zmq.EADDRINUSE:
                raise PortInUseError(
                    f"port {port} on {self.host} is in use by {describe_port_holder(port)}; stop it or choose another "
                    "port"
                ) from error
            raise ConfigurationError(
                f"cannot listen on {url}: {zmq.strerror(error.errno or 0)}; use an address of this machine"
            ) from error

    def _look_after_files(self) -> None:
        """Recreate the lock file and the socket files if they were removed, so that new clients find this server."""
        try:
            if not self._claim.is_intact and self._claim.acquire(timeout=0):
                _log.warning("the lock file of port %d was removed and has been recreated", self.port)
            if self.transport_mode is TransportMode.IPC and self._claim.is_intact:
                for sock, port in ((self.control_socket, self.control_port), (self.data_socket, self.port)):
                    path = get_ipc_socket_path(port, self.config)
                    if path is not None and not path.exists():
                        _log.warning("the socket file of port %d was removed; recreating it", port)
                        self._bind_one(sock, port)
        except (OSError, ZMQRuntimeError) as error:
            _log.warning("cannot restore the socket folder: %s; will try again", error)
        self.loop.call_later(_LOOK_SECONDS, self._look_after_files)

    def _on_control_readable(self) -> None:
        self._hear_subscriptions()
        size, ends_at = 0, time.monotonic() + _REQUEST_SECONDS_PER_TURN
        for frames in self.loop.receive(self.control_socket):
            # A plain REQ peer sends [identity, empty, message]; everything up to the empty frame routes back to it.
            if b"" not in frames[1:]:
                continue
            split = frames.index(b"", 1) + 1
            reply, length = self._measured(self._answer(frames[split:]))
            self._replies.append((frames[:split], reply))
            size += length
            if size > _REPLY_BYTES_PER_TURN or time.monotonic() > ends_at:  # the rest is handled in the next turn
                return

    def _hear_subscriptions(self) -> None:
        """Let subscriptions come before the requests that a client has sent after them."""
        if self.data_socket_type == zmq.XPUB and self.data_socket.poll(0):
            self.on_data_readable()

    def _answer(self, body: list[bytes]) -> Message:
        if len(body) != 1:
            return ErrorResponse(code=ErrorCode.INVALID, message=f"a request is one frame, not {len(body)}")
        try:
            response = self.handle_request(self._decode(body[0]))
            if type(response) not in self._speaks.replies:
                raise TypeError(self._unnamed(response, "replies"))
            return response
        except MessageError as error:
            return ErrorResponse(code=error.code, message=str(error))
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            _log.exception("a request failed")
            return ErrorResponse(code=ErrorCode.INTERNAL, message=f"{type(error).__name__}: {error}")

    def _measured(self, response: Message) -> tuple[Message | bytes, int]:
        """Return a reply that can be sent, encoded if its type can be long, and its encoded length."""
        if response.is_short:
            return response, 0
        try:
            data = encode(response)
        except Exception as error:  # noqa: BLE001 - a type used by a subclass may raise anything while it is encoded
            _log.exception("a reply could not be encoded")
            text = f"the reply {type(response).__name__} cannot be sent: {type(error).__name__}: {error}"
            return ErrorResponse(code=ErrorCode.INTERNAL, message=clean_text(text)), 0
        return data, len(data)

    def _explain_unknown(self, tag: str) -> MessageError:
        known = ", ".join(str(each.__struct_config__.tag) for each in self._speaks.requests)
        text = f"{type(self).__name__} does not know the request {tag!r}; it knows {known}"
        return MessageError(ErrorCode.UNSUPPORTED, text)

    def _unnamed(self, message: object, kind: str) -> str:
        name = type(self).__name__
        return f"{type(message).__name__} is not one of the {kind} in the vocabulary of {name}"

    def _flush(self) -> None:
        self.before_replies()
        replies, self._replies = self._replies, []
        for envelope, response in replies:
            self._book.send(envelope, response)
        self.after_replies()

    def _note_listener(self, topic: bytes, is_subscribed: bool) -> None:
        """Send heartbeats only while there are subscribers, so that an idle server can sleep."""
        if is_subscribed:
            self._listeners.add(topic)
            if self._heartbeat is None:
                self._send_heartbeat()
        else:
            self._listeners.discard(topic)
            if not self._listeners and self._heartbeat is not None:
                self._heartbeat.cancel()
                self._heartbeat = None

    def _send_heartbeat(self) -> None:
        interval = self.config.heartbeat_interval
        heartbeat = Heartbeat(instance_id=self.instance_id, interval=interval, positions=self.event_positions())
        self.publish(HEARTBEAT_TOPIC, heartbeat)
        self._heartbeat = self.loop.call_later(interval, self._send_heartbeat)

    @functools.cached_property
    def _pong(self) -> PongResponse:
        return PongResponse(
            instance_id=self.instance_id,
            pid=self._identity.pid,
            process_start=self._identity.start,
            server=type(self).__name__,
            version=VERSION,
            app_name=self.config.app_name,
            port=self.port,
            code=self._code,
            lifetime=self._lifetime,
        )

    def _named_bases(self) -> tuple[type, ...]:
        """Return the classes between this one and the library's, which clients may name instead of it."""
        mine = [cls for cls in type(self).__mro__[1:] if issubclass(cls, ZMQServer)]
        return tuple(cls for cls in mine if not cls.__module__.startswith(f"{__package__}."))


@contextlib.contextmanager
def _stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(signum: int, frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
