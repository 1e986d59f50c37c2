"""A client: finds or starts its server, asks it within deadlines, and tells a silent server from one that is gone."""

import atexit
import concurrent.futures
import contextlib
import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import ClassVar, Self, TypeVar

import zmq

from zmqruntime.codec import Decoder, encode, encode_given
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.control import ControlChannel
from zmqruntime.deadlines import result_within
from zmqruntime.exceptions import (
    ClosedError,
    ConnectionFailedError,
    MessageError,
    OutdatedServerError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
    WrongServerError,
    ZMQRuntimeError,
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
    Farewell,
    Heartbeat,
    OkResponse,
    PingRequest,
    PongResponse,
    Request,
    Response,
    ShutdownRequest,
)
from zmqruntime.recovery import Recovery
from zmqruntime.security import KeyStore
from zmqruntime.server import receive_ready
from zmqruntime.server_code import check_server, default_port_of
from zmqruntime.standing import ClientState, Standing
from zmqruntime.transport import LOOPBACK, choose_transport_mode
from zmqruntime.vigil import Vigil

__all__ = ["ClientState", "Standing", "ZMQClient", "checked"]

_log = logging.getLogger(__name__)

ResponseT = TypeVar("ResponseT", bound=Response)

_PING_SECONDS = 3.0
_END_SECONDS = 10.0
_LINGER_MS = 200
_MISSED_BEATS = 1.5
_RECONNECT_MS = (50, 1000)


class ZMQClient:
    """Talks to one server from any thread; one I/O thread owns its sockets.

    A server that does not answer for a while is waited for, and so is the successor of one that has ended: this
    client starts it itself if it may and somebody waits for something.

    Args:
        port: the server's data port; None for the default port of the server class that the client names, or the
            configuration's.
        host: where a TCP server is; naming one selects TCP. Servers are only started on this machine.
        transport_mode: IPC or TCP; IPC where the platform has it and no host is named.
        config: what the server and its clients agree on.
        persistent: whether a server that this client starts outlives it; otherwise it ends with the client, also
            when the client is killed.
    """

    server_target: ClassVar[str | None] = None
    """``module:Class`` of the server to start when none answers; None to never start one."""

    restarts_server: ClassVar[bool] = True
    """Whether it starts the successor of a server that was killed by itself, while somebody waits; otherwise only
    ``connect()`` does."""

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
        self.port = self.default_port() if port is None else port
        self.transport_mode = choose_transport_mode(transport_mode, host)
        self.host = host or LOOPBACK
        self.persistent = persistent
        self._address = Address(self.port, self.host, self.transport_mode, self.config)
        self.control_port = self._address.control_port
        self._is_closed = False
        self._was_connected = False
        self._pid = os.getpid()
        self._lifecycle = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._loop: SocketLoop | None = None
        self._server: PongResponse | None = None
        self._outdated: OutdatedServerError | None = None
        self._decode_response: Decoder[Response] = Decoder(Response)
        self._decode_data: Decoder[DataMessage] = Decoder(DataMessage)
        self._ids = itertools.count(1)
        self._listeners: tuple[Callable[[Standing], None], ...] = ()
        self._beat = Heartbeat(instance_id="", interval=0.0)
        self._beat_at = 0.0
        self._resync_beats = 0

    # --- life ----------------------------------------------------------------------------------------------------

    def connect(self, timeout: float = 15.0) -> PongResponse:
        """Attach to the server of this port, or start one if nothing listens there; says who it is.

        May be called again after the server was lost; clients that may start a server do so by themselves.

        Raises:
            PortInUseError: something else listens there; it is left alone.
            ServerSilentError: a server of ours holds the port, and has not answered within ``timeout`` seconds.
            WrongServerError: the server there is of another class, or of another environment, than this client names.
            ServerStartError: the server that was started did not come up; the error has the end of its log.
            ConnectionFailedError: nothing listens and nothing can be started.
            ClosedError: after ``disconnect()``.
        """
        deadline = time.monotonic() + timeout
        with self._lifecycle:
            self._check_open()
            try:
                pong = self._attach(deadline)
                self._outdated = self._compare(pong)
            except ConnectionFailedError:
                if not self._was_connected:  # else who waits goes on waiting, or was told
                    self._server = None
                    self._end_loop()
                    self._let_go()
                raise
            self._was_connected = True
            return pong

    def _attach(self, deadline: float) -> PongResponse:
        """Ping whatever listens; what dies meanwhile is looked for, or started, again."""
        while True:
            self._check_open()
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
        self._is_closed = True
        with self._lifecycle:
            self._end_loop()
            self._let_go()

    def _let_go(self) -> None:
        """End the server that this client has started, if it is not to outlive it."""
        process, self._process = self._process, None
        if process is not None:
            let_go(process)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.disconnect()

    @property
    def state(self) -> ClientState:
        """How it stands with the server."""
        if self._is_closed:
            return ClientState.CLOSED
        return ClientState.NEW if self._loop is None else self._vigil.state

    @property
    def standing(self) -> Standing:
        """How it stands with the server, for how long, and in words."""
        return Standing(self.state) if self._is_closed or self._loop is None else self._vigil.standing()

    def add_listener(self, listener: Callable[[Standing], None]) -> Callable[[], None]:
        """Call ``listener`` whenever the state changes, and about once a second while the server does not answer.

        It is called on the I/O thread and must be quick. Gives what removes it.
        """
        self._listeners = (*self._listeners, listener)

        def remove() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

        return remove

    @property
    def server(self) -> PongResponse:
        """Who the server is.

        Raises:
            ClosedError: before ``connect()``.
        """
        if self._server is None:
            raise ClosedError("this client is not connected; call connect() first")
        return self._server

    @property
    def was_stopped(self) -> bool:
        """Whether the server that was heard last has said that it ends since it was told to."""
        return self._loop is not None and self._vigil.was_stopped

    def shutdown_server(self, timeout: float = _END_SECONDS) -> None:
        """End the server process and wait until it has ended.

        Raises:
            RequestTimeoutError: it still runs after ``timeout`` seconds.
        """
        server = self.server
        with contextlib.suppress(ServerLostError):  # it may be gone, or too busy with ending, before it has replied
            self.request(ShutdownRequest(), OkResponse, timeout)
            self._call(lambda: self._vigil.said_farewell(server.instance_id))
        if self.is_local and not ProcessIdentity(server.pid, server.process_start).wait(timeout):
            raise RequestTimeoutError(f"server process {server.pid} still runs {timeout:g} s after it agreed to end")

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return self._address.is_local

    # --- requests ------------------------------------------------------------------------------------------------

    def request(self, message: Request, expect: type[ResponseT], timeout: float | None = None) -> ResponseT:
        """Send a request and wait for its reply, also if the server is silent or replaced by its successor meanwhile.

        Args:
            message: what to ask.
            expect: the type of the reply.
            timeout: seconds; the configuration's ``request_timeout`` when None.

        Raises:
            RequestTimeoutError: no reply in time; the next call works all the same.
            RequestRefusedError: the server replied with an error.
            ServerLostError: the server ended meanwhile and the request must not go to another one, or no other one
                took its place in time.
            ClosedError: the client is not connected.
        """
        seconds = self.config.request_timeout if timeout is None else timeout
        future = self.send_request(message)
        try:
            response = result_within(future, seconds)
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
        key, future = self._expect_reply()
        self._call(lambda: self._put(key, data, future, message.may_repeat))
        return future

    def ask_on_loop(self, message: Request) -> "concurrent.futures.Future[Response]":
        """As :meth:`send_request`, on the I/O thread; gives a cancelled future while the client closes."""
        key, future = self._expect_reply()
        if self._is_closed:
            future.cancel()
        else:
            self._put(key, encode(message), future, message.may_repeat)
        return future

    def timeout_error(self, message: Request, seconds: float) -> RequestTimeoutError | ServerLostError:
        """What to raise when no reply to ``message`` came within ``seconds``."""
        name = type(message).__name__
        standing = self.standing
        if standing.state is ClientState.LOST:
            return ServerLostError(f"{standing.text}; no reply to {name} within {seconds:g} s")
        why = f": {standing.text}" if standing.text else ""
        return RequestTimeoutError(f"the server on port {self.port} did not reply to {name} within {seconds:g} s{why}")

    def subscribe(self, topic: bytes) -> None:
        """Receive what the server publishes on topics that begin with ``topic``."""
        self._call(lambda: self._data.subscribe(topic))

    # --- for subclasses, called on the I/O thread ----------------------------------------------------------------

    def on_event_batch(self, batch: EventBatch) -> None:
        """Events arrived."""

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """The server said that it lives."""

    def on_server_silent(self) -> None:
        """The server does not answer at the moment; it is waited for."""

    def on_server_lost(self, error: ServerLostError) -> None:
        """The server has ended, or cannot be reached."""

    def on_server_back(self, is_new: bool) -> None:
        """The server answers again; ``is_new`` if it is another run of it."""

    def on_given_up(self, error: ConnectionFailedError) -> None:
        """No successor of a lost server came in time, or the wrong one did: who waits is told, and waits no more."""

    def on_resync(self) -> None:
        """The data channel is open, for the first time or again: what was published before may have been missed."""

    def on_disconnected(self, error: ClosedError) -> None:
        """``disconnect()`` was called; nothing more will arrive."""

    def wants_successor(self) -> bool:
        """Whether anybody waits for what the successor of a lost server could give."""
        return self._control.has_repeatable

    # --- finding and starting ------------------------------------------------------------------------------------

    def server_spec(self) -> ServerSpec | None:
        """The server to start when none answers, or None to never start one."""
        return None if self.server_target is None else self.spec_for(self.server_target)

    def default_port(self) -> int:
        """The data port when none is named."""
        return default_port_of(self.server_target, self.config)

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

    def _compare(self, pong: PongResponse) -> OutdatedServerError | None:
        """With the class that this client names, if the server is of this machine. Raises WrongServerError."""
        spec = self.server_spec()
        return None if spec is None or not self.is_local else check_server(spec.target, pong)

    # --- I/O thread ----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._loop is not None:
            return
        loop = SocketLoop(f"{type(self).__name__}-{self.port}")
        stack = contextlib.ExitStack()
        loop.at_end = stack.close
        try:
            self._open_sockets(loop, stack)
        except BaseException:
            loop.dispose()
            raise
        self._loop = loop
        loop.start()
        atexit.register(self.disconnect)

    def _open_sockets(self, loop: SocketLoop, stack: contextlib.ExitStack) -> None:
        """Raises ConfigurationError when the server's key is not known; what is in ``stack`` is to be closed then."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        stack.callback(self._context.term)
        self._io = loop
        self._vigil = Vigil(loop, self._address, self, lambda prepare: self._socket(zmq.DEALER, prepare))
        stack.callback(self._vigil.close)
        self._recovery = Recovery(loop, self.connect, self.config.successor_window, self._give_up)
        stack.callback(self._recovery.end)
        self._control = ControlChannel(
            loop,
            lambda: self._socket(zmq.DEALER),
            lambda data: self._decode_response(data),
            self._on_response,
            self._vigil.linked,
        )
        stack.callback(self._control.close)
        self._data = stack.enter_context(self._socket(zmq.SUB))
        self._data.subscribe(HEARTBEAT_TOPIC)
        loop.add_reader(self._data, self._on_data_readable)
        stack.callback(self._on_end)

    def _end_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()
            loop.join()
            self._recovery.join()
        atexit.unregister(self.disconnect)

    def _socket(
        self, kind: int, prepare: "Callable[[zmq.Socket[bytes]], None]" = lambda sock: None
    ) -> "zmq.Socket[bytes]":
        sock = self._context.socket(kind)
        try:
            self._set_up(sock)
            prepare(sock)
            sock.connect(self._address.url(self.port if kind == zmq.SUB else self.control_port))
        except BaseException:
            sock.close(0)
            raise
        return sock

    def _set_up(self, sock: "zmq.Socket[bytes]") -> None:
        sock.linger = _LINGER_MS
        sock.maxmsgsize = self.config.max_message_bytes
        sock.ipv6 = ":" in self.host
        sock.reconnect_ivl, sock.reconnect_ivl_max = _RECONNECT_MS
        if not self.is_local:
            # A network that is gone cuts nothing: the connection would be tried again by its own, growing pauses.
            sock.heartbeat_ivl = int(self.config.unreachable_window * 1000 / 6)
            sock.heartbeat_timeout = int(self.config.unreachable_window * 1000 / 2)
        if self._address.is_encrypted:
            store = KeyStore(self.config)
            keys = store.client()
            sock.curve_publickey, sock.curve_secretkey = keys.public, keys.secret
            sock.curve_serverkey = store.server_key_for(self.host, self.port, is_local=self.is_local)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClosedError("this client was disconnected; make a new one")

    def _call(self, call: Callable[[], None]) -> None:
        if os.getpid() != self._pid:
            raise ClosedError("this client was made before a fork and is the parent's; make one in the child")
        self._check_open()
        if self._loop is None:
            raise ClosedError("this client is not connected; call connect() first")
        self._loop.call_soon(call)

    def _expect_reply(self) -> "tuple[bytes, concurrent.futures.Future[Response]]":
        key = next(self._ids).to_bytes(8)
        future: concurrent.futures.Future[Response] = concurrent.futures.Future()
        future.add_done_callback(lambda done: self._on_future_done(key, done))
        return key, future

    def _put(self, key: bytes, data: bytes, future: "concurrent.futures.Future[Response]", may_repeat: bool) -> None:
        self._control.put(key, data, future, may_repeat)
        if may_repeat and self._vigil.state is ClientState.LOST:
            self._recover()

    def _on_future_done(self, key: bytes, future: "concurrent.futures.Future[Response]") -> None:
        if future.cancelled() and self._loop is not None:
            self._loop.call_soon(lambda: self._control.forget(key))

    def _on_response(self, response: Response) -> None:
        if not isinstance(response, PongResponse):
            self._vigil.heard()
            return
        known, self._server = self._server, response
        if known is not None and known.instance_id != response.instance_id:
            try:
                self._outdated = self._compare(response)
            except WrongServerError as error:
                self._server = known
                self._stop_waiting(error)
                return
        self._vigil.met(response)

    def _on_data_readable(self) -> None:
        for frames in receive_ready(self._data):
            if self._is_closed:
                return
            try:
                message = self._decode_data(frames[-1])
            except MessageError as error:
                _log.warning("the server on port %d published something unreadable: %s", self.port, error)
                continue
            match message:
                case Heartbeat():
                    self._vigil.heard(message.instance_id)
                    self._note_beat(message)
                    self.on_heartbeat(message)
                case Farewell():
                    self._vigil.said_farewell(message.instance_id)
                case _:
                    self._vigil.heard()
                    self.on_event_batch(message)

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

    # --- what the vigil asks and tells ---------------------------------------------------------------------------

    def ask_who(self) -> None:
        """Ping the server; for the vigil."""
        self.ask_on_loop(PingRequest())

    def on_judged(self, before: ClientState, error: ServerLostError | None, is_new: bool) -> None:
        """The vigil has come to another state."""
        if self._is_closed:
            return
        match self._vigil.state:
            case ClientState.SILENT:
                self.on_server_silent()
            case ClientState.LOST:
                assert error is not None
                self._recovery.note_loss()
                self._control.renew(error)
                self.on_server_lost(error)
                self._recover()
            case ClientState.CONNECTED if before is not ClientState.NEW:
                self._recovery.end()
                self.on_server_back(is_new)

    def on_standing(self, standing: Standing) -> None:
        """Tell who wants to know, for example on a screen."""
        for listener in self._listeners:
            try:
                listener(standing)
            except Exception:  # noqa: BLE001 - the listener is not ours
                _log.exception("the listener %r failed", listener)

    def _recover(self) -> None:
        """Wait for a successor, if anybody wants one; a server that is out of reach is waited for without an end."""
        if self._vigil.is_unreachable or not self.wants_successor():
            return
        may_start = self.restarts_server and not self._vigil.was_stopped and self.is_local
        self._recovery.begin(may_start=may_start and self.server_spec() is not None)

    def _give_up(self, error: ZMQRuntimeError | None) -> None:
        if self._vigil.state is not ClientState.LOST:
            return
        why = f": {error}" if error is not None else "; connect() starts it if this client names a server class"
        text = f"{self._vigil.standing().text}, and no successor has answered within {self.config.successor_window:g} s"
        self._stop_waiting(ServerLostError(text + why))

    def _stop_waiting(self, error: ConnectionFailedError) -> None:
        self._control.fail_all(error)
        self.on_given_up(error)

    def _on_end(self) -> None:
        error = ClosedError("this client was disconnected")
        self._control.fail_all(error)
        self.on_disconnected(error)


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
