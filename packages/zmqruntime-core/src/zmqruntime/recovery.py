"""Recovery from the loss of a server: starting its successor, and waiting for it."""

import functools
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
"""The pauses between attempts are reset after this many seconds without a loss."""


class Recovery:
    """Reconnects while a client's server is lost and something is waiting for it.

    All methods except :meth:`join` are called on the client's I/O thread; attempts are made in a separate thread,
    because starting a server takes time.

    Args:
        loop: the client's loop.
        connect: finds or starts a server within the given number of seconds.
        window: seconds until ``give_up`` is called, or until the first attempt has ended if that takes longer, because
            its error says why there is no successor.
        give_up: called with the error of the latest attempt, or None if there was none.
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
        self._done.set()
        self._error: ZMQRuntimeError | None = None
        self._is_first = False
        """Whether the first attempt is under way."""
        self._is_late = False
        self._thread: threading.Thread | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it is waiting for a successor."""
        return self._deadline is not None

    def note_loss(self) -> None:
        """Record that the server has ended."""
        self._backoff.note()

    def begin(self, *, may_start: bool) -> None:
        """Start waiting for a successor; with ``may_start``, also from now on, start it if there is none."""
        if self._deadline is None:
            self._error = None
            self._is_late = False
            self._deadline = self._loop.call_later(self._window, self._on_deadline)
        if may_start and self._done.is_set():
            self._done = threading.Event()
            self._is_first = True
            arguments = (self._done, self._backoff.attempts())
            self._thread = threading.Thread(target=self._try, args=arguments, name="server-successor", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Stop waiting: the successor has answered, or nothing needs it any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._done.set()

    def join(self) -> None:
        """Wait for the thread to end, after :meth:`end`; may be called from any other thread."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _try(self, done: threading.Event, pauses: Iterator[float]) -> None:
        for pause in pauses:
            if done.wait(pause):
                return
            failed = None
            try:
                self._connect(_CONNECT_SECONDS)
            except ClosedError:
                return
            except ZMQRuntimeError as error:
                failed = error
                _log.warning("the server has no successor yet: %s", error)
            self._loop.call_soon(functools.partial(self._on_attempt, done, failed))
            if failed is None:
                return

    def _on_attempt(self, done: threading.Event, error: ZMQRuntimeError | None) -> None:
        if done is self._done:
            self._error, self._is_first = error, False
            if self._is_late and self.is_under_way:
                self._on_deadline()

    def _on_deadline(self) -> None:
        if self._is_first and not self._done.is_set():
            self._is_late = True
            return
        self.end()
        self._give_up(self._error)
