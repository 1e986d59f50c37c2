"""An event loop: one thread that owns sockets and sleeps in a poller until a socket, a timer or a call wakes it."""

import contextlib
import heapq
import itertools
import logging
import math
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import zmq

__all__ = ["Pollable", "SocketLoop", "Timer", "is_ctrl_c", "receive_ready"]

_log = logging.getLogger(__name__)

_MESSAGES_PER_TURN = 512
_LONGEST_SLEEP_SECONDS = 3600.0  # a timer may be set for later than a poller can wait


class HasFileno(Protocol):
    """An object with a file descriptor, such as a plain socket or a pipe."""

    def fileno(self) -> int: ...


Pollable = zmq.Socket[bytes] | HasFileno


class Timer:
    """A scheduled call; ``cancel()`` on the loop's thread prevents it."""

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when: Final = when
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Cancel the call."""
        self._call = None

    def fire(self) -> None:
        """Make the call, once."""
        call, self._call = self._call, None
        if call is not None:
            call()


class SocketLoop:
    """An event loop that runs handlers on one thread.

    Only :meth:`call_soon`, :meth:`stop` and :meth:`join` may be used from other threads. A *turn* is one sleep and
    all the handlers that are due after it; ``after_turn`` runs at its end, so that everything a turn collected can be
    written together. An exception in a handler is logged, and the loop continues. Only on the main thread do Ctrl-C and
    ``sys.exit()`` end it, as they end any program. It stops if something has closed the sockets that wake it, because
    it could be neither woken nor sleep.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.after_turn: Callable[[], None] | None = None
        self.at_end: Callable[[], None] | None = None
        self._poller = zmq.Poller()
        self._handlers: dict[object, Callable[[], None]] = {}
        self._writers: dict[object, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._calls: deque[Callable[[], None]] = deque()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._wake_lock = threading.RLock()  # reentrant: a signal handler may call call_soon while it is held
        self._wake_sent = False
        self._stopping = False
        self._closed = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._runner: threading.Thread | None = None
        self.add_reader(self._wake_reader, self._drain_wake)

    # --- from any thread -----------------------------------------------------------------------------------------

    def call_soon(self, call: Callable[[], None]) -> None:
        """Run ``call`` on the loop's thread; calls keep their order. Does nothing once the loop has ended."""
        self._calls.append(call)
        with self._wake_lock:
            if self._wake_sent or self._closed:
                return
            self._wake_sent = True
            self._wake_writer.send(b"\0")

    def stop(self) -> None:
        """Stop the loop after all calls scheduled so far."""
        self.call_soon(self._note_stop)

    def start(self) -> None:
        """Run the loop in a separate thread."""
        self._thread = threading.Thread(target=self.run, name=self.name, daemon=True)
        self._thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for :meth:`run` to end; return whether it has. On the loop's own thread it returns immediately."""
        if self._runner is threading.current_thread():
            return False
        ended = self._ended.wait(timeout)
        if ended and self._thread is not None:
            self._thread.join(timeout)
        return ended

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is the loop's thread."""
        return self._runner is threading.current_thread()

    @property
    def descriptors(self) -> tuple[int, int]:
        """Descriptors of the sockets that wake it, without which it cannot work."""
        return self._wake_reader.fileno(), self._wake_writer.fileno()

    # --- on the loop's thread ------------------------------------------------------------------------------------

    def add_reader(self, source: Pollable, handler: Callable[[], None]) -> None:
        """Call ``handler`` in every turn in which ``source`` is readable."""
        self._handlers[self._key(source)] = handler
        self._update(source)

    def add_writer(self, source: Pollable, handler: Callable[[], None]) -> None:
        """Call ``handler`` in every turn in which ``source`` is writable."""
        self._writers[self._key(source)] = handler
        self._update(source)

    def remove_writer(self, source: Pollable) -> None:
        """Stop watching whether ``source`` is writable."""
        if self._writers.pop(self._key(source), None) is not None:
            self._update(source)

    def remove(self, source: Pollable) -> None:
        """Stop watching ``source``; call this before closing it."""
        self._handlers.pop(self._key(source), None)
        self._writers.pop(self._key(source), None)
        self._update(source)

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        """Run ``call`` after ``delay`` seconds."""
        timer = Timer(time.monotonic() + delay, call)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        return timer

    def run(self) -> None:
        """Run in the calling thread until :meth:`stop`; ``at_end`` is called last, to close sockets."""
        self._runner = threading.current_thread()
        try:
            while not self._stopping:
                self._turn()
        finally:
            self.dispose()

    def dispose(self) -> None:
        """Call ``at_end`` and release the loop; called by :meth:`run`, or directly for a loop that never ran."""
        with self._wake_lock:
            if self._closed:
                return
            self._closed = True
        try:
            if self.at_end is not None:
                self._guard(self.at_end)
        finally:
            for end in (self._wake_reader, self._wake_writer):
                with contextlib.suppress(OSError):  # its descriptor was closed
                    end.close()
            self._ended.set()

    def _turn(self) -> None:
        ready = self._poller.poll(self._sleep_milliseconds())
        for source, event in ready:
            key = self._key(source)
            if event & ~zmq.POLLOUT and (handler := self._handlers.get(key)) is not None:
                self._guard(handler)
            if event & zmq.POLLOUT and (writer := self._writers.get(key)) is not None:
                self._guard(writer)
        self._fire_timers()
        for _ in range(len(self._calls)):
            self._guard(self._calls.popleft())
        if self.after_turn is not None:
            self._guard(self.after_turn)

    def _sleep_milliseconds(self) -> int | None:
        if self._calls:
            return 0
        if not self._timers:
            return None
        return math.ceil(min(max(0.0, self._timers[0][0] - time.monotonic()), _LONGEST_SLEEP_SECONDS) * 1000)

    def _fire_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            self._guard(heapq.heappop(self._timers)[2].fire)

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:
            if is_ctrl_c(error) or (isinstance(error, SystemExit) and _is_main_thread()):
                raise
            _log.exception("a handler of the loop %s failed", self.name)

    def _drain_wake(self) -> None:
        with self._wake_lock:
            try:
                self._wake_reader.recv(64)
            except BlockingIOError:
                pass
            except OSError:
                _log.error("the sockets of the loop %s were closed by something else; it stops", self.name)
                self._note_stop()
            self._wake_sent = False

    def _note_stop(self) -> None:
        self._stopping = True

    def _update(self, source: Pollable) -> None:
        key = self._key(source)
        flags = (zmq.POLLIN if key in self._handlers else 0) | (zmq.POLLOUT if key in self._writers else 0)
        if flags:
            self._poller.register(source, flags)
        elif source in self._poller:
            self._poller.unregister(source)

    @staticmethod
    def _key(source: object) -> object:
        """Return what the poller reports for ``source``: the ZeroMQ socket itself, or the file descriptor."""
        if isinstance(source, zmq.Socket | int):
            return source
        return source.fileno() if hasattr(source, "fileno") else source


def is_ctrl_c(error: BaseException) -> bool:
    """Return whether Ctrl-C raised ``error``: on the main thread, and unless SIGINT has a handler of its own."""
    is_interrupt = isinstance(error, KeyboardInterrupt) and _is_main_thread()
    return is_interrupt and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def receive_ready(sock: "zmq.Socket[bytes]", limit: int = _MESSAGES_PER_TURN) -> Iterator[list[bytes]]:
    """Yield the messages waiting on ``sock``, at most ``limit`` so that other sockets get their turn."""
    for _ in range(limit):
        try:
            yield sock.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
