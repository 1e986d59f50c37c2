"""A client: finds or starts its server, sends requests with deadlines, and notices when the server is gone."""

import atexit
import concurrent.futures
import contextlib
import enum
import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import ClassVar, Self, TypeVar

import msgspec
import zmq

from zmqruntime.codec import Decoder, encode, encode_given
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import (
    ClosedError,
    ConnectionFailedError,
    MessageError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
)
from zmqruntime.finding import Address, let_go, seconds_left, silent_server, start_server
from zmqruntime.identity import ProcessIdentity
from zmqruntime.launch import Lifetime, ServerSpec
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import (
    HEARTBEAT_TOPIC,
    DataMessage,
    ErrorCode,
    ErrorResponse,
    EventBatch,
    Heartbeat,
    OkResponse,
    PingRequest,
    PongResponse,
    Request,
    Response,
    ShutdownRequest,
)
from zmqruntime.security import KeyStore
from zmqruntime.server import receive_ready
from zmqruntime.transport import LOOPBACK, choose_transport_mode

__all__ = ["ClientState", "ZMQClient", "checked"]

_log = logging.getLogger(__name__)

ResponseT = TypeVar("ResponseT", bound=Response)

_PING_SECONDS = 3.0
_END_SECONDS = 10.0
_LINGER_MS = 200
_MISSED_BEATS = 1.5


class ClientState(enum.Enum):
    """What a client can do now."""

    NEW = "new"
    """``connect()`` was not called yet."""
    CONNECTED = "connected"
    """The server answers."""
    LOST = "lost"
    """The server stopped answering; the client goes back to CONNECTED when it, or its successor, is heard."""
    CLOSED = "closed"
    """``disconnect()`` was called; the client cannot be used again."""


class ZMQClient:
    """Talks to one server from any thread; one I/O thread owns its sockets.

    Args:
        port: the server's data port; the configuration's default when None.
        host: where a TCP server is; naming one selects TCP. Servers are only started on this machine.
        transport_mode: IPC or TCP; IPC where the platform has it and no host is named.
        config: what the server and its clients agree on.
        persistent: whether a server that this client starts outlives it; otherwise it ends with the client, also
            when the client is killed.
    """

    server_target: ClassVar[str | None] = None
    """``module:Class`` of the server to start when none answers; None to never start one."""

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        persistent: bool = True,
    ) -> None:
        self.config = config or ZMQConfig()
        self.port = self.config.default_port if port is None else port
        self.transport_mode = choose_transport_mode(transport_mode, host)
        self.host = host or LOOPBACK
        self.persistent = persistent
        self._address = Address(self.port, self.host, self.transport_mode, self.config)
        self.control_port = self._address.control_port
        self._state = ClientState.NEW
        self._pid = os.getpid()
        self._lifecycle = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._loop: SocketLoop | None = None
        self._server: PongResponse | None = None
        self._decode_response: Decoder[Response] = Decoder(Response)
        self._decode_data: Decoder[DataMessage] = Decoder(DataMessage)
        self._ids = itertools.count(1)
        self._waiting: dict[bytes, concurrent.futures.Future[Response]] = {}
        self._outbox: deque[tuple[bytes, bytes]] = deque()
        self._last_heard = 0.0
        self._beat = Heartbeat(instance_id="", interval=0.0)
        self._beat_at = 0.0
        self._resync_beats = 0

    # --- life ----------------------------------------------------------------------------------------------------

    def connect(self, timeout: float = 15.0) -> PongResponse:
        """Attach to the server of this port, or start one if nothing listens there; says who it is.

        May be called again after the server was lost.

        Raises:
            PortInUseError: something else listens there; it is left alone.
            ServerStartError: the server that was started did not come up; the error has the end of its log.
            ConnectionFailedError: nothing listens and nothing can be started.
            ClosedError: after ``disconnect()``.
        """
        deadline = time.monotonic() + timeout
        with self._lifecycle:
            if self._state is ClientState.CLOSED:
                raise ClosedError("this client was disconnected; make a new one")
            try:
                pong = self._attach(deadline)
            except ConnectionFailedError:
                if self._state is ClientState.NEW:
                    self._end_loop()
                raise
            self._server = pong
            self._set_state(ClientState.CONNECTED)
            return pong

    def _attach(self, deadline: float) -> PongResponse:
        """Ping whatever listens; what dies meanwhile is looked for, or started, again."""
        while True:
            self._ensure_server(deadline)
            self._open()
            try:
                return self.request(PingRequest(), PongResponse, min(_PING_SECONDS, seconds_left(deadline)))
            except (RequestTimeoutError, ServerLostError) as error:
                is_foreign = self._address.is_listening() and not self._address.is_claimed()
                if is_foreign or time.monotonic() >= deadline:
                    raise silent_server(self._address) from error

    def disconnect(self) -> None:
        """Release the sockets and the thread, and end the server if this client owns it. May be called twice.

        In a forked child it does nothing: all that is the parent's.
        """
        if os.getpid() != self._pid:
            return
        with self._lifecycle:
            self._set_state(ClientState.CLOSED)
            process, self._process = self._process, None
            self._end_loop()
        if process is not None:
            let_go(process)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.disconnect()

    @property
    def state(self) -> ClientState:
        """What the client can do now."""
        return self._state

    @property
    def server(self) -> PongResponse:
        """Who the server is.

        Raises:
            ClosedError: before ``connect()``.
        """
        if self._server is None:
            raise ClosedError("this client is not connected; call connect() first")
        return self._server

    def shutdown_server(self, timeout: float = _END_SECONDS) -> None:
        """End the server process and wait until it has ended.

        Raises:
            RequestTimeoutError: it still runs after ``timeout`` seconds.
        """
        server = self.server
        with contextlib.suppress(ServerLostError):  # it may be gone, or too busy with ending, before it has replied
            self.request(ShutdownRequest(), OkResponse, timeout)
        if self.is_local and not ProcessIdentity(server.pid, server.process_start).wait(timeout):
            raise RequestTimeoutError(f"server process {server.pid} still runs {timeout:g} s after it agreed to end")

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return self._address.is_local

    # --- requests ------------------------------------------------------------------------------------------------

    def request(self, message: Request, expect: type[ResponseT], timeout: float | None = None) -> ResponseT:
        """Send a request and wait for its reply.

        Args:
            message: what to ask.
            expect: the type of the reply.
            timeout: seconds; the configuration's ``request_timeout`` when None.

        Raises:
            RequestTimeoutError: no reply in time; the next call works all the same.
            RequestRefusedError: the server replied with an error.
            ServerLostError: the server ended meanwhile.
            ClosedError: the client is not connected.
        """
        seconds = self.config.request_timeout if timeout is None else timeout
        future = self.send_request(message)
        try:
            response = future.result(seconds)
        except TimeoutError as error:
            future.cancel()
            raise self.timeout_error(message, seconds) from error
        return checked(response, expect)

    def send_request(self, message: Request) -> "concurrent.futures.Future[Response]":
        """Send a request and return at once; cancel the future to forget about its reply.

        Raises:
            MessageError: the message is larger than a server takes.
            TypeError: it holds something that cannot be sent.
            ClosedError: the client is not connected.
        """
        data = encode_given(message, f"an {type(message).__name__}")
        if len(data) > self.config.max_message_bytes:
            raise MessageError(
                ErrorCode.INVALID,
                f"the {type(message).__name__} is {len(data):,} bytes, more than the {self.config.max_message_bytes:,} "
                "that a server takes; pass a path to the data instead of the data",
            )
        key = next(self._ids).to_bytes(8)
        future: concurrent.futures.Future[Response] = concurrent.futures.Future()
        future.add_done_callback(lambda done: self._on_future_done(key, done))
        self._call(lambda: self._put_out(key, data, future))
        return future

    def timeout_error(self, message: Request, seconds: float) -> RequestTimeoutError:
        """What to raise when no reply to ``message`` came within ``seconds``."""
        name = type(message).__name__
        return RequestTimeoutError(f"the server on port {self.port} did not reply to {name} within {seconds:g} s")

    def subscribe(self, topic: bytes) -> None:
        """Receive what the server publishes on topics that begin with ``topic``."""
        self._call(lambda: self._data.subscribe(topic))

    # --- for subclasses, called on the I/O thread ----------------------------------------------------------------

    def on_event_batch(self, batch: EventBatch) -> None:
        """Events arrived."""

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """The server said that it lives."""

    def on_server_lost(self, error: ServerLostError) -> None:
        """The server stopped answering."""

    def on_resync(self) -> None:
        """The data channel is open, for the first time or again: what was published before may have been missed."""

    def on_disconnected(self, error: ClosedError) -> None:
        """``disconnect()`` was called; nothing more will arrive."""

    def on_server_back(self, is_new: bool) -> None:
        """The server answers again; ``is_new`` if it is another run of it."""

    # --- finding and starting ------------------------------------------------------------------------------------

    def server_spec(self) -> ServerSpec | None:
        """The server to start when none answers, or None to never start one."""
        return None if self.server_target is None else self.spec_for(self.server_target)

    def spec_for(self, target: str) -> ServerSpec:
        """The server class ``target`` with the port and the settings of this client."""
        return ServerSpec(
            target=target,
            port=self.port,
            host=self.host if self.transport_mode is TransportMode.TCP else None,
            transport_mode=self.transport_mode,
            config=self.config,
            sys_path=sys.path,
        )

    def _ensure_server(self, deadline: float) -> None:
        lifetime = Lifetime.PERSISTENT if self.persistent else Lifetime.OWNED
        process = start_server(self._address, self.server_spec(), lifetime, deadline)
        if process is not None:
            if self._process is not None:
                let_go(self._process)
            self._process = process

    # --- I/O thread ----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._loop is not None:
            return
        loop = SocketLoop(f"{type(self).__name__}-{self.port}")
        stack = contextlib.ExitStack()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        stack.callback(self._context.term)
        stack.callback(lambda: self._close_control(_LINGER_MS))
        self._io = loop
        self._open_control()
        self._data = stack.enter_context(self._socket(zmq.SUB, self.port))
        self._data.subscribe(HEARTBEAT_TOPIC)
        loop.add_reader(self._data, self._on_data_readable)
        stack.callback(self._on_end)
        loop.at_end = stack.close
        self._loop = loop
        self._last_heard = time.monotonic()
        loop.call_later(self.config.heartbeat_window, self._check_heartbeat)
        loop.start()
        atexit.register(self.disconnect)

    def _end_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()
            loop.join()
        atexit.unregister(self.disconnect)

    def _socket(self, kind: int, port: int) -> "zmq.Socket[bytes]":
        sock = self._context.socket(kind)
        sock.linger = _LINGER_MS
        sock.maxmsgsize = self.config.max_message_bytes
        sock.ipv6 = ":" in self.host
        if self._address.is_encrypted:
            store = KeyStore(self.config)
            keys = store.client()
            sock.curve_publickey, sock.curve_secretkey = keys.public, keys.secret
            sock.curve_serverkey = store.server_key_for(self.host, self.port, is_local=self.is_local)
        sock.connect(self._address.url(port))
        return sock

    def _renew_control(self) -> None:
        """Drop what was written for a server that is gone, so that it never reaches its successor."""
        self._close_control(0)
        self._open_control()

    def _open_control(self) -> None:
        self._control = self._socket(zmq.DEALER, self.control_port)
        self._cuts = self._control.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._io.add_reader(self._control, self._on_control_readable)
        self._io.add_reader(self._cuts, self._on_connection_cut)

    def _close_control(self, linger: int) -> None:
        self._io.remove(self._control)
        self._io.remove(self._cuts)
        self._control.disable_monitor()
        self._cuts.close(linger=0)
        self._control.close(linger)

    def _call(self, call: Callable[[], None]) -> None:
        if os.getpid() != self._pid:
            raise ClosedError("this client was made before a fork and is the parent's; make one in the child")
        if self._state is ClientState.CLOSED:
            raise ClosedError("this client was disconnected; make a new one")
        if self._loop is None:
            raise ClosedError("this client is not connected; call connect() first")
        self._loop.call_soon(call)

    def _put_out(self, key: bytes, data: bytes, future: "concurrent.futures.Future[Response]") -> None:
        if not future.cancelled():
            self._waiting[key] = future
            self._outbox.append((key, data))
            self._flush_outbox()

    def _on_future_done(self, key: bytes, future: "concurrent.futures.Future[Response]") -> None:
        if future.cancelled() and self._loop is not None:
            self._loop.call_soon(lambda: self._forget(key))

    def _flush_outbox(self) -> None:
        while self._outbox:
            key, data = self._outbox[0]
            if key in self._waiting:
                try:
                    self._control.send_multipart([key, b"", data], zmq.NOBLOCK)
                except zmq.Again:
                    self._io.add_writer(self._control, self._flush_outbox)
                    return
            self._outbox.popleft()
        self._io.remove_writer(self._control)

    def _forget(self, key: bytes) -> None:
        self._waiting.pop(key, None)
        self._outbox = deque(entry for entry in self._outbox if entry[0] != key)

    def _on_control_readable(self) -> None:
        for frames in receive_ready(self._control):
            future = self._waiting.pop(frames[0], None)
            if future is None or len(frames) != 3 or not future.set_running_or_notify_cancel():
                continue
            try:
                response = self._decode_response(frames[2])
            except MessageError as error:
                future.set_exception(error)
                continue
            self._heard(response.instance_id if isinstance(response, PongResponse) else None)
            future.set_result(response)

    def _on_data_readable(self) -> None:
        for frames in receive_ready(self._data):
            try:
                message = self._decode_data(frames[-1])
            except MessageError as error:
                _log.warning("the server on port %d published something unreadable: %s", self.port, error)
                continue
            if isinstance(message, Heartbeat):
                self._heard(message.instance_id)
                self._note_beat(message)
                self.on_heartbeat(message)
            else:
                self._last_heard = time.monotonic()
                self.on_event_batch(message)

    # --- is the server there? ------------------------------------------------------------------------------------

    def _heard(self, instance_id: str | None) -> None:
        self._last_heard = time.monotonic()
        known = self._server
        is_new = known is not None and instance_id is not None and known.instance_id != instance_id
        if is_new and known is not None and instance_id is not None:
            self._server = msgspec.structs.replace(known, instance_id=instance_id)
        if is_new or self._state is ClientState.LOST:
            self._set_state(ClientState.CONNECTED)
            self.on_server_back(is_new)

    def _note_beat(self, beat: Heartbeat) -> None:
        """The first heartbeats of a server, or after some were missed, say that the data channel is open (again).

        Two, since the first may leave the server before it has read all that we subscribe to.
        """
        now = time.monotonic()
        missed = beat.instance_id != self._beat.instance_id or now - self._beat_at > _MISSED_BEATS * beat.interval
        self._beat, self._beat_at = beat, now
        self._resync_beats = 2 if missed else self._resync_beats
        if self._resync_beats:
            self._resync_beats -= 1
            self.on_resync()

    def _check_heartbeat(self) -> None:
        """Silence alone proves nothing, this process may have slept: ask, and only then call the server lost."""
        window = self.config.heartbeat_window
        if self._state is ClientState.CONNECTED and time.monotonic() - self._last_heard > window:
            self._ask_whether_it_lives()
        self._io.call_later(window / 2, self._check_heartbeat)

    def _on_connection_cut(self) -> None:
        """A server that was killed closes its connections at once, so that nobody has to wait for its silence."""
        if list(receive_ready(self._cuts)) and self._state is ClientState.CONNECTED:
            self._ask_whether_it_lives()

    def _ask_whether_it_lives(self) -> None:
        key = next(self._ids).to_bytes(8)
        self._put_out(key, encode(PingRequest()), concurrent.futures.Future())
        asked_at = time.monotonic()
        self._io.call_later(self.config.heartbeat_window / 3, lambda: self._judge(key, asked_at))

    def _judge(self, key: bytes, asked_at: float) -> None:
        # Anything that was heard since will do: the answer itself may still be behind many others.
        if key not in self._waiting or self._last_heard > asked_at or self._state is not ClientState.CONNECTED:
            return
        self._set_state(ClientState.LOST)
        error = ServerLostError(
            f"the server on port {self.port} (process {self.server.pid}) stopped answering; "
            "connect() again finds or starts its successor, which knows all executions"
        )
        self._renew_control()
        self._fail_waiting(error)
        self.on_server_lost(error)

    def _on_end(self) -> None:
        error = ClosedError("this client was disconnected")
        self._fail_waiting(error)
        self.on_disconnected(error)

    def _fail_waiting(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, {}
        self._outbox.clear()
        for future in waiting.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

    def _set_state(self, state: ClientState) -> None:
        if self._state is not ClientState.CLOSED:
            self._state = state


def checked(response: Response, expect: type[ResponseT]) -> ResponseT:
    """The response, if it is of the type that was expected.

    Raises:
        RequestRefusedError: the server replied with an error.
        MessageError: it replied with something else.
    """
    if isinstance(response, expect):
        return response
    if isinstance(response, ErrorResponse):
        raise RequestRefusedError(response.code, response.message)
    raise MessageError(ErrorCode.INVALID, f"expected {expect.__name__}, the server sent {type(response).__name__}")
