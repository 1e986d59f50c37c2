"""The I/O thread of a client: its control channel, the watch over its server, and what happens when that is lost."""

import concurrent.futures
import contextlib
import itertools
import logging
from collections.abc import Callable
from typing import Final, Protocol

import zmq

from zmqruntime.address import Address
from zmqruntime.base_messages import Message, PingRequest, PongResponse
from zmqruntime.codec import encode
from zmqruntime.control_channel import ControlChannel
from zmqruntime.direct import DirectConnections, NotSentError, ReplyLostError
from zmqruntime.exceptions import ClosedError, ConnectionFailedError, ServerLostError, ZMQRuntimeError
from zmqruntime.loop import SocketLoop
from zmqruntime.recovery import Recovery
from zmqruntime.refusals import Handshakes, Refusal, refused
from zmqruntime.standing import ClientState, Standing
from zmqruntime.vigil import Vigil

__all__ = ["ControlLink", "LinkOwner", "Reply"]

_log = logging.getLogger(__name__)

Reply = concurrent.futures.Future[Message]
"""The reply to a request, once it is there."""


class LinkOwner(Protocol):
    """The client of a link; all methods are called on the I/O thread, except for :meth:`connect`."""

    @property
    def listens(self) -> bool:
        """Whether the client hears from its server without asking, so that silence is always significant."""

    @property
    def after_loss(self) -> str:
        """What the loss of the server means for a request that was under way."""

    def connect(self, timeout: float = ...) -> PongResponse:
        """Find or start the server."""

    def check_identity(self, pong: PongResponse) -> None:
        """Called with each server that answers for the first time; raises ``ConnectionFailedError``."""

    def on_met(self, pong: PongResponse) -> None:
        """Called when the server has said who it is."""

    def on_standing(self, standing: Standing) -> None:
        """Called when the state has changed, and about once a second while the server does not answer."""

    def on_server_silent(self) -> None:
        """Called when the server is not answering at the moment."""

    def on_server_lost(self, error: ServerLostError) -> None:
        """Called when the server has ended or cannot be reached."""

    def on_server_back(self, is_new: bool) -> None:
        """Called when a server answers again; ``is_new`` if it is a new run of the server."""

    def on_given_up(self, error: ConnectionFailedError) -> None:
        """Called when no successor of a lost server answered in time, or the wrong one did."""

    def on_disconnected(self, error: ClosedError) -> None:
        """Called at the end of the link."""

    def wants_successor(self) -> bool:
        """Return whether anything is waiting that the successor of a lost server could provide."""

    def may_start_successor(self) -> bool:
        """Return whether the client starts the successor of a lost server."""

    def starts_after_stop(self) -> bool:
        """Return whether even a server that was asked to shut down is started again."""

    def how_to_start(self) -> str:
        """Return what starts the server again."""


class ControlLink:
    """The link of one client to its server, from the first request to ``disconnect()``.

    Methods are for use on the I/O thread, except for :meth:`send`, :meth:`ask_here`, :meth:`start` and :meth:`end`.

    Args:
        address: address of the server.
        owner: the client.
        name: name of the I/O thread.
        decode: decoder for replies.

    Raises:
        ConfigurationError: the key of the server is not known.
    """

    def __init__(self, address: Address, owner: LinkOwner, name: str, decode: Callable[[bytes], Message]) -> None:
        self.loop: Final = SocketLoop(name)
        self.stack: Final = contextlib.ExitStack()
        """What is closed on the I/O thread at the end, last opened first."""
        self.loop.at_end = self.stack.close
        self.context: Final[zmq.Context[zmq.Socket[bytes]]] = zmq.Context()
        self.stack.callback(self.context.term)
        self._address = address
        self._owner = owner
        self._decode = decode
        self._ids = itertools.count(1)
        self._server: PongResponse | None = None
        self._is_ended = False
        self.vigil: Final = Vigil(self.loop, address, self, self._control_socket)
        self.stack.callback(self.vigil.close)
        self._recovery = Recovery(self.loop, owner.connect, address.config.successor_window, self._give_up)
        self.stack.callback(self._recovery.end)
        self._handshakes = Handshakes(address)
        self._refusal: Refusal | None = None
        self._order = self._kept_order = 0
        self._direct = DirectConnections.to(address, encode(PingRequest()), self._instance_of)
        if self._direct is not None:
            self.stack.callback(self._direct.close)
        try:
            self.channel: Final = ControlChannel(
                self.loop, self._control_socket, decode, self._on_response, self.vigil.linked, self._on_handshake_failed
            )
        except BaseException:
            self.loop.dispose()
            raise
        self.stack.callback(self.channel.close)

    def start(self) -> None:
        """Start the I/O thread, after everything else was opened."""
        self.stack.callback(self._on_end)
        self.loop.start()

    def end(self) -> None:
        """End the I/O thread, and wait for that."""
        self._is_ended = True
        self.loop.stop()
        self.loop.join()
        self._recovery.join()

    # --- requests, from any thread -------------------------------------------------------------------------------

    def send(self, data: bytes, *, may_repeat: bool) -> Reply:
        """Send a request from the I/O thread; cancel the returned future to discard the reply.

        Raises:
            ClosedError: the client was disconnected.
        """
        if self._is_ended:
            raise ClosedError("this client was disconnected")
        key, reply = self._expect_reply()
        self.loop.call_soon(lambda: self._put(key, data, reply, may_repeat))
        return reply

    def ask_here(self, data: bytes, seconds: float, *, may_repeat: bool) -> "Message | Reply":
        """Send a request from the calling thread and wait for its reply.

        Returns:
            The reply; or the future of it, if the I/O thread has to take over, because the server is not answering at
            the moment, or the connection has ended.

        Raises:
            TimeoutError: there was no reply in time.
            MessageError: the reply is not a message of the vocabulary.
            ClosedError: the client was disconnected.
        """
        if self._kept_order < (order := self._order):
            ordered = self.send(data, may_repeat=may_repeat)
            ordered.add_done_callback(lambda _: self._note_order(order))
            return ordered
        instance_id = self.vigil.instance_id
        if self._direct is None or instance_id is None or self.vigil.state is not ClientState.CONNECTED:
            return self.send(data, may_repeat=may_repeat)
        try:
            reply = self._direct.ask(data, instance_id, seconds)
        except NotSentError:
            return self.send(data, may_repeat=may_repeat)
        except ReplyLostError:
            return self._await_fate(data, instance_id, may_repeat=may_repeat)
        self.vigil.note_sign()
        return self._decode(reply)

    def keep_order(self) -> None:
        """Let requests go through the I/O thread, after what it was given before, until one of them is answered."""
        self._order += 1

    def _note_order(self, order: int) -> None:
        self._kept_order = max(self._kept_order, order)

    def _await_fate(self, data: bytes, instance_id: str, *, may_repeat: bool) -> Reply:
        """Send a request again whose connection has ended; one that must not be repeated waits for the server's end."""
        if may_repeat or self._is_ended:
            return self.send(data, may_repeat=may_repeat)
        key, reply = self._expect_reply()

        def keep() -> None:
            if self.vigil.instance_id == instance_id and self.vigil.state is not ClientState.LOST:
                self.channel.keep(key, reply)
            elif reply.set_running_or_notify_cancel():
                who = self.vigil.standing().text or f"{self.vigil.who} has replaced the one that had this request"
                reply.set_exception(ServerLostError(f"{who}; {self._owner.after_loss}"))

        self.loop.call_soon(keep)
        return reply

    # --- requests, on the I/O thread -----------------------------------------------------------------------------

    def ask(self, message: Message) -> Reply:
        """Send a request; the returned future is cancelled if the client is closing."""
        key, reply = self._expect_reply()
        if self._is_ended:
            reply.cancel()
        else:
            self._put(key, encode(message), reply, message.may_repeat)
        return reply

    def _expect_reply(self) -> tuple[bytes, Reply]:
        key = next(self._ids).to_bytes(8)
        reply: Reply = concurrent.futures.Future()
        reply.add_done_callback(lambda done: self._on_reply_done(key, done))
        return key, reply

    def _put(self, key: bytes, data: bytes, reply: Reply, may_repeat: bool) -> None:
        if not may_repeat and self._is_gone and reply.set_running_or_notify_cancel():
            loss = self.vigil.standing().text
            reply.set_exception(ServerLostError(f"{loss}, and no other one is running: connect() looks for it again"))
            return
        self.channel.put(key, data, reply, may_repeat)
        self._fail_refused()
        if may_repeat and self.vigil.state is ClientState.LOST:
            self._recover()

    @property
    def _is_gone(self) -> bool:
        """Whether the server has ended and nothing is about to replace it."""
        address = self._address
        is_ended = self.vigil.state is ClientState.LOST and not self.vigil.is_unreachable
        return is_ended and address.is_local and not self._recovery.is_under_way and not address.is_listening()

    def _on_reply_done(self, key: bytes, reply: Reply) -> None:
        if reply.cancelled():
            self.loop.call_soon(lambda: self.channel.forget(key))

    # --- the control channel -------------------------------------------------------------------------------------

    def _control_socket(
        self, prepare: "Callable[[zmq.Socket[bytes]], None]" = lambda sock: None
    ) -> "zmq.Socket[bytes]":
        sock = self.context.socket(zmq.DEALER)
        try:
            self._address.prepare(sock)
            prepare(sock)
            sock.connect(self._address.control_url)
        except BaseException:
            sock.close(0)
            raise
        return sock

    def _on_response(self, response: Message) -> None:
        if not isinstance(response, PongResponse):
            self.vigil.heard()
            return
        known = self._server
        if known is not None and known.instance_id != response.instance_id:
            try:
                self._owner.check_identity(response)
            except ConnectionFailedError as error:
                self._stop_waiting(error)
                return
        self._server = response
        self._owner.on_met(response)
        self.vigil.met(response)

    def _instance_of(self, data: bytes) -> str:
        """Return which run of a server has answered a ping; empty if it is not a server's answer."""
        with contextlib.suppress(ZMQRuntimeError):
            pong = self._decode(data)
            return pong.instance_id if isinstance(pong, PongResponse) else ""
        return ""

    def _on_handshake_failed(self, event: int, value: int) -> None:
        """Fail the first requests if the handshake cannot succeed; a server that has answered may only be busy."""
        if self.vigil.state is ClientState.NEW:
            self._refusal = self._handshakes.refusal(event, value) or self._refusal
            self._fail_refused()

    def _fail_refused(self) -> None:
        """Fail all requests if no handshake can succeed: libzmq does not connect again after some refusals."""
        if self._refusal is not None and self.vigil.state is ClientState.NEW and not self.channel.is_linked:
            self.channel.fail_all(refused(self._address, self._refusal))

    # --- called by the vigil -------------------------------------------------------------------------------------

    @property
    def expects_word(self) -> bool:
        """Whether silence is significant: always, or only while a request is waiting for its reply."""
        is_asked = self.channel.waiting_count > 0 or (self._direct is not None and self._direct.are_used)
        return is_asked or self._owner.listens

    @property
    def after_loss(self) -> str:
        """What the loss of the server means for a request that was under way."""
        return self._owner.after_loss

    def ask_who(self) -> None:
        """Ping the server."""
        self.ask(PingRequest())

    def on_judged(self, before: ClientState, error: ServerLostError | None, is_new: bool) -> None:
        """React to a change of state."""
        if self._is_ended:
            return
        match self.vigil.state:
            case ClientState.SILENT:
                self._owner.on_server_silent()
            case ClientState.LOST:
                assert error is not None
                self._on_lost(error)
            case ClientState.CONNECTED if before is not ClientState.NEW:
                self._recovery.end()
                self._owner.on_server_back(is_new)

    def _on_lost(self, error: ServerLostError) -> None:
        if not self.vigil.was_stopped:
            self._recovery.note_loss()
        if self._direct is not None:
            self._direct.interrupt()  # a process that the server has forked may keep its connections open
        self.channel.renew(error)
        self._owner.on_server_lost(error)
        self._recover()

    def on_standing(self, standing: Standing) -> None:
        """Pass on the state."""
        self._owner.on_standing(standing)

    # --- after a loss --------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Wait for a successor if anything needs one; an unreachable server is waited for indefinitely."""
        if not self.vigil.is_unreachable and self._owner.wants_successor():
            may_start = self._owner.starts_after_stop() or not self.vigil.was_stopped
            self._recovery.begin(may_start=may_start and self._owner.may_start_successor())

    def _give_up(self, error: ZMQRuntimeError | None) -> None:
        if self.vigil.state is not ClientState.LOST:
            return
        why = f": {error}" if error is not None else f"; {self._owner.how_to_start()}"
        window = self._address.config.successor_window
        text = f"{self.vigil.standing().text}, and no successor has answered within {window:g} s"
        self._stop_waiting(ServerLostError(text + why))

    def _stop_waiting(self, error: ConnectionFailedError) -> None:
        self.channel.fail_all(error)
        self._owner.on_given_up(error)

    def _on_end(self) -> None:
        error = ClosedError("this client was disconnected")
        self.channel.fail_all(error)
        self._owner.on_disconnected(error)
