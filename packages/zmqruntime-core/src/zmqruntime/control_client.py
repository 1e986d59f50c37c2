"""A client without a data channel: sends requests with deadlines, and distinguishes silent servers from ended ones."""

import atexit
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import ClassVar, Self, TypeVar

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
from zmqruntime.codec import Decoder, encode_given
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.control_link import ControlLink, Reply
from zmqruntime.deadlines import checked_seconds, result_within
from zmqruntime.exceptions import (
    ClosedError,
    ConnectionFailedError,
    MessageError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
)
from zmqruntime.identity import ProcessIdentity
from zmqruntime.loop import SocketLoop
from zmqruntime.request_texts import check_texts
from zmqruntime.standing import ClientState, Standing
from zmqruntime.vocabulary import Vocabulary, check_message, check_message_class, union_of

__all__ = ["ControlClient", "checked"]

_log = logging.getLogger(__name__)

ResponseT = TypeVar("ResponseT", bound=Message)

_PING_SECONDS = 3.0
_END_SECONDS = 10.0


class ControlClient:
    """A client that only sends requests to one server; can be used from any thread.

    It uses only the server's control channel, which suits viewers, metrics and health checks, and leaves an idle server
    idle. Over IPC, a thread that waits for a reply sends its request and reads the reply itself; an I/O thread does all
    the rest, and watches over the server. The client waits for a server that does not answer for a while, and for the
    successor of one that has ended; it never starts a server.

    Args:
        port: the server's data port [default: the configuration's ``default_port``].
        host: host of a TCP server; selects TCP.
        transport_mode: IPC or TCP [default: IPC if the platform supports it and no host is given].
        config: settings shared by the server and its clients.
    """

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
        self.port = self.default_port() if port is None else port
        self.address = Address.of(self.port, host, transport_mode, self.config)
        """The address of its server."""
        self.transport_mode = self.address.transport_mode
        self.host = self.address.host
        self.control_port = self.address.control_port
        self._speaks = Vocabulary.of(type(self))
        self._is_closed = False
        self._was_connected = False
        self._pid = os.getpid()
        self._lifecycle = threading.RLock()
        self._link: ControlLink | None = None
        self._server: PongResponse | None = None
        self._listeners: tuple[Callable[[Standing], None], ...] = ()

    # --- life ----------------------------------------------------------------------------------------------------

    def connect(self, timeout: float = 15.0) -> PongResponse:
        """Connect to the server on this port. May be called again after the server was lost.

        Args:
            timeout: seconds to wait for the server.

        Returns:
            The identity of the server.

        Raises:
            PortInUseError: another program is listening there; it is left alone.
            ServerSilentError: a server of this application holds the port but has not answered within ``timeout``.
            KeyMismatchError: the server and this client do not accept each other's keys.
            ConnectionFailedError: nothing is listening there.
            ClosedError: ``disconnect()`` was called.
            TypeError: ``timeout`` is not a number.
        """
        deadline = time.monotonic() + checked_seconds(timeout, "timeout")
        with self._lifecycle:
            self._check_open()
            try:
                pong = self._attach(deadline)
                self.check_identity(pong)
            except ConnectionFailedError:
                if not self._was_connected:  # otherwise callers keep waiting, or have been told
                    self._server = None
                    self._end_link()
                    self.let_server_go()
                raise
            self._was_connected = True
            return pong

    def open(self) -> None:
        """Open the connection without checking for a server: requests wait until one is listening.

        Raises:
            ClosedError: ``disconnect()`` was called.
        """
        with self._lifecycle:
            self._check_open()
            self._open()

    def _attach(self, deadline: float) -> PongResponse:
        """Ping the server; if it ends meanwhile, look for it or start it again."""
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
        """Release the socket and the thread; the server is not affected. May be called twice.

        In a forked child it does nothing, because everything belongs to the parent.
        """
        if os.getpid() != self._pid:
            return
        self._is_closed = True
        with self._lifecycle:
            self._end_link()
            self.let_server_go()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.disconnect()

    @property
    def state(self) -> ClientState:
        """State of the connection to the server."""
        if self._is_closed:
            return ClientState.CLOSED
        return ClientState.NEW if self._link is None else self._link.vigil.state

    @property
    def standing(self) -> Standing:
        """State of the connection to the server, with its duration and a text."""
        return Standing(self.state) if self._is_closed or self._link is None else self._link.vigil.standing()

    def add_listener(self, listener: Callable[[Standing], None]) -> Callable[[], None]:
        """Call ``listener`` whenever the state changes, and about once a second while the server does not answer.

        It is called on the I/O thread and must be quick.

        Returns:
            A function that removes the listener.
        """
        self._listeners = (*self._listeners, listener)

        def remove() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

        return remove

    @property
    def server(self) -> PongResponse:
        """The identity of the server.

        Raises:
            ClosedError: ``connect()`` has not been called.
        """
        if self._server is None:
            raise ClosedError("this client is not connected; call connect() first")
        return self._server

    @property
    def was_stopped(self) -> bool:
        """Whether the last known server announced that it was asked to shut down."""
        return self._link is not None and self._link.vigil.was_stopped

    def shutdown_server(self, timeout: float = _END_SECONDS) -> None:
        """Shut down the server and wait until its process has ended.

        Raises:
            RequestTimeoutError: it is still running after ``timeout`` seconds.
        """
        server = self.server
        timeout = checked_seconds(timeout, "timeout")
        with contextlib.suppress(ServerLostError):  # it may end, or be too busy shutting down, before it replies
            self.request(ShutdownRequest(), OkResponse, timeout)
            self.call_soon(lambda: self._vigil.said_farewell(server.instance_id))
        if self.is_local and not ProcessIdentity(server.pid, server.process_start).wait(timeout):
            raise RequestTimeoutError(
                f"server process {server.pid} is still running {timeout:g} s after it agreed to shut down"
            )

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return self.address.is_local

    # --- requests ------------------------------------------------------------------------------------------------

    def request(self, message: Message, expect: type[ResponseT], timeout: float | None = None) -> ResponseT:
        """Send a request and wait for its reply, even if the server is silent or replaced by a successor meanwhile.

        Args:
            message: the request.
            expect: type of the reply.
            timeout: seconds to wait [default: the configuration's ``request_timeout``].

        Raises:
            RequestTimeoutError: there was no reply in time; later requests still work.
            RequestRefusedError: the server replied with an error.
            ServerLostError: the server ended meanwhile, and the request must not be sent to another one, or no
                successor was started in time.
            ClosedError: the client is not connected.
            TypeError: ``message`` is not a message, ``expect`` not a message class, or ``timeout`` not a number.
        """
        seconds = self.config.request_timeout if timeout is None else checked_seconds(timeout, "timeout")
        check_message_class(expect, "expect")
        deadline = time.monotonic() + seconds
        data = self._encoded(message)
        try:
            reply = self._usable_link().ask_here(data, seconds, may_repeat=message.may_repeat)
            response = reply if isinstance(reply, Message) else _wait_for(reply, deadline - time.monotonic())
        except TimeoutError as error:
            raise self.timeout_error(message, seconds) from error
        return checked(response, expect)

    def send_request(self, message: Message) -> Reply:
        """Send a request without waiting; cancel the returned future to discard the reply.

        Raises:
            MessageError: the message is larger than a server accepts.
            RequestRefusedError: a name or an id in it has characters or a length that servers refuse.
            TypeError: it is not a message, or contains a value that cannot be sent.
            ClosedError: the client is not connected.
        """
        data = self._encoded(message)
        return self._usable_link().send(data, may_repeat=message.may_repeat)

    def ask_on_loop(self, message: Message) -> Reply:
        """Send a request from the I/O thread; the returned future is cancelled if the client is closing."""
        return self._control.ask(message)

    def _encoded(self, message: Message) -> bytes:
        """Return the bytes of a request; raises the errors of :meth:`send_request` for what cannot be sent."""
        check_message(message)
        check_texts(message)
        data = encode_given(message, f"the request {type(message).__name__}")
        if len(data) > self.config.max_message_bytes:
            raise MessageError(
                ErrorCode.INVALID,
                f"the {type(message).__name__} is {len(data):,} bytes, more than the {self.config.max_message_bytes:,} "
                "that a server accepts; pass a path to the data instead of the data",
            )
        return data

    def timeout_error(self, message: Message, seconds: float) -> RequestTimeoutError | ServerLostError:
        """Return the error to raise when there was no reply to ``message`` within ``seconds``."""
        name = type(message).__name__
        standing = self.standing
        if standing.state is ClientState.LOST:
            return ServerLostError(f"{standing.text}; no reply to {name} within {seconds:g} s")
        why = f": {standing.text}" if standing.text else ""
        return RequestTimeoutError(f"the server on port {self.port} did not reply to {name} within {seconds:g} s{why}")

    # --- for subclasses --------------------------------------------------------------------------------------------

    def default_port(self) -> int:
        """Return the data port to use if none is given."""
        return self.config.default_port

    def ensure_server(self, deadline: float) -> None:
        """Make sure that something is listening before it is pinged.

        Args:
            deadline: in terms of ``time.monotonic()``.

        Raises:
            ConnectionFailedError: nothing is listening.
        """
        if not self.address.is_listening():
            raise ConnectionFailedError(nobody_there(self.address))

    def check_identity(self, pong: PongResponse) -> None:
        """Called with each server that answers for the first time.

        Raises:
            ConnectionFailedError: it is not the intended server.
        """

    def let_server_go(self) -> None:
        """Called at the end, to stop a server that was started by this client and must not outlive it."""

    @property
    def loop(self) -> SocketLoop:
        """The loop that owns the sockets.

        Raises:
            ClosedError: ``connect()`` has not been called.
        """
        if self._link is None:
            raise ClosedError("this client is not connected; call connect() first")
        return self._link.loop

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call ``call`` on the I/O thread.

        Raises:
            ClosedError: the client is not connected, or belongs to the parent of this process.
        """
        self._usable_link().loop.call_soon(call)

    def _usable_link(self) -> ControlLink:
        if os.getpid() != self._pid:
            raise ClosedError("this client belongs to the parent of a forked process; create a new one in the child")
        self._check_open()
        link = self._link
        if link is None:
            raise ClosedError("this client is not connected; call connect() first")
        return link

    # --- for subclasses, called on the I/O thread ------------------------------------------------------------------

    def on_server_silent(self) -> None:
        """Called when the server is not answering at the moment; the client keeps waiting for it."""

    def on_server_lost(self, error: ServerLostError) -> None:
        """Called when the server has ended or cannot be reached."""

    def on_server_back(self, is_new: bool) -> None:
        """Called when a server answers again; ``is_new`` if it is a new run of the server."""

    def on_given_up(self, error: ConnectionFailedError) -> None:
        """Called when no successor of a lost server answered in time, or the wrong one did; waiting requests fail."""

    def on_disconnected(self, error: ClosedError) -> None:
        """Called after ``disconnect()``; nothing more will arrive."""

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Called before the loop starts; register everything opened here with ``stack``, which is closed at its end."""

    def wants_successor(self) -> bool:
        """Return whether anything is waiting that the successor of a lost server could provide."""
        return self._control.channel.has_repeatable

    def may_start_successor(self) -> bool:
        """Return whether this client automatically starts the successor of a lost server."""
        return False

    def starts_after_stop(self) -> bool:
        """Return whether something is waiting for which even a server that was asked to shut down is started again."""
        return False

    def how_to_start(self) -> str:
        """Return what starts the server again, for the message that no successor has answered."""
        return "connect() starts it if this client names a server class"

    def make_reply_decoder(self) -> Callable[[bytes], Message]:
        """Return the decoder for bytes from the control channel."""
        return Decoder[Message](union_of(self._speaks.replies))

    # --- the link --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._link is not None:
            return
        name = f"{type(self).__name__}-{self.port}"
        link = self._control = ControlLink(self.address, self, name, self.make_reply_decoder())
        self._io, self._context, self._vigil = link.loop, link.context, link.vigil
        try:
            self.on_open(link.stack)
        except BaseException:
            link.loop.dispose()
            raise
        self._link = link
        link.start()
        atexit.register(self.disconnect)

    def _end_link(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.end()
        atexit.unregister(self.disconnect)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClosedError("this client was disconnected; create a new one")

    # --- called by the link ----------------------------------------------------------------------------------------

    @property
    def listens(self) -> bool:
        """Whether it hears from its server without asking, so that silence is always significant."""
        return False

    @property
    def after_loss(self) -> str:
        """What the loss of the server means for a request that was under way."""
        return "it is unknown whether it has acted on this request"

    def on_met(self, pong: PongResponse) -> None:
        """Note who the server is."""
        self._server = pong

    def on_standing(self, standing: Standing) -> None:
        """Notify the listeners."""
        for listener in self._listeners:
            try:
                listener(standing)
            except Exception:  # noqa: BLE001 - the listener is not ours
                _log.exception("the listener %r failed", listener)


def _wait_for(reply: Reply, seconds: float) -> Message:
    try:
        return result_within(reply, max(0.0, seconds))
    except TimeoutError:
        reply.cancel()
        raise


def checked(response: Message, expect: type[ResponseT]) -> ResponseT:
    """Return the response if it is of the expected type.

    Raises:
        RequestRefusedError: the server replied with an error.
        MessageError: the server replied with a message of another type.
    """
    if isinstance(response, expect):
        return response
    if isinstance(response, ErrorResponse):
        raise RequestRefusedError(response.code, response.message)
    raise MessageError(ErrorCode.INVALID, f"expected {expect.__name__}, the server sent {type(response).__name__}")
