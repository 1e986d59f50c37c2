"""An event loop: one thread that owns sockets and sleeps in a poller until a socket, a timer or a call wakes it."""

import contextlib
import heapq
import itertools
import logging
import math
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import zmq

__all__ = ["Pollable", "SocketLoop", "Timer", "is_ctrl_c", "receive_ready", "send_frames"]

_log = logging.getLogger(__name__)

# Plain numbers, because arithmetic with the flags of pyzmq takes longer than the system calls next to it.
_READABLE, _WRITABLE, _NO_WAIT = int(zmq.POLLIN), int(zmq.POLLOUT), int(zmq.NOBLOCK)
_NO_WAIT_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_MESSAGES_PER_TURN = 512
_LONGEST_SLEEP_SECONDS = 3600.0  # a timer may be set for later than a poller can wait


class HasFileno(Protocol):
    """An object with a file descriptor, such as a plain socket or a pipe."""

    def fileno(self) -> int: ...


Pollable = zmq.Socket[bytes] | HasFileno


class DescriptorPoller(Protocol):
    """A poller of file descriptors."""

    def register(self, fd: int, eventmask: int, /) -> object: ...

    def unregister(self, fd: int, /) -> object: ...

    def poll(self, timeout: int | None, /) -> list[tuple[int, int]]: ...


if sys.platform == "win32":  # select.poll does not exist there
    _IN, _OUT = _READABLE, _WRITABLE

    def _new_poller() -> DescriptorPoller:
        return zmq.Poller()

else:
    _IN, _OUT = select.POLLIN, select.POLLOUT

    def _new_poller() -> DescriptorPoller:
        return select.poll()


class _Watch:
    """A source that a loop watches, with its handlers.

    libzmq reports commands for a socket on a descriptor that does not stay readable while messages are waiting: after
    any use of the socket, only its ``EVENTS`` tell (zmq_getsockopt(3), ``ZMQ_FD``).
    """

    def __init__(self, source: Pollable) -> None:
        self.socket = source if isinstance(source, zmq.Socket) else None
        self.descriptor = int(source.get(zmq.FD)) if isinstance(source, zmq.Socket) else source.fileno()
        self.reader: Callable[[], None] | None = None
        self.writer: Callable[[], None] | None = None

    @property
    def mask(self) -> int:
        """The events of its descriptor to wait for; 0 if it has no handler."""
        if self.socket is not None:
            return _IN if self.reader or self.writer else 0
        return (_IN if self.reader else 0) | (_OUT if self.writer else 0)

    @property
    def interest(self) -> int:
        """The events of its ZeroMQ socket that it has handlers for."""
        return (_READABLE if self.reader else 0) | (_WRITABLE if self.writer else 0)

    def due(self, event: int) -> Iterator[Callable[[], None]]:
        """Yield the handlers to call now that its descriptor has reported ``event``."""
        if self.socket is not None:
            event = _events_of(self.socket)
            can_read, can_write = event & _READABLE, event & _WRITABLE
        else:
            can_read, can_write = event & ~_OUT, event & _OUT
        if can_read and self.reader is not None:
            yield self.reader
        if can_write and self.writer is not None:
            yield self.writer


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
        self._poller: DescriptorPoller = _new_poller()
        self._watches: dict[int, _Watch] = {}
        self._zmq_sockets: list[tuple[zmq.Socket[bytes], int, int]] = []
        self._behind: list[int] = []
        self._is_behind = False
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
        watch = self._watch(source)
        watch.reader = handler
        self._update(watch)

    def add_writer(self, source: Pollable, handler: Callable[[], None]) -> None:
        """Call ``handler`` in every turn in which ``source`` is writable."""
        watch = self._watch(source)
        watch.writer = handler
        self._update(watch)

    def remove_writer(self, source: Pollable) -> None:
        """Stop watching whether ``source`` is writable."""
        watch = self._watch(source)
        if watch.writer is not None:
            watch.writer = None
            self._update(watch)

    def remove(self, source: Pollable) -> None:
        """Stop watching ``source``; call this before closing it."""
        watch = self._watch(source)
        watch.reader = watch.writer = None
        self._update(watch)

    def receive(self, sock: "zmq.Socket[bytes]") -> Iterator[list[bytes]]:
        """Yield messages waiting on ``sock``, for its handler: one after a sleep, all others in the next turn.

        After a sleep there is mostly one, and asking for another costs more than noticing it at the end of the turn.
        Calls that a thread has scheduled before it caused a message run before the message is yielded.
        """
        for frames in receive_ready(sock, _MESSAGES_PER_TURN if self._is_behind else 1):
            if self._calls:
                self._run_calls()
            yield frames

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        """Run ``call`` after ``delay`` seconds."""
        timer = Timer(time.monotonic() + delay, call)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        return timer

    def run(self) -> None:
        """Run in the calling thread until :meth:`stop`; ``at_end`` is called last, to close sockets."""
        self._runner = threading.current_thread()
        try:
            self._find_waiting()
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
        behind, self._behind = self._behind, []
        self._is_behind = bool(behind)
        ready = self._poller.poll(0 if behind else self._sleep_milliseconds())
        for descriptor, event in {**dict.fromkeys(behind, _IN), **dict(ready)}.items() if behind else ready:
            watch = self._watches.get(descriptor)
            if watch is not None:
                for handler in watch.due(event):
                    self._guard(handler)
        self._fire_timers()
        self._run_calls()
        if self.after_turn is not None:
            self._guard(self.after_turn)
        self._find_waiting()

    def _find_waiting(self) -> None:
        """Find the ZeroMQ sockets whose messages would not end a sleep, because something has used them since."""
        for sock, interest, descriptor in self._zmq_sockets:
            if _events_of(sock) & interest:
                self._behind.append(descriptor)

    def _run_calls(self) -> None:
        for _ in range(len(self._calls)):
            self._guard(self._calls.popleft())

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

    def _watch(self, source: Pollable) -> _Watch:
        watch = _Watch(source)
        known = self._watches.get(watch.descriptor)
        return watch if known is None or known.socket is not watch.socket else known

    def _update(self, watch: _Watch) -> None:
        if watch.mask:
            self._watches[watch.descriptor] = watch
            self._poller.register(watch.descriptor, watch.mask)
        elif self._watches.pop(watch.descriptor, None) is not None:
            self._poller.unregister(watch.descriptor)
        watches = self._watches.values()
        self._zmq_sockets = [(each.socket, each.interest, each.descriptor) for each in watches if each.socket]


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
            frame = sock.recv(_NO_WAIT, copy=False)
        except zmq.Again:
            return
        frames = [frame.bytes]
        while (
            frame.more
        ):  # what sock.recv_multipart() does, in half the time: a frame knows it, a socket has to be asked
            frame = sock.recv(_NO_WAIT, copy=False)
            frames.append(frame.bytes)
        yield frames


def send_frames(sock: "zmq.Socket[bytes]", frames: Sequence[bytes]) -> None:
    """Send a message without waiting, as ``sock.send_multipart()`` does.

    Raises:
        zmq.Again: the socket cannot take it now.
        zmq.ZMQError: it cannot be sent.
    """
    for frame in frames[:-1]:
        sock.send(frame, _NO_WAIT_MORE)
    sock.send(frames[-1], _NO_WAIT)


def _events_of(sock: "zmq.Socket[bytes]") -> int:
    events = sock.get(zmq.EVENTS)
    assert isinstance(events, int)
    return events
