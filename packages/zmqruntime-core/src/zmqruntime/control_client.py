"""A client without a data channel: asks its server within deadlines, and tells a silent one from one that is gone."""

import atexit
import concurrent.futures
import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import ClassVar, Self, TypeVar

import zmq

from zmqruntime.address import Address, nobody_there, silent_server
from zmqruntime.base_messages import (
    ErrorCode,
    ErrorResponse,
    Message,
    OkResponse,
    PingRequest,
    PongResponse,
    ShutdownRequest,
)
from zmqruntime.codec import Decoder, encode, encode_given
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.control_channel import ControlChannel
from zmqruntime.deadlines import result_within
from zmqruntime.exceptions import (
    ClosedError,
    ConnectionFailedError,
    MessageError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
    ZMQRuntimeError,
)
from zmqruntime.identity import ProcessIdentity
from zmqruntime.loop import SocketLoop
from zmqruntime.recovery import Recovery
from zmqruntime.standing import ClientState, Standing
from zmqruntime.vigil import Vigil
from zmqruntime.vocabulary import Vocabulary, union_of

__all__ = ["ControlClient", "checked"]

_log = logging.getLogger(__name__)

ResponseT = TypeVar("ResponseT", bound=Message)

_PING_SECONDS = 3.0
_END_SECONDS = 10.0


class ControlClient:
    """Asks one server from any thread; one I/O thread owns its socket.

    It needs nothing but the server's control channel, so it suits viewers, scrapes and checks, and an idle server
    stays idle. A server that does not answer for a while is waited for, and so is the successor of one that has ended;
    this client starts none.

    Args:
        port: the server's data port; the configuration's default when None.
        host: where a TCP server is; naming one selects TCP.
        transport_mode: IPC or TCP; IPC where the platform has it and no host is named.
        config: what the server and its clients agree on.
    """

    vocabulary: ClassVar[Vocabulary] = Vocabulary()
    """The requests, replies and events of this class, besides those of its base classes."""

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
    ) -> None:
        self.config = config or ZMQConfig()
        self.port = self.default_port() if port is None else port
        self.address = Address.of(self.port, host, transport_mode, self.config)
        """Where its server is."""
        self.transport_mode = self.address.transport_mode
        self.host = self.address.host
        self.control_port = self.address.control_port
        self._speaks = Vocabulary.of(type(self))
        self._is_closed = False
        self._was_connected = False
        self._pid = os.getpid()
        self._lifecycle = threading.RLock()
        self._loop: SocketLoop | None = None
        self._server: PongResponse | None = None
        self._ids = itertools.count(1)
        self._listeners: tuple[Callable[[Standing], None], ...] = ()

    # --- life ----------------------------------------------------------------------------------------------------

    def connect(self, timeout: float = 15.0) -> PongResponse:
        """Attach to the server of this port; says who it is. May be called again after the server was lost.

        Raises:
            PortInUseError: something else listens there; it is left alone.
            ServerSilentError: a server of ours holds the port, and has not answered within ``timeout`` seconds.
            ConnectionFailedError: nothing listens there.
            ClosedError: after ``disconnect()``.
        """
        deadline = time.monotonic() + timeout
        with self._lifecycle:
            self._check_open()
            try:
                pong = self._attach(deadline)
                self.check_identity(pong)
            except ConnectionFailedError:
                if not self._was_connected:  # else who waits goes on waiting, or was told
                    self._server = None
                    self._end_loop()
                    self.let_server_go()
                raise
            self._was_connected = True
            return pong

    def open(self) -> None:
        """Open the connection without a look at whether anything listens: what is asked waits until a server does.

        Raises:
            ClosedError: after ``disconnect()``.
        """
        with self._lifecycle:
            self._check_open()
            self._open()

    def _attach(self, deadline: float) -> PongResponse:
        """Ping whatever listens; what dies meanwhile is looked for, or started, again."""
        while True:
            self._check_open()
            self.ensure_server(deadline)
            self._open()
            try:
                return self.request(
                    PingRequest(), PongResponse, min(_PING_SECONDS, max(0.1, deadline - time.monotonic()))
                )
            except (RequestTimeoutError, ServerLostError) as error:
                is_foreign = self.address.is_listening() and not self.address.is_claimed()
                if is_foreign or time.monotonic() >= deadline:
                    raise silent_server(self.address) from error

    def disconnect(self) -> None:
        """Release the socket and the thread; the server does not notice. May be called twice.

        In a forked child it does nothing: all that is the parent's.
        """
        if os.getpid() != self._pid:
            return
        self._is_closed = True
        with self._lifecycle:
            self._end_loop()
            self.let_server_go()

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
            self.call_soon(lambda: self._vigil.said_farewell(server.instance_id))
        if self.is_local and not ProcessIdentity(server.pid, server.process_start).wait(timeout):
            raise RequestTimeoutError(f"server process {server.pid} still runs {timeout:g} s after it agreed to end")

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return self.address.is_local

    # --- requests ------------------------------------------------------------------------------------------------

    def request(self, message: Message, expect: type[ResponseT], timeout: float | None = None) -> ResponseT:
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

    def send_request(self, message: Message) -> "concurrent.futures.Future[Message]":
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
        self.call_soon(lambda: self._put(key, data, future, message.may_repeat))
        return future

    def ask_on_loop(self, message: Message) -> "concurrent.futures.Future[Message]":
        """As :meth:`send_request`, on the I/O thread; gives a cancelled future while the client closes."""
        key, future = self._expect_reply()
        if self._is_closed:
            future.cancel()
        else:
            self._put(key, encode(message), future, message.may_repeat)
        return future

    def timeout_error(self, message: Message, seconds: float) -> RequestTimeoutError | ServerLostError:
        """What to raise when no reply to ``message`` came within ``seconds``."""
        name = type(message).__name__
        standing = self.standing
        if standing.state is ClientState.LOST:
            return ServerLostError(f"{standing.text}; no reply to {name} within {seconds:g} s")
        why = f": {standing.text}" if standing.text else ""
        return RequestTimeoutError(f"the server on port {self.port} did not reply to {name} within {seconds:g} s{why}")

    # --- for subclasses --------------------------------------------------------------------------------------------

    def default_port(self) -> int:
        """The data port when none is named."""
        return self.config.default_port

    def ensure_server(self, deadline: float) -> None:
        """Make sure that something listens, before it is asked who it is; ``deadline`` is of ``time.monotonic()``.

        Raises:
            ConnectionFailedError: nothing does.
        """
        if not self.address.is_listening():
            raise ConnectionFailedError(nobody_there(self.address))

    def check_identity(self, pong: PongResponse) -> None:
        """Called with each server that answers for the first time. Raises ConnectionFailedError if it is not the one
        that is meant."""

    def let_server_go(self) -> None:
        """Called at the end: a server that was started here and that must not outlive this client ends."""

    @property
    def loop(self) -> SocketLoop:
        """The loop that owns the sockets.

        Raises:
            ClosedError: before ``connect()``.
        """
        if self._loop is None:
            raise ClosedError("this client is not connected; call connect() first")
        return self._loop

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call ``call`` on the I/O thread.

        Raises:
            ClosedError: the client is not connected, or belongs to the parent of this process.
        """
        if os.getpid() != self._pid:
            raise ClosedError("this client was made before a fork and is the parent's; make one in the child")
        self._check_open()
        self.loop.call_soon(call)

    # --- for subclasses, called on the I/O thread ------------------------------------------------------------------

    def on_server_silent(self) -> None:
        """The server does not answer at the moment; it is waited for."""

    def on_server_lost(self, error: ServerLostError) -> None:
        """The server has ended, or cannot be reached."""

    def on_server_back(self, is_new: bool) -> None:
        """The server answers again; ``is_new`` if it is another run of it."""

    def on_given_up(self, error: ConnectionFailedError) -> None:
        """No successor of a lost server came in time, or the wrong one did: who waits is told, and waits no more."""

    def on_disconnected(self, error: ClosedError) -> None:
        """``disconnect()`` was called; nothing more will arrive."""

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """The loop is about to start; what is opened here is registered with ``stack``, which is closed at its end."""

    def wants_successor(self) -> bool:
        """Whether anybody waits for what the successor of a lost server could give."""
        return self._control.has_repeatable

    def may_start_successor(self) -> bool:
        """Whether this client starts the successor of a lost server by itself."""
        return False

    def make_reply_decoder(self) -> Callable[[bytes], Message]:
        """What turns bytes from the control channel into a reply."""
        return Decoder[Message](union_of(self._speaks.replies))

    # --- I/O thread ------------------------------------------------------------------------------------------------

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
        """Open what ``stack`` closes again; raises ConfigurationError if the key of the server is not known."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        stack.callback(self._context.term)
        self._io = loop
        self._vigil = Vigil(loop, self.address, self, self._control_socket)
        stack.callback(self._vigil.close)
        self._recovery = Recovery(loop, self.connect, self.config.successor_window, self._give_up)
        stack.callback(self._recovery.end)
        self._control = ControlChannel(
            loop, self._control_socket, self.make_reply_decoder(), self._on_response, self._vigil.linked
        )
        stack.callback(self._control.close)
        self.on_open(stack)
        stack.callback(self._on_end)

    def _end_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()
            loop.join()
            self._recovery.join()
        atexit.unregister(self.disconnect)

    def _control_socket(
        self, prepare: "Callable[[zmq.Socket[bytes]], None]" = lambda sock: None
    ) -> "zmq.Socket[bytes]":
        sock = self._context.socket(zmq.DEALER)
        try:
            self.address.prepare(sock)
            prepare(sock)
            sock.connect(self.address.control_url)
        except BaseException:
            sock.close(0)
            raise
        return sock

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClosedError("this client was disconnected; make a new one")

    def _expect_reply(self) -> "tuple[bytes, concurrent.futures.Future[Message]]":
        key = next(self._ids).to_bytes(8)
        future: concurrent.futures.Future[Message] = concurrent.futures.Future()
        future.add_done_callback(lambda done: self._on_future_done(key, done))
        return key, future

    def _put(self, key: bytes, data: bytes, future: "concurrent.futures.Future[Message]", may_repeat: bool) -> None:
        self._control.put(key, data, future, may_repeat)
        if may_repeat and self._vigil.state is ClientState.LOST:
            self._recover()

    def _on_future_done(self, key: bytes, future: "concurrent.futures.Future[Message]") -> None:
        if future.cancelled() and self._loop is not None:
            self._loop.call_soon(lambda: self._control.forget(key))

    def _on_response(self, response: Message) -> None:
        if not isinstance(response, PongResponse):
            self._vigil.heard()
            return
        known, self._server = self._server, response
        if known is not None and known.instance_id != response.instance_id:
            try:
                self.check_identity(response)
            except ConnectionFailedError as error:
                self._server = known
                self._stop_waiting(error)
                return
        self._vigil.met(response)

    # --- what the vigil asks and tells ---------------------------------------------------------------------------

    @property
    def expects_word(self) -> bool:
        """Whether silence means something: only when something was asked."""
        return self._control.waiting_count > 0

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
        if not self._vigil.is_unreachable and self.wants_successor():
            self._recovery.begin(may_start=not self._vigil.was_stopped and self.may_start_successor())

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


def checked(response: Message, expect: type[ResponseT]) -> ResponseT:
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
