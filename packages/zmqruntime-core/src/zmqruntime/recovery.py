"""The time between the end of a server and the first word of its successor: who starts that, and how long is waited."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final

from zmqruntime.backoff import Backoff
from zmqruntime.exceptions import ClosedError, ZMQRuntimeError
from zmqruntime.loop import SocketLoop, Timer

__all__ = ["Recovery"]

_log = logging.getLogger(__name__)

_CONNECT_SECONDS = 15.0
_CALM_SECONDS: Final = 60.0
"""A server that dies again and again is not hurried: the pauses begin at nothing after this time without a loss."""


class Recovery:
    """Tries to connect again while a client's server is lost and somebody waits for it.

    All but :meth:`join` is called on the client's I/O thread; trying has a thread of its own, since to start a server
    takes its time.

    Args:
        loop: the client's.
        connect: finds or starts a server within the seconds that it is given.
        window: seconds until ``give_up``.
        give_up: called with what the latest attempt raised, None if there was none.
    """

    def __init__(
        self,
        loop: SocketLoop,
        connect: Callable[[float], object],
        window: float,
        give_up: Callable[[ZMQRuntimeError | None], None],
    ) -> None:
        self._loop = loop
        self._connect = connect
        self._window = window
        self._give_up = give_up
        self._backoff = Backoff(calm_seconds=_CALM_SECONDS)
        self._deadline: Timer | None = None
        self._done = threading.Event()
        self._error: ZMQRuntimeError | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a successor is waited for."""
        return self._deadline is not None

    def note_loss(self) -> None:
        """The server has ended."""
        self._backoff.note()

    def begin(self, *, may_start: bool) -> None:
        """Wait for a successor; ``may_start`` to start it if there is none."""
        if self._deadline is not None:
            return
        self._error = None
        self._deadline = self._loop.call_later(self._window, self._on_deadline)
        if may_start:
            self._done = threading.Event()
            arguments = (self._done, self._backoff.attempts())
            self._thread = threading.Thread(target=self._try, args=arguments, name="server-successor", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """The successor has answered, or nobody waits any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._done.set()

    def join(self) -> None:
        """Wait for the thread, after :meth:`end`; from any other thread."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _try(self, done: threading.Event, pauses: Iterator[float]) -> None:
        for pause in pauses:
            if done.wait(pause):
                return
            try:
                self._connect(_CONNECT_SECONDS)
                return
            except ClosedError:
                return
            except ZMQRuntimeError as error:
                self._error = error
                _log.warning("no successor of the server yet: %s", error)

    def _on_deadline(self) -> None:
        self.end()
        self._give_up(self._error)
