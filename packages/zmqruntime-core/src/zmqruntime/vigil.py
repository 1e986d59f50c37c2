"""Monitoring of a client's server: it answers, is silent, or is lost. Silence is a state; a loss needs evidence.

A server on this machine is lost when its process has ended or it has released its port; a server on another machine
when it has been unreachable or silent for a long time.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

import zmq

from zmqruntime.address import Address
from zmqruntime.base_messages import PongResponse
from zmqruntime.config import ZMQConfig
from zmqruntime.evidence import Evidence, ProcessEnd
from zmqruntime.exceptions import ServerLostError
from zmqruntime.loop import SocketLoop
from zmqruntime.probe import LifeProbe
from zmqruntime.standing import ClientState, Standing

__all__ = ["Vigil", "Watched"]

_FAREWELL_SECONDS = 0.1  # the last message of a server may arrive just after its process has ended
_LOOK_SECONDS = (0.02, 0.1, 0.3)  # after a lost connection: a killed process releases its sockets before it is gone
_CUT_SHARE = 3.0  # a connection that cannot be restored is stronger evidence than silence


class Watched(Protocol):
    """The client of a vigil; all methods are called on the I/O thread."""

    @property
    def expects_word(self) -> bool:
        """Whether silence is significant: a reply is pending, or heartbeats are subscribed to."""

    @property
    def after_loss(self) -> str:
        """What the loss of the server means for a request that was under way."""

    def ask_who(self) -> None:
        """Send a ping; its answer goes to :meth:`Vigil.met`."""

    def on_judged(self, before: ClientState, error: ServerLostError | None, is_new: bool) -> None:
        """Called when the state has changed; with ``error`` if the server was lost, ``is_new`` if it is a new run."""

    def on_standing(self, standing: Standing) -> None:
        """Called when the state has changed, and about once a second while there is no answer."""


class Vigil:
    """A monitor for one server, on a client's I/O thread.

    Args:
        loop: the client's loop.
        address: address of the server.
        watched: the client.
        make_probe_socket: creates a connected DEALER socket that is not used for anything else.
    """

    def __init__(
        self,
        loop: SocketLoop,
        address: Address,
        watched: Watched,
        make_probe_socket: "Callable[[Callable[[zmq.Socket[bytes]], None]], zmq.Socket[bytes]]",
    ) -> None:
        self.state = ClientState.NEW
        self.was_stopped = False
        """The server announced that it was asked to shut down; clients must not restart it automatically."""
        self.is_unreachable = False
        """The server was lost without proof that it has ended."""
        self._loop: Final = loop
        self._config: ZMQConfig = address.config
        self._address = address
        self._watched = watched
        self._make_probe_socket = make_probe_socket
        self._pong: PongResponse | None = None
        self._evidence = Evidence(address, None, False)
        self._end: ProcessEnd | None = None
        self._probe: LifeProbe | None = None
        self._heard_at = time.monotonic()
        self._asked_at: float | None = None
        self._cut_at: float | None = None
        self._loop.call_later(self._config.heartbeat_window / 2, self._look)

    # --- signs of life -------------------------------------------------------------------------------------------

    @property
    def instance_id(self) -> str | None:
        """``instance_id`` of the server that last identified itself."""
        return None if self._pong is None else self._pong.instance_id

    def heard(self, instance_id: str | None = None) -> None:
        """Note that something arrived from the server; ``instance_id`` if it tells which run of the server sent it."""
        if instance_id is not None and instance_id != self.instance_id:
            self._ask()  # only the reply tells which process it is
            return
        if self.state is ClientState.LOST and not self.is_unreachable:
            return  # sent by a server that has since ended
        self._heard_at = time.monotonic()
        if self.state in (ClientState.SILENT, ClientState.LOST):
            self._be_back(is_new=False)

    def note_sign(self) -> None:
        """Note that the server has answered; from any thread."""
        if self.state is ClientState.CONNECTED:
            self._heard_at = time.monotonic()
        else:
            self._loop.call_soon(self.heard)

    def met(self, pong: PongResponse) -> None:
        """Note that the server has identified itself."""
        self._heard_at = time.monotonic()
        is_new = pong.instance_id != self.instance_id
        if is_new:
            was_known, self._pong = self._pong is not None, pong
            self._evidence = Evidence.of(pong, self._address)
            self._watch_process()
            self._be_back(is_new=was_known)
        elif self.state is not ClientState.CONNECTED:
            self._be_back(is_new=False)

    def linked(self, is_linked: bool) -> None:
        """Note a connection or its loss; after a loss, check immediately, and ping once it is restored."""
        if is_linked:
            was_cut, self._cut_at = self._cut_at is not None, None
            if was_cut or self.state in (ClientState.SILENT, ClientState.LOST):
                self._ask()
            return
        self._cut_at = self._cut_at or time.monotonic()
        if self.state in (ClientState.CONNECTED, ClientState.SILENT):
            self._ask()
            for seconds in _LOOK_SECONDS:
                self._loop.call_later(seconds, self._look_for_end)

    def said_farewell(self, instance_id: str) -> None:
        """Note that the server announced its shutdown."""
        if instance_id == self.instance_id:
            self.was_stopped = True

    def close(self) -> None:
        """Stop monitoring."""
        self.state = ClientState.CLOSED
        self._end_probe()
        self._forget_process()

    def standing(self) -> Standing:
        """Return the current state, with its duration and a text."""
        seconds = time.monotonic() - self._heard_at
        match self.state:
            case ClientState.SILENT:
                busy = "; its process is alive and busy" if self._probe is not None and self._probe.is_alive else ""
                return Standing(self.state, seconds, f"no answer for {seconds:.0f} s from {self.who}{busy}")
            case ClientState.LOST:
                return Standing(self.state, seconds, self._loss)
            case _:
                return Standing(self.state, seconds)

    @property
    def who(self) -> str:
        """Description of the server."""
        pid = "" if self._pong is None else f" (process {self._pong.pid})"
        host = "" if self._address.is_local else f" on {self._address.host}"
        return f"the server on port {self._address.port}{host}{pid}"

    # --- judging -------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Ping the server: this process may have been suspended, so only an unanswered ping counts as silence."""
        asked_at = self._asked_at = time.monotonic()
        self._watched.ask_who()
        self._loop.call_later(self._config.heartbeat_window / 3, lambda: self._judge(asked_at))

    def _judge(self, asked_at: float) -> None:
        # Anything that arrived since then counts: the reply itself may still be queued behind many others.
        if self._asked_at == asked_at:
            self._asked_at = None
            if self._heard_at <= asked_at and self.state is ClientState.CONNECTED:
                self._fall_silent()

    def _look(self) -> None:
        if self.state is ClientState.CLOSED:
            return
        window = self._config.heartbeat_window
        self._loop.call_later(window / 2, self._look)
        is_quiet = time.monotonic() - self._heard_at > window
        if self.state is ClientState.CONNECTED and is_quiet and self._asked_at is None and self._watched.expects_word:
            self._ask()
        elif self.state is ClientState.SILENT:
            self._look_for_end()
        if self.state in (ClientState.SILENT, ClientState.LOST):
            self._watched.on_standing(self.standing())

    def _look_for_end(self) -> None:
        """Check whether the server is lost: by evidence on this machine, by time elsewhere."""
        if self.state not in (ClientState.CONNECTED, ClientState.SILENT):
            return
        if self._evidence.has_ended(is_cut=self._cut_at is not None):
            self._lose(is_unreachable=False)
        elif self.state is ClientState.SILENT and not self._evidence.can_tell and self._is_out_of_reach():
            self._lose(is_unreachable=True)

    def _is_out_of_reach(self) -> bool:
        window = max(self._config.unreachable_window, self._config.request_timeout)
        now, probe = time.monotonic(), self._probe
        heard_at = now if probe is not None and probe.is_alive else self._heard_at
        return now - heard_at > window or (self._cut_at is not None and now - self._cut_at > window / _CUT_SHARE)

    def _fall_silent(self) -> None:
        self._enter(ClientState.SILENT)
        self._probe = LifeProbe(self._loop, self._make_probe_socket)
        self._look_for_end()

    def _lose(self, *, is_unreachable: bool) -> None:
        self._end_probe()
        self._forget_process()
        self.is_unreachable = is_unreachable
        if is_unreachable:
            seconds = time.monotonic() - self._heard_at
            self._loss = f"{self.who} cannot be reached: no sign of life for {seconds:.0f} s"
        else:
            goes_on = "" if self._evidence.is_process_gone else "; its process goes on without it"
            self._loss = f"{self.who} was stopped" if self.was_stopped else f"{self.who} ended{goes_on}"
        self._enter(ClientState.LOST, ServerLostError(f"{self._loss}; {self._watched.after_loss}"))

    def _be_back(self, *, is_new: bool) -> None:
        self._end_probe()
        self._asked_at = None
        if is_new or self.state is not ClientState.LOST:
            self.was_stopped = False
        if self._end is None and not is_new:
            self._watch_process()
        self.is_unreachable = False
        self._enter(ClientState.CONNECTED, is_new=is_new)

    def _enter(self, state: ClientState, error: ServerLostError | None = None, *, is_new: bool = False) -> None:
        before, self.state = self.state, state
        self._watched.on_judged(before, error, is_new)
        self._watched.on_standing(self.standing())

    # --- its process ---------------------------------------------------------------------------------------------

    def _watch_process(self) -> None:
        self._forget_process()
        self._end = ProcessEnd.of(self._evidence.process)
        if self._end is not None:
            self._loop.add_reader(self._end, self._on_process_end)

    def _on_process_end(self) -> None:
        self._forget_process()
        self._loop.call_later(_FAREWELL_SECONDS, self._look_for_end)

    def _forget_process(self) -> None:
        end, self._end = self._end, None
        if end is not None:
            self._loop.remove(end)
            end.close()

    def _end_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.close()
